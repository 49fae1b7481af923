// One attempt of one job on a connection that is ready: transactions until every recipient has a verdict, or the news that the
// connection was of no use and the job must be tried on another.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Job, JobRecipient } from "../mail/job.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Route } from "../route/route.ts";
import type { Dialogue } from "../smtp/dialogue.ts";
import type { Offer } from "../smtp/extensions.ts";
import { classOf } from "../smtp/reply.ts";
import { transaction, type Fate, type TransactionEnd } from "../smtp/transaction.ts";
import { matches, type Body } from "./body.ts";
import type { Learned } from "./learned.ts";
import type { SiteMeter } from "./metering.ts";
import type { Link } from "./open.ts";
import { portionOf, type Load } from "./portion.ts";
import { RECALLED } from "./recall.ts";
import { type DeliverSettings, roundPauseMs } from "./settings.ts";
import { signBody, type SignedBody, type SigningDeps } from "./signing.ts";
import type { Recorder } from "./recorder.ts";
import type { Recording } from "./record.ts";
import * as trouble from "./trouble.ts";
import { giveVerdicts, type Place, verdictOf } from "./verdicts.ts";
import type { Patience } from "./waiting.ts";

/** A job on its way through this sender. */
export interface Work extends Load {
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
  /** How often all its addresses were gone through, and a pause made. */
  rounds?: number;
  /** Kept connections that turned out to be dead. */
  stale: number;
  /** Its body with signatures, once it was wanted. */
  signed?: SignedBody;
  /** Hosts that do not offer the SMTPUTF8 that it needs. */
  lacking?: Set<string>;
  /** Connections that it left for that reason. */
  moves?: number;
  /** Recipients of the transaction that runs. */
  trying?: readonly JobRecipient[];
  /** It was taken back: nothing of it is begun any more. */
  recalled?: boolean;
  /** Its site wants no mail for now: no further transaction of it is begun. */
  unwanted?: boolean;
  /** What was said in this attempt on connections that it has left. */
  said?: readonly Recording[] | undefined;
}

export interface AttemptDeps extends SigningDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly recipientsMax: number;
  /** Addresses that one attempt may try. */
  readonly addressesMax: number;
  /** What follows when all of them broke. */
  readonly rounds: DeliverSettings["rounds"];
  readonly roll: () => number;
  readonly learned: Learned;
  readonly recorder: Recorder;
  /** With the work that it is about. */
  verdict(verdict: Verdict, work: Work): void;
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
  /** It cannot only because it has carried as many as the server wants on one connection. */
  readonly spent?: boolean;
  /** The next connection is to wait so long: all addresses have had their turn. */
  readonly pauseMs?: number;
}

/** Dead kept connections that one job may meet; then it waits for its next attempt. */
const STALE_MAX = 3;

/** A transaction that is ready to be run on a link. */
export interface Trial {
  readonly work: Work;
  readonly recipients: readonly JobRecipient[];
  /** Those that this transaction leaves out. */
  readonly rest: readonly JobRecipient[];
  /** What is made use of. */
  readonly offer: Offer;
  /** What is sent. */
  readonly signed: SignedBody;
  readonly dialogue: Dialogue<TransactionEnd>;
}

/** Null when the body is damaged. */
export function prepare(deps: AttemptDeps, link: Link, work: Work): Trial | null {
  if (!isWhole(work)) return null;
  const { from, dsn } = work.job;
  const offer = deps.learned.fit(link.target.host, link.offer);
  const portion = portionOf(work, offer, deps.recipientsMax);
  const { recipients, rest, body, utf8, eightBit, sizeBytes } = portion;
  const signed = signBody(deps, work, body);
  const envelope = {
    from,
    to: recipients.map((recipient) => recipient.address),
    sizeBytes: sizeBytes === undefined ? undefined : announced(sizeBytes, signed, offer),
    eightBit,
    utf8,
    dsn,
  };
  const dialogue = transaction(envelope, offer);
  return { work, recipients, rest, offer, signed, dialogue };
}

