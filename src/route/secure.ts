// Under which TLS policy each host of a domain may be spoken to: the operator's word, tightened by what the domain publishes. DANE
// speaks for a host and beats MTA-STS (RFC 8461 2), which speaks for a domain. A host that fails its policy is left out, so that the
// others are tried; with none left the mail waits.
import type { EpochMs } from "../base/clock.ts";
import type { Lookup } from "../dns/answer.ts";
import { daneFor, type DaneFound } from "./dane.ts";
import { isListed } from "./mtaSts.ts";
import { policyName, type HostPlan, type PolicySettings } from "./policy.ts";
import type { Endpoint, RouteHost, TlsDemand, TlsPolicy } from "./route.ts";
import type { HostAnswers } from "./select.ts";
import type { StsState } from "./stsBook.ts";

export interface SecureRequest {
  readonly domain: string;
  readonly policy: PolicySettings;
  /** The settings name this domain. */
  readonly isNamed: boolean;
  readonly port: number;
  /** The MX records, or their absence, are secured by DNSSEC. */
  readonly mxSecure: boolean;
  readonly sts: StsState | null;
  readonly answers: readonly HostAnswers[];
  readonly hosts: readonly RouteHost[];
}

export interface Secured {
  /** Those that may be used, each with what it asks for. */
  readonly hosts: readonly RouteHost[];
  /** All of them. */
  readonly plans: readonly HostPlan[];
  readonly freshUntil: EpochMs;
}

export function secure(lookup: Lookup, request: SecureRequest): Secured | Promise<Secured> {
  const { policy, mxSecure, sts } = request;
  const wantsDane = policy.dane && mxSecure && policy.tls !== "off";
  const dane = wantsDane ? request.hosts.map((host) => daneOf(lookup, request, host)) : [];
  const isOpen = (one: DaneFound | Promise<DaneFound>): boolean => one instanceof Promise;
  const judge = (found: readonly DaneFound[]): Secured => {
    const judged = request.hosts.map((host, i) => judgeHost(request, host, found[i]));
    const times = found.map((one) => (one.kind === "unknown" ? Infinity : one.freshUntil));
    return {
      hosts: judged.flatMap(({ host }) => host ?? []),
      plans: judged.map(({ plan }) => plan),
      freshUntil: Math.min(Number.MAX_SAFE_INTEGER, sts?.freshUntil ?? Infinity, ...times),
    };
  };
  if (!dane.some(isOpen)) return judge(dane as readonly DaneFound[]);
  return Promise.all(dane).then(judge);
}

function daneOf(
  lookup: Lookup,
  { domain, port, answers }: SecureRequest,
  { name }: RouteHost,
): DaneFound | Promise<DaneFound> {
  const own = answers.find((one) => one.host.name === name);
  if (own === undefined) return { kind: "none", why: "no answer", freshUntil: Infinity };
  return daneFor(lookup, { name, domain, port, v6: own.v6, v4: own.v4 });
}

interface Judged {
  /** Undefined: not to be used now. */
  readonly host: RouteHost | undefined;
  readonly plan: HostPlan;
}

function judgeHost(request: SecureRequest, host: RouteHost, dane: DaneFound | undefined): Judged {
  const { policy, port } = request;
  if (dane?.kind === "unknown")
    return unusable(host, "dane", `its TLSA records cannot be had: ${dane.why}`);
  if (dane?.kind === "demand") {
    const { tlsa, names } = dane.demand;
    const at = `_${port}._tcp.${names[0] ?? host.name}`;
    if (tlsa.length > 0)
      return usable(request, host, "verify", dane.demand, `${tlsa.length} TLSA records at ${at}`);
    // RFC 7672 2.2: they say that there is TLS, if nothing else.
    const tls = policy.tls === "verify" ? "verify" : "required";
    return usable(request, host, tls, dane.demand, `no TLSA record at ${at} can be used`);
  }
  const sts = policy.tls === "off" ? null : (request.sts?.policy ?? null);
  if (sts === null || sts.mode === "none")
    return usable(request, host, policy.tls, ownDemand(request), "what the settings say");
  const listed = isListed(sts, host.name);
  const why = `MTA-STS policy ${sts.id}, ${sts.mode}`;
  if (sts.mode === "testing") {
    const demand = { source: "mta-sts", mode: "testing", listed } as const;
    return usable(request, host, policy.tls, demand, listed ? why : `${why}: it is not listed`);
  }
  if (!listed) return unusable(host, "mta-sts", `${why}: it is not listed`);
  return usable(request, host, "verify", { source: "mta-sts", mode: "enforce" }, why);
}

/** What is insisted on for this domain alone must not be held against a site through which others get their mail. */
function ownDemand({ policy, isNamed }: SecureRequest): TlsDemand | undefined {
  const isStrict = policy.tls === "required" || policy.tls === "verify";
  return isNamed && isStrict ? { source: "settings" } : undefined;
}

function usable(
  { port }: SecureRequest,
  host: RouteHost,
  tls: TlsPolicy,
  demand: TlsDemand | undefined,
  why: string,
): Judged {
  const plan: HostPlan = {
    host: host.name,
    policy: policyName(demand === undefined ? { tls } : { tls, demand }),
    why,
    usable: true,
  };
  if (demand === undefined) return { host, plan };
  const endpoint: Endpoint = { port, tls, implicitTls: false, login: null, demand };
  return { host: { ...host, endpoint }, plan };
}

function unusable(host: RouteHost, policy: HostPlan["policy"], why: string): Judged {
  return { host: undefined, plan: { host: host.name, policy, why, usable: false } };
}
