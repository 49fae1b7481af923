// What is asked of the encryption of a domain's mail: by the operator, for all or for one domain, and how `explain` tells it.
import type { EpochMs } from "../base/clock.ts";
import type { TlsPolicyName } from "../mail/timeline.ts";
import type { Endpoint, TlsPolicy } from "./route.ts";

/** The settings `tls_policy`, `mta_sts` and `dane`. */
export interface PolicySettings {
  readonly tls: TlsPolicy;
  readonly mtaSts: boolean;
  readonly dane: boolean;
}

/** What `[domains."example.com"]` may set; absent keys are as for all domains. */
export type DomainPolicy = Partial<PolicySettings>;

export type DomainPolicies = ReadonlyMap<string, DomainPolicy>;

/** What the operator asks for a domain's mail. */
export function policyOf(
  all: PolicySettings,
  domains: DomainPolicies,
  domain: string,
): PolicySettings {
  const own = domains.get(domain);
  return own === undefined ? all : { ...all, ...own };
}

/** The TLS policy of one domain, as `explain` prints it. */
export interface TlsPlan {
  readonly domain: string;
  /** What the operator asks for, and the setting that says so. */
  readonly tls: TlsPolicy;
  readonly setting: string;
  readonly mtaSts: StsPlan;
  readonly dane: DanePlan;
  /** Host by host in the order of the route; hosts that may not be used are among them. */
  readonly hosts: readonly HostPlan[];
}

export type StsPlan =
  | { readonly kind: "off"; readonly why: string }
  /** No policy is published. */
  | { readonly kind: "none"; readonly why: string }
  | {
      readonly kind: "policy";
      readonly id: string;
      readonly mode: "enforce" | "testing" | "none";
      readonly mx: readonly string[];
      readonly fetchedAt: EpochMs;
      readonly expiresAt: EpochMs;
    };

export type DanePlan =
  | { readonly kind: "off"; readonly why: string }
  /** The MX records are not secured by DNSSEC. */
  | { readonly kind: "insecure" }
  | { readonly kind: "on" };

export interface HostPlan {
  readonly host: string;
  readonly policy: TlsPolicyName;
  /** What it rests on, in words: `2 TLSA records at _25._tcp.mx.example.com`. */
  readonly why: string;
  /** False: mail may not go there at the moment, and `why` says why. */
  readonly usable: boolean;
}

/** The name of what an endpoint asks for, as events carry it. */
export function policyName({ tls, demand }: Pick<Endpoint, "tls" | "demand">): TlsPolicyName {
  if (demand === undefined || demand.source === "settings") return tls;
  if (demand.source === "dane") return "dane";
  return demand.mode === "enforce" ? "mta-sts" : "mta-sts-testing";
}
