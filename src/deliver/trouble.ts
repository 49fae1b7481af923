// The one place that decides what an outcome means: from what happened, the phase and the reply to a judgement (Postfix keeps the
// same table in smtp_trouble.c). Anything that is not known for sure is deferred; only a server's own "no" bounces.
import { unreachable } from "../base/unreachable.ts";
import {
  SOURCE_UNBOUND,
  type Scope,
  type TroubleClass,
  type Verdict,
  type VerdictKind,
} from "../mail/verdict.ts";
import type { Phase } from "../smtp/phases.ts";
import { classOf, wordsOf, type Reply } from "../smtp/reply.ts";
import type { LossReason, OpeningTrouble } from "../smtp/dialogue.ts";
import type { Fate } from "../smtp/transaction.ts";
import type { ConnectFailure } from "./connection.ts";
import { hintOf } from "./hint.ts";
import type { Act, Refusal, Rule } from "./rules/rule.ts";
import { ruleFor } from "./rules/table.ts";
import { RELAYING } from "./rules/words.ts";

export interface Judgement extends Pick<
  Verdict,
  "kind" | "scope" | "class" | "doubt" | "retryAfterMs" | "pause" | "suppress" | "hold" | "alert"
> {
  /** Where it was decided: a phase of SMTP, `connect`, `route` or `body`. */
  readonly phase: string;
  /** 0: no reply. */
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
  /** No address could be connected to. */
  readonly unreached?: true;
}

/** Who refused, as far as it is known. */
export interface Speaker {
  /** The name of the MX, in lower case. */
  readonly host: string;
  /** The transaction has one recipient, so that what is said of the message is said of it. */
  readonly alone: boolean;
  /** The operator's own smarthost. */
  readonly isRelay?: boolean;
}

const ANYBODY: Speaker = { host: "", alone: false };

/** What ended one try of one address before it was ready for mail. */
export type Setback = OpeningTrouble | ConnectFailure;

/** Of a reply's words only so much becomes part of the timeline. */
const TEXT_MAX = 1024;

export function judgeFate(fate: Fate, speaker: Speaker = ANYBODY): Judgement {
  switch (fate.fate) {
    case "taken":
      return replied("delivered", "recipient", "none", "dot", fate.reply);
    case "refused":
      return judgeRefusal(fate.phase, fate.reply, speaker);
    case "lost":
      return judgeLoss(fate);
    case "unfit":
      return {
        ...local("failed", "message", fate.enhanced === "5.3.4" ? "size" : "protocol"),
        phase: "mail",
        enhanced: fate.enhanced,
        text: fate.text,
      };
    case "spoiled":
      return judgeSpoiled(fate.text);
    default:
      return unreachable(fate);
  }
}

/** A file that is not there, or holds other bytes, does so tomorrow too; one that could not be opened just now may be there then. */
function judgeSpoiled(text: string): Judgement {
  const judged = { ...local("deferred", "message", "local"), phase: "body", text };
  return passing.some((code) => text.includes(code)) ? judged : { ...judged, hold: true };
}

/** Errors of the system that have nothing to do with the file. */
const passing = ["EMFILE", "ENFILE", "EAGAIN", "ENOMEM", "EBUSY", "EIO"];

/** All addresses of an attempt have failed; `setbacks` in the order in which they were tried, `hosts` the names that belong to them. */
export function judgeOpening(
  setbacks: readonly Setback[],
  hosts: readonly string[] = [],
): Judgement {
  const decisive = decisiveOf(setbacks);
  const setback = setbacks[decisive];
  if (setback === undefined)
    return {
      ...local("deferred", "site", "dns"),
      phase: "route",
      text: "no host of the route has an address",
    };
  const judged = judgeSetback(setback, { host: hosts[decisive] ?? "", alone: false });
  // RFC 7504: a host that takes no mail at all. One such MX of several may be a mistake, so all must say it.
  if (setbacks.every(saysNoMailAtAll)) return { ...judged, kind: "failed" };
  return setbacks.every(isUnreached) ? { ...judged, unreached: true } : judged;
}

/** The place of the last one, unless an earlier one has a server's own words. */
export function decisiveOf(setbacks: readonly Setback[]): number {
  const last = setbacks.length - 1;
  const ending = setbacks[last];
  if (ending !== undefined && "why" in ending && ending.why === "stopped") return last;
  const spoken = setbacks.findLastIndex((one) => "end" in one && one.end === "refused");
  return spoken < 0 ? last : spoken;
}

