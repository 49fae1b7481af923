// One attempt of one job on a connection that is ready: transactions until every recipient has a verdict, or the news that the
// connection was of no use and the job must be tried on another.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Job, JobRecipient } from "../mail/job.ts";
import { packStep } from "../mail/timeline.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Route } from "../route/route.ts";
import type { Dialogue } from "../smtp/session.ts";
import { transaction, type Fate, type TransactionEnd } from "../smtp/transaction.ts";
import { matches, type Body } from "./body.ts";
import type { SiteMeter } from "./metering.ts";
import type { Link } from "./open.ts";
import { signBody, type SignedBody, type SigningDeps } from "./signing.ts";
import * as trouble from "./trouble.ts";
import type { Patience } from "./waiting.ts";

/** A job on its way through this sender. */
export interface Work {
  readonly job: Job;
  readonly route: Route;
  readonly body: Body;
  readonly patience: Patience;
  /** Recipients without a verdict. */
  left: readonly JobRecipient[];
  /** Bytes that came from the disk have been found to be the right ones. */
  checked: boolean;
  /** Fresh connections that broke under it before a recipient was answered. */
  breaks: number;
  /** Kept connections that turned out to be dead. */
  stale: number;
  /** Its body with signatures, once it was wanted. */
  signed?: SignedBody;
}

export interface AttemptDeps extends SigningDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly recipientsMax: number;
  /** Addresses that one attempt may try. */
  readonly addressesMax: number;
  verdict(verdict: Verdict): void;
}

/**
 * - `done`: every recipient has its verdict.
 * - `stale`: a kept connection was dead; nothing was tried.
 * - `broken`: a fresh connection broke early; the next address may do better.
 * - `cut`: some recipients have verdicts, the others need another connection.
 */
export interface AttemptEnd {
  readonly end: "done" | "stale" | "broken" | "cut";
  /** The link can take another job. */
  readonly clean: boolean;
}

/** Dead kept connections that one job may meet; then it waits for its next attempt. */
const STALE_MAX = 3;

/** A transaction that is ready to be run on a link. */
export interface Trial {
  readonly work: Work;
  readonly recipients: readonly JobRecipient[];
  /** What is sent. */
  readonly signed: SignedBody;
  readonly dialogue: Dialogue<TransactionEnd>;
}

/** Null when the body is damaged. */
export function prepare(deps: AttemptDeps, link: Link, work: Work): Trial | null {
  if (!isWhole(deps, work)) return null;
  const { job, left } = work;
  const recipients = left.length > deps.recipientsMax ? left.slice(0, deps.recipientsMax) : left;
  const signed = signBody(deps, work, work.body);
  const envelope = {
    from: job.from,
    to: recipients.map((recipient) => recipient.address),
    sizeBytes: job.sizeBytes + signed.addedBytes,
    eightBit: job.eightBit,
    utf8: job.utf8,
  };
  return { work, recipients, signed, dialogue: transaction(envelope, link.offer) };
}

export interface AttemptOptions {
  readonly meter: SiteMeter;
  /** The trial that will follow on this link, if it is known already; asked when the body is about to leave. */
  readonly ahead: () => Trial | null;
  readonly done: (end: AttemptEnd) => void;
}

/** `begun`: the trial that was promised as `ahead` before. */
export function attempt(
  deps: AttemptDeps,
  link: Link,
  { work, begun }: { readonly work: Work; readonly begun: Trial | null },
  options: AttemptOptions,
): void {
  const { meter, done } = options;
  const trial = begun ?? prepare(deps, link, work);
  if (trial === null) {
    giveVerdicts(deps, work, place(link), trouble.spoiled("the stored message is damaged"));
    return done({ end: "done", clean: true });
  }
  const at = deps.clock.now();
  const startedAt = deps.clock.monotonicMs();
  const reused = link.served++ > 0;
  meter.transaction(link.talk.tls() !== null, reused);
  const concluded = (result: TransactionEnd): void => {
    const early = endedEarly(result, reused);
    if (early === "stale" && work.stale < STALE_MAX) {
      work.stale++;
      return done({ end: "stale", clean: false });
    }
    if (early !== undefined && mayMove(work, deps.addressesMax)) {
      work.breaks++;
      return done({ end: "broken", clean: false });
    }
    const durationMs = deps.clock.monotonicMs() - startedAt;
    const where = { ...place(link), at, durationMs, signed: trial.signed.by };
    const again = settle(deps, work, trial.recipients, result, where);
    work.left = [...again, ...work.left.slice(trial.recipients.length)];
    if (work.left.length === 0) return done({ end: "done", clean: result.clean });
    if (!result.clean) return done({ end: "cut", clean: false });
    attempt(deps, link, { work, begun: null }, options);
  };
  // Only behind a job that will certainly not need a further transaction of its own.
  const ahead =
    work.left.length === 1
      ? (): Dialogue<unknown> | null => options.ahead()?.dialogue ?? null
      : undefined;
  link.talk.run(trial.dialogue, trial.signed.body, concluded, ahead);
}

