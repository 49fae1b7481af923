// Where the mail of one recipient domain goes, as an answer that can be kept: hosts in groups of equal preference, each with its
// addresses. The order within a preference is drawn anew for each attempt (RFC 5321 5.1), so it is not part of a route.
import type { EpochMs } from "../base/clock.ts";
import type { TlsaRecord } from "../dns/answer.ts";

export interface RouteHost {
  /** Lower-case, without the final dot; a literal address stands for itself. */
  readonly name: string;
  readonly preference: number;
  /** IPv6 first, each family in the resolver's order; never empty. */
  readonly addresses: readonly string[];
  /** Of several relays, each may have a port and a login of its own; without it the route's hold. */
  readonly endpoint?: Endpoint;
}

/** How to speak to a host, once it is reached. */
export interface Endpoint {
  readonly port: number;
  readonly tls: TlsPolicy;
  /** TLS from the first byte (RFC 8314), as with `smtps://`. */
  readonly implicitTls: boolean;
  readonly login: RelayLogin | null;
  /** What the recipient's domain asks for; absent: nothing, and `tls` is the operator's word. */
  readonly demand?: TlsDemand;
}

/**
 * What is asked for the mail of one domain; `tls` of the same endpoint already carries how much of it is insisted on. The first three
 * are what the domain publishes.
 * - `mta-sts` (RFC 8461), enforced: the certificate must be valid for the host's name.
 * - `mta-sts`, testing: mail is delivered whatever is found, and what enforcing would have refused is told.
 * - `dane` (RFC 7672): one of the TLSA records must match, whatever the authorities say. Without a record that can be used,
 *   encryption is required and not authenticated.
 * - `settings`: the operator asks for more than for the mail of all others.
 */
export type TlsDemand =
  | { readonly source: "mta-sts"; readonly mode: "enforce" }
  | { readonly source: "mta-sts"; readonly mode: "testing"; readonly listed: boolean }
  | {
      readonly source: "dane";
      readonly tlsa: readonly TlsaRecord[];
      /** Any of them may be in the certificate below a trust anchor; the first is the TLSA base domain, said as SNI. */
      readonly names: readonly string[];
    }
  | { readonly source: "settings" };

/**
 * - `opportunistic`: encrypt if offered; in clear where that fails.
 * - `required`: no mail in clear, whatever the certificate says.
 * - `verify`: the certificate must prove the host's name too.
 * - `off`: never.
 */
export type TlsPolicy = "opportunistic" | "required" | "verify" | "off";

export interface RelayLogin {
  readonly user: string;
  /** For XOAUTH2 the access token. */
  readonly pass: string;
  /** Only this one; absent: the best that the server offers. */
  readonly mechanism?: AuthMechanism;
}

export const authMechanisms = ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN", "XOAUTH2"] as const;
export type AuthMechanism = (typeof authMechanisms)[number];

/** One of this host's addresses, to send from. */
export interface RouteSource {
  /** Without brackets. */
  readonly address: string;
  /** Its name in EHLO; null: the host's. */
  readonly ehlo: string | null;
}

export interface Route extends Endpoint {
  /** What pacing is kept for: the same name for all domains that share their MX hosts; bounded in length. */
  readonly site: string;
  readonly via: "mx" | "relay" | "sink";
  readonly hosts: readonly RouteHost[];
  /** Absent: the system chooses. Its hosts then have addresses of this family only. */
  readonly source?: RouteSource;
}

/**
 * - `refused`: a fact of the DNS says that mail can never go there (NXDOMAIN 5.1.2, null MX 5.1.10, no usable address 5.4.4).
 * - `unknown`: the DNS said nothing (SERVFAIL, timeout): never a bounce, but where `bounces` says so.
 */
export type Routing =
  | { readonly kind: "route"; readonly route: Route; readonly freshUntil: EpochMs }
  | {
      readonly kind: "refused";
      readonly enhanced: string;
      readonly text: string;
      readonly freshUntil: EpochMs;
    }
  | {
      readonly kind: "unknown";
      readonly text: string;
      /** Absent: the DNS. `tls`: no host of the domain may be used under its TLS policy at the moment. */
      readonly class?: "tls";
      /** What the DNS says leads nowhere, and may be a mistake: what has stayed so for hours bounces, with this code. */
      readonly bounces?: string;
    };

/**
 * Answers at once when the cache knows, so that the hot path makes no promise; never rejects. The sender's domain matters only where
 * `[senders]` gives it a relay of its own.
 */
export type RouteFor = (domain: string, senderDomain?: string) => Routing | Promise<Routing>;

/** Whether two routes speak to each of their hosts in the same way; it is told by what their hosts ask for. */
export function sameEndpoints(a: Route, b: Route): boolean {
  const asked = (route: Route): readonly RouteHost[] => route.hosts.filter((host) => host.endpoint);
  const [ours, theirs] = [asked(a), asked(b)];
  if (ours.length === 0 && theirs.length === 0) return true;
  const told = (hosts: readonly RouteHost[]): string =>
    JSON.stringify(hosts.map(({ name, endpoint }) => [name, endpoint]));
  return ours.length === theirs.length && told(ours) === told(theirs);
}