function isUnreached(setback: Setback): boolean {
  return "kind" in setback && (setback.why === "network" || setback.why === "timeout");
}

function saysNoMailAtAll(setback: Setback): boolean {
  if (!("end" in setback) || setback.end !== "refused" || setback.phase !== "greeting")
    return false;
  return setback.reply.code === 521 || setback.reply.code === 556;
}

function judgeSetback(setback: Setback, speaker: Speaker): Judgement {
  if ("kind" in setback) {
    // Without an address to send from nothing was tried: the job goes back, and another address takes it.
    const isUntried = setback.why === "stopped" || setback.why === "source";
    const kind = isUntried ? "interrupted" : "deferred";
    const trouble = connectTroubles[setback.why];
    const judged = { ...local(kind, "host", trouble), phase: "connect", text: setback.text };
    return setback.why === "source" ? { ...judged, alert: SOURCE_UNBOUND } : judged;
  }
  switch (setback.end) {
    case "refused":
      return judgeRefusal(setback.phase, setback.reply, speaker);
    case "lost":
      return judgeLoss({ ...setback, doubt: false });
    case "unfit": {
      const trouble = setback.lacks === "tls" ? "tls" : "relay";
      const phase = setback.lacks === "tls" ? "starttls" : "auth";
      return { ...local("deferred", "host", trouble), phase, text: setback.text };
    }
    default:
      return unreachable(setback);
  }
}

const connectTroubles: Readonly<Record<ConnectFailure["why"], TroubleClass>> = {
  network: "network",
  timeout: "network",
  stopped: "network",
  tls: "tls",
  local: "local",
  source: "local",
};

function judgeRefusal(phase: Phase, reply: Reply, speaker: Speaker): Judgement {
  const kind = classOf(reply);
  if (kind < 4) return replied("deferred", "host", "protocol", phase, reply);
  const words = wordsOf(reply).slice(0, TEXT_MAX).toLowerCase();
  const refusal: Refusal = { phase, code: reply.code, status: reply.enhanced.slice(2), words };
  const rule = ruleOf(refusal, speaker);
  const scope = rule?.scope ?? scopeOf(phase, reply);
  const trouble = rule?.class ?? unruled(refusal);
  const acts = actsOf(rule, refusal);
  // Only the envelope and the message can be refused for good. A host's own trouble, however it is numbered, is not the message's.
  const failed =
    kind === 5 && (scope === "recipient" || scope === "message") && !acts.includes("defer");
  const judged = replied(failed ? "failed" : "deferred", scope, trouble, phase, reply);
  return { ...judged, ...wishesOf(rule, acts, failed, refusal, speaker) };
}

function ruleOf(refusal: Refusal, { host, isRelay = false }: Speaker): Rule | undefined {
  if (isLogin(refusal.phase)) return loginRefused;
  const rule = ruleFor(refusal, host);
  return isRelay && rule?.name === RELAYING ? notRelayed : rule;
}

const isLogin = (phase: Phase): boolean => logins.has(phase);
const logins: ReadonlySet<string> = new Set(["auth", "challenge"]);

/**
 * Who takes no mail in clear, and may take it once it comes encrypted; null: nobody said so. Only what is said before a recipient was
 * named is the host's own word: of those for whom it takes mail each may have a rule.
 */
export function wantsTls(fate: Fate, host: string): "host" | "recipient" | null {
  if (fate.fate !== "refused") return null;
  if (judgeFate(fate, { host, alone: false }).class !== "tls") return null;
  return fate.phase === "mail" ? "host" : "recipient";
}

/** Whatever is said while we log in concerns the relay (RFC 4954 6), and an operator must look at it. */
const loginRefused: Rule = {
  name: "relay.login",
  class: "relay",
  scope: "site",
  acts: ["defer", "alert", "pause"],
};

/** The relay does not know us, or not yet: an operator must look at it. It may take mail for others, so that it is not paused. */
const notRelayed: Rule = { name: "relay.denied", class: "relay", acts: ["defer", "alert"] };

/** A refusal by policy of which nothing is known may well be ours to mend. */
function actsOf(rule: Rule | undefined, { code, status }: Refusal): readonly Act[] {
  if (rule !== undefined) return rule.acts ?? [];
  return code >= 500 && status.startsWith("7.") ? ["alert"] : [];
}

