// The one place that decides what an outcome means: from what happened, the phase and the reply to a judgement (Postfix keeps the
// same table in smtp_trouble.c). Anything that is not known for sure is deferred; only a server's own "no" bounces.
import { unreachable } from "../base/unreachable.ts";
import type { Scope, TroubleClass, VerdictKind } from "../mail/verdict.ts";
import type { Phase } from "../smtp/phases.ts";
import { classOf, wordsOf, type Reply } from "../smtp/reply.ts";
import type { LossReason, OpeningTrouble } from "../smtp/session.ts";
import type { Fate } from "../smtp/transaction.ts";
import type { ConnectFailure } from "./connection.ts";

export interface Judgement {
  readonly kind: VerdictKind;
  readonly scope: Scope;
  readonly class: TroubleClass;
  readonly doubt: boolean;
  readonly retryAfterMs?: number;
  /** Where it was decided: a phase of SMTP, `connect`, `route` or `body`. */
  readonly phase: string;
  /** 0: no reply. */
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
}

/** What ended one try of one address before it was ready for mail. */
export type Setback = OpeningTrouble | ConnectFailure;

/** Of a reply's words only so much becomes part of the timeline. */
const TEXT_MAX = 1024;

export function judgeFate(fate: Fate): Judgement {
  switch (fate.fate) {
    case "taken":
      return replied("delivered", "recipient", "none", "dot", fate.reply);
    case "refused":
      return judgeRefusal(fate.phase, fate.reply);
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
      return { ...local("deferred", "message", "local"), phase: "body", text: fate.text };
    default:
      return unreachable(fate);
  }
}

/** All addresses of an attempt have failed; `setbacks` in the order in which they were tried. */
export function judgeOpening(setbacks: readonly Setback[]): Judgement {
  const last = setbacks.at(-1);
  if (last === undefined)
    return {
      ...local("deferred", "site", "dns"),
      phase: "route",
      text: "no host of the route has an address",
    };
  // RFC 7504: a host that takes no mail at all. One such MX of several may be a mistake, so all must say it.
  if (setbacks.every(saysNoMailAtAll)) return { ...judgeSetback(last), kind: "failed" };
  return judgeSetback(last);
}

function saysNoMailAtAll(setback: Setback): boolean {
  if (!("end" in setback) || setback.end !== "refused" || setback.phase !== "greeting")
    return false;
  return setback.reply.code === 521 || setback.reply.code === 556;
}

function judgeSetback(setback: Setback): Judgement {
  if ("kind" in setback) {
    const trouble = setback.why === "tls" ? "tls" : "network";
    const kind = setback.why === "stopped" ? "interrupted" : "deferred";
    return { ...local(kind, "host", trouble), phase: "connect", text: setback.text };
  }
  switch (setback.end) {
    case "refused":
      return judgeRefusal(setback.phase, setback.reply);
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

function judgeRefusal(phase: Phase, reply: Reply): Judgement {
  const scope = scopeOf(phase, reply);
  const kind = classOf(reply);
  if (kind < 4) return replied("deferred", "host", "protocol", phase, reply);
  const trouble = classify(phase, reply, scope);
  // Only the envelope and the message can be refused for good. A host's own trouble, however it is numbered, is not the message's.
  if (kind === 5 && (scope === "recipient" || scope === "message"))
    return replied("failed", scope, trouble, phase, reply);
  const judged = replied("deferred", scope, trouble, phase, reply);
  const retryAfterMs = hintOf(reply);
  return retryAfterMs === undefined ? judged : { ...judged, retryAfterMs };
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
      // 530: the server wants TLS or a login first (RFC 3207, RFC 4954); 535 and 538 are about our login too.
      return reply.code === 530 || reply.code === 535 || reply.code === 538 ? "site" : "message";
    case "auth":
    case "challenge":
      return "site";
    default:
      return "host";
  }
}

function classify(phase: Phase, reply: Reply, scope: Scope): TroubleClass {
  if (scope === "site") return "relay";
  const words = wordsOf(reply);
  const kind = classOf(reply);
  if (kind === 4 && greylistWords.test(words)) return "greylist";
  const [, subject, detail] = reply.enhanced.split(".");
  if (subject === "7") return classifyPolicy(Number(detail), kind);
  if (subject === "1") return "mailbox";
  if (subject === "2") return detail === "2" ? "full" : detail === "3" ? "size" : "mailbox";
  if (subject === "3") return detail === "4" ? "size" : "other";
  if (subject === "4") return "network";
  if (reply.code === 552) return phase === "rcpt" ? "full" : "size";
  if (kind === 4 && rateWords.test(words)) return "rate";
  if (phase === "rcpt" && (reply.code === 550 || reply.code === 551)) return "mailbox";
  if (phase === "starttls") return "tls";
  return "other";
}

/**
 * X.7.20 to X.7.29 are about SPF, DKIM, DMARC and reverse DNS (RFC 7372, and what large providers made of it); Gmail's 4.7.28 is an
 * unusual rate of mail.
 */
function classifyPolicy(detail: number, kind: number): TroubleClass {
  if (kind === 4 && detail === 28) return "rate";
  return detail >= 20 && detail <= 29 ? "authentication" : "policy";
}

const greylistWords = /gr[ae]y-?\s?list/i;
const rateWords = /\brate\b|too many|too fast|throttl/i;

/** What a hint may ask for: below it is impatience, above it the ordinary schedule is wiser. */
const HINT_MIN_MS = 10_000;
const HINT_MAX_MS = 3_600_000;
const hint =
  /(?:again|retry|wait|for|in|after)\D{0,20}?\b(\d{1,5})\s*(s|sec|m|min|minute|second)s?\b/i;

/** A server's "try again in 5 minutes". */
function hintOf(reply: Reply): number | undefined {
  const found = hint.exec(wordsOf(reply).slice(0, TEXT_MAX));
  if (found === null) return undefined;
  const unitMs = (found[2] ?? "").toLowerCase().startsWith("m") ? 60_000 : 1_000;
  return Math.min(HINT_MAX_MS, Math.max(HINT_MIN_MS, Number(found[1]) * unitMs));
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
  return { ...judgeFate(fate), kind: "deferred", scope: "recipient", class: "rate" };
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
  const text = wordsOf(reply).slice(0, TEXT_MAX);
  return { kind, scope, class: trouble, doubt: false, phase, code, enhanced, text };
}
