// What an attempt concluded for one recipient. Made in deliver/trouble.ts only; acted on in queue/ only.
import type { MessageId } from "./id.ts";

/** Whom a failure concerns: decides who is retried and whether a site slows down (Postfix's smtp_trouble). */
export type Scope = "recipient" | "message" | "host" | "site";

/** What kind of trouble it was, as events, metrics and the choice of the next attempt name it. `local`: our own. */
export const troubleClasses = [
  "none",
  "mailbox",
  "full",
  "policy",
  "spam",
  "authentication",
  "greylist",
  "rate",
  "network",
  "tls",
  "dns",
  "protocol",
  "relay",
  "size",
  "other",
  "local",
] as const;
export type TroubleClass = (typeof troubleClasses)[number];

/**
 * - `delivered`: the next server took it.
 * - `deferred`: try again later.
 * - `failed`: the remote server said no for good.
 * - `interrupted`: we stopped, or gave the job back before anything was tried: no attempt is counted (DESIGN 5).
 */
export type VerdictKind = "delivered" | "deferred" | "failed" | "interrupted";

/** The alert of an address to send from that this host does not have. */
export const SOURCE_UNBOUND = "source.unbound";

/** The remote side wants less of us altogether. */
export interface SitePause {
  /** For how long, where the server said it; else pacing knows its own steps. */
  readonly forMs?: number;
  /** The rule of the table that asked for it, such as `google.rate`. */
  readonly rule: string;
}

export interface Unreached {
  /** The part of the network in which one of them lies: who shares it may share its fate. */
  readonly network: string;
  /** Port 25 was what nobody answered on. */
  readonly port25: boolean;
}

export interface Verdict {
  readonly message: MessageId;
  readonly n: number;
  readonly claim: number;
  readonly kind: VerdictKind;
  readonly scope: Scope;
  readonly class: TroubleClass;
  /** The connection ended between the final dot and its reply: the server may have taken the message. */
  readonly doubt: boolean;
  /** A server's "try again in N", already bounded. */
  readonly retryAfterMs?: number;
  /** The site is to rest, whatever the scope: one recipient's refusal may speak for all. */
  readonly pause?: SitePause;
  /** The address itself is no good, so that it may be suppressed. Never set for what is ours or the server's to mend. */
  readonly suppress?: true;
  /** Somebody on our side must mend something: the rule that says so. */
  readonly alert?: string;
  /** No address of the route could be connected to. */
  readonly unreached?: Unreached;
  /** The stored message cannot be sent by waiting: it is held for an operator. */
  readonly hold?: true;
  /** The attempt, packed (mail/timeline.ts); stored as it is. */
  readonly step: string;
  /** What was said in it, packed (mail/dialogue.ts). Of several recipients of one transaction the first one has it. */
  readonly dialogue?: string;
}
