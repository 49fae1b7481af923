// Where the mail of one recipient domain goes, as an answer that can be kept: hosts in groups of equal preference, each with its
// addresses. The order within a preference is drawn anew for each attempt (RFC 5321 5.1), so it is not part of a route.
import type { EpochMs } from "../base/clock.ts";

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
}

/**
 * - `opportunistic`: encrypt if offered; in clear where that fails.
 * - `required`: no mail in clear, whatever the certificate says.
 * - `verify`: the certificate must prove the host's name too.
 * - `off`: never.
 */
export type TlsPolicy = "opportunistic" | "required" | "verify" | "off";

export interface RelayLogin {
  readonly user: string;
  readonly pass: string;
}

export interface Route extends Endpoint {
  /** What pacing is kept for: the same name for all domains that share their MX hosts; bounded in length. */
  readonly site: string;
  readonly via: "mx" | "relay" | "sink";
  readonly hosts: readonly RouteHost[];
}

/**
 * - `refused`: a fact of the DNS says that mail can never go there (NXDOMAIN 5.1.2, null MX 5.1.10, no usable address 5.4.4).
 * - `unknown`: the DNS said nothing (SERVFAIL, timeout): never a bounce.
 */
export type Routing =
  | { readonly kind: "route"; readonly route: Route; readonly freshUntil: EpochMs }
  | {
      readonly kind: "refused";
      readonly enhanced: string;
      readonly text: string;
      readonly freshUntil: EpochMs;
    }
  | { readonly kind: "unknown"; readonly text: string };

/** Answers at once when the cache knows, so that the hot path makes no promise; never rejects. */
export type RouteFor = (domain: string) => Routing | Promise<Routing>;
