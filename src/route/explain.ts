// The TLS policy of a domain in words, found in the same way as for its mail: for `explain DOMAIN`.
import { whenKnown, type Lookup } from "../dns/answer.ts";
import type { DanePlan, PolicySettings, StsPlan, TlsPlan } from "./policy.ts";
import { secure } from "./secure.ts";
import { candidatesOf, locate, type Candidate, type HostAnswers } from "./select.ts";
import type { StsBook, StsState } from "./stsBook.ts";

export interface ExplainDeps {
  readonly lookup: Lookup;
  readonly sts: StsBook | undefined;
  readonly policy: PolicySettings;
  /** The domain has an entry of its own in `[domains]`. */
  readonly isNamed: boolean;
  readonly port: number;
  addressesOf(
    hosts: readonly Candidate[],
  ): readonly HostAnswers[] | Promise<readonly HostAnswers[]>;
}

export async function explainTls(deps: ExplainDeps, domain: string): Promise<TlsPlan> {
  const { lookup, policy, port } = deps;
  const wantsSts = deps.sts !== undefined && policy.mtaSts && policy.tls !== "off";
  const [mx, sts] = await Promise.all([
    lookup("MX", domain),
    wantsSts ? deps.sts?.stateOf(domain) : undefined,
  ]);
  const candidates = candidatesOf(domain, mx);
  const answers = candidates.kind === "candidates" ? await deps.addressesOf(candidates.hosts) : [];
  // Where a host lies plays no part here, so none is denied.
  const located = locate(answers, []);
  const mxSecure = mx.kind !== "unknown" && mx.secure;
  const hosts = located.kind === "hosts" ? located.hosts : [];
  const asked = {
    domain,
    policy,
    isNamed: deps.isNamed,
    port,
    mxSecure,
    sts: sts ?? null,
    answers,
    hosts,
  };
  const { plans } = await whenKnown(secure(lookup, asked), (secured) => secured);
  return {
    domain,
    tls: policy.tls,
    setting: deps.isNamed ? `[domains."${domain}"]` : "tls_policy",
    mtaSts: stsPlan(policy, sts),
    dane: danePlan(policy, mxSecure),
    hosts: plans,
  };
}

function stsPlan(policy: PolicySettings, state: StsState | undefined): StsPlan {
  if (policy.tls === "off") return { kind: "off", why: "tls_policy is off" };
  if (state === undefined) return { kind: "off", why: "mta_sts is off" };
  if (state.policy === null) return { kind: "none", why: state.why };
  const { id, mode, mx, fetchedAt, expiresAt } = state.policy;
  return { kind: "policy", id, mode, mx, fetchedAt, expiresAt };
}

function danePlan(policy: PolicySettings, mxSecure: boolean): DanePlan {
  if (policy.tls === "off") return { kind: "off", why: "tls_policy is off" };
  if (!policy.dane) return { kind: "off", why: "dane is off" };
  return mxSecure ? { kind: "on" } : { kind: "insecure" };
}