/** Where the room for signatures is a guess, it is no reason not to ask the server, whose word on the octets themselves decides. */
function announced(sizeBytes: number, { body, addedBytes }: SignedBody, offer: Offer): number {
  const guessed = body.kind === "stream" && sizeBytes <= offer.sizeMax;
  return guessed ? Math.min(sizeBytes + addedBytes, offer.sizeMax) : sizeBytes + addedBytes;
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
    const text = "the stored message is damaged";
    deps.log("error", "deliver.body_damaged", { message: work.job.message, text });
    giveVerdicts(deps, work, place(link), trouble.spoiled(text));
    return done({ end: "done", clean: true });
  }
  const at = deps.clock.now();
  const startedAt = deps.clock.monotonicMs();
  const recording = deps.recorder.begin(link, work, { at, beganAtMs: startedAt });
  const reused = link.served++ > 0;
  meter.transaction(link.talk.tls() !== null, reused);
  work.trying = trial.recipients;
  // RFC 9422 6.1: the server wants no further transaction on this connection.
  const last = link.served >= trial.offer.limits.mails;
  const leave = (end: "stale" | "broken"): void => {
    hearOut(work, recording);
    return done({ end, clean: false });
  };
  const concluded = (result: TransactionEnd): void => {
    meter.ended(result, reused);
    const early = endedEarly(result, reused, link.target.host);
    if (early === "stale" && work.stale < STALE_MAX) {
      work.stale++;
      return leave("stale");
    }
    const wiser = learn(deps, link, trial, result, reused);
    const again = mayMove(work, deps.addressesMax, wiser);
    if (again && (early !== undefined || wiser)) work.breaks++;
    if (again && early !== undefined) return leave("broken");
    const pauseMs = early === undefined ? undefined : nextRound(deps, work, result);
    if (pauseMs !== undefined) {
      hearOut(work, recording);
      return done({ end: "broken", clean: false, pauseMs });
    }
    const unfit = lacksUtf8(result) ? searchOn(work, link.target.host) : null;
    if (unfit === "move") return leave("broken");
    const durationMs = deps.clock.monotonicMs() - startedAt;
    const where = { ...place(link), at, durationMs, signed: trial.signed.by };
    hearOut(work, recording);
    const outcome = { where, wiser: wiser && again, unsure: unfit === "unsure" };
    const left = settle(deps, trial, result, outcome);
    work.left = trial.rest.length === 0 ? left : [...left, ...trial.rest];
    if (work.recalled === true)
      giveVerdicts(deps, work, place(link), trouble.interrupted(RECALLED));
    const whose = tooOpenFor(link, result);
    if (whose !== null) link.refusesClear(whose);
    const tooOpen = whose === "host";
    const clean = result.clean && !last && !tooOpen;
    const spent = result.clean && last;
    if (work.left.length === 0) return done({ end: "done", clean, spent });
    if (!clean || work.unwanted === true) return done({ end: "cut", clean, spent });
    attempt(deps, link, { work, begun: null }, options);
  };
  // Only behind a job that will certainly not need a further transaction of its own.
  const ahead =
    work.left.length === 1 && !last
      ? (): Dialogue<unknown> | null => options.ahead()?.dialogue ?? null
      : undefined;
  link.talk.run(trial.dialogue, trial.signed.body, concluded, {
    recording,
    ahead,
    about: work.job,
  });
}

function hearOut(work: Work, recording: Recording | null): void {
  if (recording !== null)
    work.said = work.said === undefined ? [recording] : [...work.said, recording];
}

/** True when this host is from now on spoken to in another way, so that the next try differs from this one. */
function learn(
  { learned }: AttemptDeps,
  { target }: Link,
  { offer }: Trial,
  result: TransactionEnd,
  reused: boolean,
): boolean {
  if (result.broke !== null) return learned.note(target.host, result);
  if (!reused && offer.pipelining) learned.worked(target.host);
  return false;
}

/** This connection is in clear though it could be another, and the host wants none that is, or somebody there; null: nobody says so. */
function tooOpenFor(
  { talk, target, offer }: Link,
  { fates }: TransactionEnd,
): ReturnType<typeof trouble.wantsTls> {
  if (talk.tls() !== null || target.tls === "off" || !offer.starttls) return null;
  for (const fate of fates) {
    const whose = trouble.wantsTls(fate, target.host);
    if (whose !== null) return whose;
  }
  return null;
}

function lacksUtf8({ fates: [first] }: TransactionEnd): boolean {
  return first?.fate === "unfit" && first.enhanced === "5.6.7";
}

/** Connections that one job may leave in search of a host that offers SMTPUTF8; the pool may lead it to the same host again. */
const MOVES_MAX = 20;

/**
 * - `move`: another host of the route may offer it (RFC 6531 3.2 lets one ask around).
 * - `none`: all hosts were asked.
 * - `unsure`: they could not all be asked now.
 */
function searchOn(work: Work, host: string): "move" | "none" | "unsure" {
  const lacking = (work.lacking ??= new Set());
  lacking.add(host);
  if (work.route.hosts.every(({ name }) => lacking.has(name))) return "none";
  work.moves = (work.moves ?? 0) + 1;
  return work.moves <= MOVES_MAX ? "move" : "unsure";
}

