// What a row of the fault table is made of: servers that misbehave, names that lead to them, mail, and what must come of it.
import type { Made } from "../fixtures/certificates.ts";
import type { Flaw } from "./certificates.ts";
import type { MailServer, MailServerOptions, Script, Act } from "./mailServer.ts";
import type { NameServer } from "./nameServer.ts";
import type { PolicyPlan } from "./policyServer.ts";

/** What became of a recipient, as an outsider tells it. */
export type Outcome = "delivered" | "deferred" | "bounced" | "expired";

export type ServerPlan = Pick<MailServerOptions, "offers" | "script"> & {
  /** What is wrong with its certificate. */
  readonly certificate?: Flaw;
  /** More than a certificate. */
  readonly tls?: Partial<MailServerOptions["tls"]>;
  /** Where packets are lost on the way to it. */
  readonly behind?: "loss" | "shortPackets";
};

/** Where a case lives for one sender: addresses and names that no other case shares. */
export interface Place {
  readonly domain: string;
  readonly hosts: readonly { readonly name: string; readonly address: string }[];
  readonly names: NameServer;
  /** The first server's certificate. */
  readonly keys: Made;
  /** A server of policies for this domain (MTA-STS). */
  readonly policyHost: { readonly name: string; readonly address: string };
  /** An address within a range that swallows all packets; `n` below 250. */
  silent(n: number): string;
  isSilent(address: string): boolean;
  /** The same in IPv6. */
  silentV6(n: number): string;
}

/** Deadlines in milliseconds, proportions of RFC 5321's: what every sender of the run is set to. */
export const deadlines = {
  connect: 2_000,
  greeting: 16_000,
  ehlo: 6_000,
  starttls: 4_000,
  tls: 3_000,
  auth: 4_000,
  mail: 6_000,
  rcpt: 10_000,
  data: 4_000,
  block: 4_000,
  dot: 20_000,
} as const;

export interface Letter {
  /** Local parts, or whole addresses, in which `{domain}` is the case's; one message to all of them. */
  readonly to?: readonly string[];
  readonly from?: string;
  /** Messages one after the other: each waits for the first outcome of the one before. */
  readonly messages?: number;
  /** Between two of them. */
  readonly pauseMs?: number;
  readonly text?: string;
  /** A whole message; `{to}` and `{from}` are replaced. */
  readonly raw?: string;
  /** Postrider's own fields. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** What Postrider must tell of the first outcome of each recipient. */
export interface Telling {
  readonly class?: string | RegExp;
  readonly code?: number | null;
  readonly enhanced?: string | null;
  readonly phase?: string | RegExp;
  readonly doubt?: boolean;
  readonly host?: string | RegExp;
  readonly text?: RegExp;
}

export interface Expect {
  /** The first outcome, of all recipients or by local part. */
  readonly first: Outcome | readonly Outcome[] | Readonly<Record<string, Outcome>>;
  /** What Postrider comes to, where others may come to something else. */
  readonly ours?: Outcome;
  /** What it comes to after retries, when they are waited for. */
  readonly then?: Outcome;
  readonly told?: Telling;
  /** The same by local part, where recipients differ. */
  readonly toldOf?: Readonly<Record<string, Telling>>;
  /** Copies for each recipient at all servers together; else 1 for the delivered, 0 for all others. */
  readonly copies?: number;
  /** How long after the last outcome. */
  readonly judgedAfterMs?: number;
  /** No server may hear such a line. */
  readonly never?: RegExp;
  /** What else is wrong; undefined: nothing. */
  check?(seen: Seen): string | undefined;
}

/**
 * - `policies`: `[domains]` for those cases that set one.
 * - `clock`: one sender thread, which sees all certificates.
 * - `relay`: all its mail goes to the first server of the case, with a login; `openRelay`: without one.
 * - `names`: the first of its two resolvers is dead, and its cache is small.
 */
export type DaemonName = "main" | "policies" | "clock" | "relay" | "openRelay" | "names";

/** One recipient of one message. */
export interface Told {
  readonly to: string;
  readonly outcomes: readonly Outcome[];
  /** Postrider's events, oldest first; empty for other senders. */
  readonly events: readonly TimelineEvent[];
}

export interface TimelineEvent {
  readonly type: string;
  readonly at: number;
  readonly postrider: Readonly<Record<string, unknown>>;
}

export interface Seen {
  readonly place: Place;
  readonly servers: readonly MailServer[];
  readonly told: readonly Told[];
  /** By how much the daemon's memory grew meanwhile; 0 for others. */
  readonly grownBytes: number;
  /** What the daemon logged; empty for others. */
  readonly log: string;
  /** Destinations in the silent ranges that packets went to. */
  readonly sought: readonly string[];
}

export interface FaultCase {
  /** As in the catalogue: `R1`. */
  readonly row: string;
  /** What goes wrong, in words. */
  readonly what: string;
  readonly servers?: readonly ServerPlan[];
  /** What the domain's server of policies does (RFC 8461). */
  readonly policies?: PolicyPlan;
  /** Replaces the usual records: an MX for each server, in their order. */
  names?(place: Place): void;
  readonly letter?: Letter;
  readonly expect: Expect;
  /** Who cannot show it, and why: `mx` for senders that ask for no MX, `queue` for those that keep none. */
  readonly needs?: readonly ("mx" | "queue" | "packets" | "root")[];
  /** It takes more than a minute: left out of a quick run. */
  readonly slow?: boolean;
  /** The reason for which only Postrider is asked. */
  readonly oursAlone?: string;
  /** Postrider's daemon that has these settings; without it the one that most cases share. */
  readonly daemon?: DaemonName;
  /** Tables in that daemon's file. */
  settings?(place: Place): string;
}

/** Plain text of about so many octets, in lines. */
export const filler = (octets: number): string =>
  `${"0123456789abcdef".repeat(4)}\n`.repeat(Math.ceil(octets / 65));

/** Says `act` whenever it meets the verb. */
export const at =
  (verb: string, act: Act): Script =>
  (turn) =>
    turn.verb === verb ? act : undefined;

/** Says `act` when it meets the verb for the first time, and what a good server would say from then on. */
export const once =
  (verb: string, act: Act): Script =>
  (turn) =>
    turn.verb === verb && turn.before === 0 ? act : undefined;