function isWhole({ log }: AttemptDeps, work: Work): boolean {
  const { job, body } = work;
  if (work.checked || job.sha256 === undefined || body.kind !== "bytes") return true;
  work.checked = matches(body.bytes, job.sha256);
  if (!work.checked)
    log("error", "deliver.body_damaged", { message: job.message, size: body.bytes.length });
  return work.checked;
}

/** The connection failed before any recipient was answered, so that another one may be tried within this attempt. */
function endedEarly({ fates }: TransactionEnd, reused: boolean): "stale" | "broken" | undefined {
  const [first] = fates;
  if (first === undefined || !fates.every((fate) => fate === first)) return undefined;
  if (first.fate === "lost") {
    if (first.phase !== "mail" && first.phase !== "rcpt") return undefined;
    if (reused && first.why === "closed") return "stale";
    return first.why === "closed" || first.why === "timeout" ? "broken" : undefined;
  }
  // A server that has had enough of this connection, and says so (RFC 5321 3.8).
  const tired = first.fate === "refused" && first.phase === "mail" && first.reply.code === 421;
  return tired && reused ? "stale" : undefined;
}

function mayMove({ route, breaks }: Work, addressesMax: number): boolean {
  const addresses = route.hosts.reduce((sum, host) => sum + host.addresses.length, 0);
  return breaks + 1 < Math.min(addresses, addressesMax);
}

/** Verdicts for what is decided; the recipients that need a further transaction. */
function settle(
  deps: AttemptDeps,
  work: Work,
  recipients: readonly JobRecipient[],
  { fates }: TransactionEnd,
  where: Place,
): readonly JobRecipient[] {
  const again: JobRecipient[] = [];
  const someTaken = fates.some((fate) => fate.fate === "taken");
  const speaker = { host: where.host, alone: recipients.length === 1 };
  let acceptedBefore = 0;
  for (let i = 0; i < recipients.length; i++) {
    const recipient = recipients[i] as JobRecipient;
    const fate = fates[i] as Fate;
    const tooMany = trouble.isTooManyRecipients(fate, acceptedBefore);
    if (fate.fate !== "refused" || fate.phase !== "rcpt") acceptedBefore++;
    // Only after progress, so that this ends.
    if (tooMany && someTaken) {
      again.push(recipient);
      continue;
    }
    const judged = tooMany ? trouble.judgeTooMany(fate) : trouble.judgeFate(fate, speaker);
    deps.verdict(verdictOf(work, recipient, judged, where));
    if (fate.fate === "spoiled")
      deps.log("error", "deliver.body_damaged", { message: work.job.message, text: fate.text });
  }
  return again;
}

/** Where and when something was tried, for the timeline. */
export interface Place {
  readonly at: number;
  readonly durationMs: number;
  readonly host: string;
  readonly address: string;
  readonly source: string;
  readonly session: string;
  readonly tls: ReturnType<Link["talk"]["tls"]>;
  /** Whose DKIM signatures were on it. */
  readonly signed?: string;
}

function place(link: Link): Place {
  const { target, source, session, talk } = link;
  const { host, address } = target;
  return { at: 0, durationMs: 0, host, address, source, session, tls: talk.tls() };
}

/** The same for all recipients that are left. */
export function giveVerdicts(
  deps: Pick<AttemptDeps, "clock" | "verdict">,
  work: Work,
  where: Place,
  judged: trouble.Judgement,
): void {
  const { left } = work;
  const at = where.at === 0 ? deps.clock.now() : where.at;
  work.left = [];
  for (const recipient of left) deps.verdict(verdictOf(work, recipient, judged, { ...where, at }));
}

function verdictOf(
  { job, route }: Work,
  recipient: JobRecipient,
  judged: trouble.Judgement,
  where: Place,
): Verdict {
  const { kind, scope, doubt, phase, code, enhanced, text } = judged;
  const step = packStep({
    kind: "attempt",
    at: where.at,
    durationMs: Math.round(where.durationMs),
    outcome: kind,
    class: judged.class,
    doubt,
    via: route.via,
    site: route.site,
    host: where.host,
    address: where.address,
    source: where.source,
    session: where.session,
    phase,
    code,
    enhanced,
    text,
    tls: where.tls,
    signed: where.signed ?? "",
  });
  const { message } = job;
  const { n, claim } = recipient;
  const base = { message, n, claim, kind, scope, class: judged.class, doubt, step };
  return kind === "delivered" ? base : { ...base, ...trouble.wordsToQueue(judged, where.address) };
}