function isWhole(work: Work): boolean {
  const { job, body } = work;
  if (work.checked || job.sha256 === undefined || body.kind !== "bytes") return true;
  work.checked = matches(body.bytes, job.sha256);
  return work.checked;
}

/** The connection failed before any recipient was answered, so that another one may be tried within this attempt. */
function endedEarly(
  { fates }: TransactionEnd,
  reused: boolean,
  host: string,
): "stale" | "broken" | undefined {
  const [first] = fates;
  if (first === undefined || !fates.every((fate) => fate === first)) return undefined;
  if (first.fate === "lost") {
    if (first.phase !== "mail" && first.phase !== "rcpt") return undefined;
    if (reused && first.why === "closed") return "stale";
    return first.why === "closed" || first.why === "timeout" ? "broken" : undefined;
  }
  // A server that has had enough of this connection, and says so (RFC 5321 3.8).
  const tired = first.fate === "refused" && first.phase === "mail" && first.reply.code === 421;
  // One that wants no more of us at all is not asked again on another.
  if (!tired || !reused || trouble.judgeFate(first, { host, alone: false }).pause !== undefined)
    return undefined;
  return "stale";
}

/** `wiser`: the same address may be tried once more, in another way. */
function mayMove({ route, breaks }: Work, addressesMax: number, wiser: boolean): boolean {
  const addresses = route.hosts.reduce((sum, host) => sum + host.addresses.length, 0);
  return breaks + 1 < Math.min(wiser ? addresses + 1 : addresses, addressesMax);
}

/** All addresses hung up before any recipient was answered: they are gone through once more, after so long; undefined when no more. */
function nextRound(
  { rounds, roll }: AttemptDeps,
  work: Work,
  { fates: [first] }: TransactionEnd,
): number | undefined {
  const { times, ...steps } = rounds[work.job.priority];
  const before = work.rounds ?? 0;
  // What took minutes to fail would take as long again.
  if (first?.fate !== "lost" || first.why !== "closed" || before >= times) return undefined;
  work.rounds = before + 1;
  work.breaks = 0;
  return roundPauseMs({ times, ...steps }, before, roll());
}

interface Outcome {
  readonly where: Place;
  /** A next try will be made in another way. */
  readonly wiser: boolean;
  /** What this server cannot take, another one of the route might. */
  readonly unsure: boolean;
}

/** Verdicts for what is decided; the recipients that need a further transaction. */
function settle(
  deps: AttemptDeps,
  { work, recipients }: Trial,
  { fates }: TransactionEnd,
  { where, wiser, unsure }: Outcome,
): readonly JobRecipient[] {
  const again: JobRecipient[] = [];
  const someTaken = fates.some((fate) => fate.fate === "taken");
  const isRelay = work.route.via === "relay";
  const speaker = { host: where.host, alone: recipients.length === 1, isRelay };
  const isPlain = fates.every((fate) => fate.fate === "taken");
  let acceptedBefore = 0;
  for (let i = 0; i < recipients.length; i++) {
    const recipient = recipients[i] as JobRecipient;
    const fate = fates[i] as Fate;
    const tooMany = trouble.isTooManyRecipients(fate, acceptedBefore);
    if (fate.fate !== "refused" || fate.phase !== "rcpt") acceptedBefore++;
    // Only after progress, so that this ends.
    if ((tooMany && someTaken) || (wiser && isUndecided(fate))) {
      again.push(recipient);
      continue;
    }
    const judged = tooMany ? trouble.judgeTooMany(fate) : trouble.judgeFate(fate, speaker);
    const said = unsure ? { ...judged, kind: "deferred" as const } : judged;
    const dialogue = deps.recorder.take(work, said, isPlain);
    deps.verdict(verdictOf(work, recipient, said, where, dialogue), work);
  }
  const spoiled = fates.find((fate) => fate.fate === "spoiled");
  if (spoiled !== undefined)
    deps.log("error", "deliver.body_damaged", { message: work.job.message, text: spoiled.text });
  return again;
}

/** The server has said neither yes nor no to it. */
function isUndecided(fate: Fate): boolean {
  return fate.fate === "lost" ? !fate.doubt : fate.fate === "refused" && classOf(fate.reply) < 4;
}

function place(link: Link): Place {
  const { target, source, session, talk } = link;
  const { host, address } = target;
  return { at: 0, durationMs: 0, host, address, source, session, tls: talk.tls() };
}