/** What the refusal asks for besides another try or none. */
function wishesOf(
  rule: Rule | undefined,
  acts: readonly Act[],
  failed: boolean,
  { phase, words }: Refusal,
  { alone }: Speaker,
): Partial<Judgement> {
  const name = rule?.name ?? "policy";
  const hintMs = failed ? undefined : hintOf(words);
  // At the dot it is said of the message: which of several recipients it means is not known.
  const suppress = failed && acts.includes("suppress") && (phase === "rcpt" || alone);
  return {
    ...(hintMs === undefined ? {} : { retryAfterMs: hintMs }),
    ...(acts.includes("pause")
      ? { pause: hintMs === undefined ? { rule: name } : { rule: name, forMs: hintMs } }
      : {}),
    ...(acts.includes("alert") ? { alert: name } : {}),
    ...(suppress ? { suppress } : {}),
  };
}

function scopeOf(phase: Phase, reply: Reply): Scope {
  // RFC 5321 3.8: the server is closing, whatever it was asked.
  if (reply.code === 421) return "host";
  switch (phase) {
    case "rcpt":
      return "recipient";
    case "mail":
    case "data":
    case "body":
    case "dot":
      return "message";
    default:
      return "host";
  }
}

/** The class of a refusal that no rule knows. */
function unruled({ phase, status }: Refusal): TroubleClass {
  if (phase === "starttls") return "tls";
  return status.startsWith("7.") ? "policy" : "other";
}

interface Loss {
  readonly phase: Phase;
  readonly why: LossReason;
  readonly text: string;
  readonly doubt: boolean;
}

function judgeLoss({ phase, why, text, doubt }: Loss): Judgement {
  const trouble = why === "tls" ? "tls" : why === "protocol" ? "protocol" : "network";
  const kind = why === "stopped" ? "interrupted" : "deferred";
  return { ...local(kind, "host", trouble), phase, text: text.slice(0, TEXT_MAX), doubt };
}

/** The daemon stops, or gives the job back for another reason, before anything was tried. */
export function interrupted(text: string): Judgement {
  return { ...local("interrupted", "message", "none"), phase: "route", text };
}

/** The bytes that were read back are not those that were accepted (DESIGN 11). */
export function spoiled(text: string): Judgement {
  return judgeFate({ fate: "spoiled", text });
}

/**
 * RFC 5321 4.5.3.1.10: a server that has taken enough recipients says 452, older ones 552, to the next; these are to be sent in a
 * transaction of their own.
 */
export function isTooManyRecipients(fate: Fate, acceptedBefore: number): boolean {
  if (fate.fate !== "refused" || fate.phase !== "rcpt" || acceptedBefore === 0) return false;
  if (fate.reply.code === 552) return fate.reply.enhanced !== "5.2.2";
  return fate.reply.code === 452 && fate.reply.enhanced !== "4.2.2";
}

/** As `judgeFate` for a recipient that one too many others stood before. */
export function judgeTooMany(fate: Fate): Judgement {
  const { suppress: _, pause: __, ...judged } = judgeFate(fate);
  return { ...judged, kind: "deferred", scope: "recipient", class: "rate" };
}

/** What the queue is to know of a judgement, besides its timeline's step. `address` and `port` are what was tried. */
export function wordsToQueue(judged: Judgement, address: string, port = 0): Partial<Verdict> {
  const { retryAfterMs, pause, suppress, hold, alert } = judged;
  return {
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(pause === undefined ? {} : { pause }),
    ...(suppress === undefined ? {} : { suppress }),
    ...(hold === undefined ? {} : { hold }),
    ...(alert === undefined ? {} : { alert }),
    ...(judged.unreached === undefined
      ? {}
      : { unreached: { network: networkOf(address), port25: port === 25 } }),
  };
}

/** Who shares it is likely to share an uplink: two octets of IPv4, two groups of IPv6. */
function networkOf(address: string): string {
  const separator = address.includes(":") ? ":" : ".";
  return address.split(separator, 2).join(separator);
}

function local(kind: VerdictKind, scope: Scope, trouble: TroubleClass): Judgement {
  return {
    kind,
    scope,
    class: trouble,
    doubt: false,
    phase: "",
    code: 0,
    enhanced: "",
    text: "",
  };
}

function replied(
  kind: VerdictKind,
  scope: Scope,
  trouble: TroubleClass,
  phase: string,
  reply: Reply,
): Judgement {
  const { code, enhanced } = reply;
  const text = wordsOf(reply).slice(0, TEXT_MAX).toWellFormed();
  return { kind, scope, class: trouble, doubt: false, phase, code, enhanced, text };
}
