// The room's door: jobs and their routes go in, one verdict per recipient comes out. What is between them is wired here.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Random } from "../base/random.ts";
import type { Signer } from "../mail/dkim/signer.ts";
import { blamesSite } from "../mail/blame.ts";
import type { PhaseFigure } from "../mail/figures.ts";
import type { Parted } from "../mail/handover.ts";
import type { Job } from "../mail/job.ts";
import type { Late, Recall } from "../mail/recall.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Target } from "../route/order.ts";
import type { Route } from "../route/route.ts";
import { attempt, prepare, type Work } from "./attempt.ts";
import type { Body } from "./body.ts";
import type { Connect } from "./connection.ts";
import { createLearned } from "./learned.ts";
import { createDeliverMeter } from "./metering.ts";
import { createOpen, type Unopened } from "./open.ts";
import { createPhaseTimes } from "./phaseTimes.ts";
import { createPool } from "./pool.ts";
import type { PoolGauges } from "./poolState.ts";
import { createRecorder } from "./recorder.ts";
import type { DeliverSettings } from "./settings.ts";
import type { SenderSite } from "./siteBook.ts";
import { createTracer, type Tracer } from "./trace.ts";
import { decisiveOf, interrupted, judgeOpening, type Judgement } from "./trouble.ts";
import { giveVerdicts, type Place } from "./verdicts.ts";
import { patienceFor } from "./waiting.ts";

export interface SenderDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: Connect;
  readonly meter: Meter;
  readonly log: Log;
  readonly settings: DeliverSettings;
  /** The one in its place before has died: what that one spent of a site's rates is not known, so nothing is in hand. */
  readonly replaces?: boolean;
  /** With the job that it is about, and when that came, by the monotonic clock. */
  verdict(verdict: Verdict, job: Job, cameAtMs: number): void;
  /** Without it nobody listens. */
  readonly tracer?: Tracer;
  readSpool(file: string): AsyncIterable<Uint8Array>;
  /** Asked for each message, since keys may change; absent: nothing is signed. */
  readonly signer?: () => Signer;
  /** All addresses of a route in the order in which this attempt would try them. */
  order(route: Route, random: Random): readonly Target[];
}

export interface Sender {
  /** A null body means that `job.body` names a spool file. */
  submit(job: Job, route: Route, body: Uint8Array | null): void;
  /** Gives back as `interrupted` what waits, and with `cut` what runs; returns what is past its final dot. */
  recall(recall: Recall): readonly Late[];
  /** They become another sender's: `gone` is told of those to which nothing is open or on its way any more. */
  part(sites: readonly string[], gone: (parted: readonly Parted[]) => void): void;
  /** They were another sender's; what that one had learned and spent goes on here. */
  adopt(parted: readonly Parted[]): void;
  /** Mail waits for a connection, since all that may be open are. */
  isFull(): boolean;
  gauges(): PoolGauges;
  /** The sites that have work or connections here, with their limits and what was learned of them. */
  sites(): readonly SenderSite[];
  /** How long each phase takes at a site, slowest first. */
  phases(site: string): readonly PhaseFigure[];
  /** New settings, while mail flows: no learned limit is forgotten, and no rate begins anew. */
  configure(settings: DeliverSettings): void;
  /** Gives waiting jobs back as `interrupted`, lets running ones end for `graceMs`, then breaks them. */
  stop(graceMs: number): Promise<void>;
}

export function createSender(deps: SenderDeps): Sender {
  let { settings } = deps;
  const { tracer = createTracer({ clock: deps.clock, tell() {} }) } = deps;
  let stopping = false;
  const meter = createDeliverMeter(deps.meter);
  const { clock, random, log, connect, order } = deps;
  const recorder = createRecorder({ clock, tracer, kept: () => settings.dialogues });
  const { isRecording } = recorder;
  const times = createPhaseTimes();
  const open = createOpen({
    ...{ clock, random, log, connect, order, meter, isRecording, times },
    get settings() {
      return settings;
    },
  });
  const learned = createLearned(clock);
  const verdictOn = (verdict: Verdict, { job, patience }: Work): void =>
    deps.verdict(verdict, job, patience.cameAtMs);
  const giveBack = (work: Work, why: string): void =>
    giveVerdicts({ clock, recorder, verdict: verdictOn }, work, nowhere, interrupted(why));
  const pool = createPool({
    ...{ clock, meter, open, settings },
    replaces: deps.replaces === true,
    handsFor(limits, heard) {
      const attemptDeps = {
        ...{ clock, log, learned, recorder },
        ...(deps.signer === undefined ? {} : { signer: deps.signer }),
        recipientsMax: limits.transactionRecipients,
        addressesMax: settings.attemptAddresses,
        ...{ rounds: settings.rounds, roll: random.roll },
        verdict(verdict: Verdict, work: Work): void {
          // First, so that the queue knows why before it gets back what waits.
          verdictOn(verdict, work);
          heard(verdict);
        },
      };
      return {
        prepare: (link, work) => prepare(attemptDeps, link, work),
        attempt: (link, what, options) => attempt(attemptDeps, link, what, options),
        unopened(work, why) {
          recorder.unopened(work, why);
          giveVerdicts(attemptDeps, work, placeOf(why), judgeUnopened(why));
        },
        blames: (why) => blamesSite(judgeUnopened(why)),
      };
    },
    interrupted: giveBack,
  });
  return {
    submit(job, route, bytes) {
      const body = bodyOf(deps, job, bytes);
      const left = job.recipients;
      const patience = patienceFor(job, deps.clock);
      const work: Work = { job, route, body, patience, left, checked: false, breaks: 0, stale: 0 };
      if (stopping) giveBack(work, "the daemon stops");
      else pool.submit(work);
    },
    recall: pool.recall,
    part: pool.part,
    adopt: pool.adopt,
    isFull: pool.isFull,
    gauges: pool.gauges,
    sites: pool.sites,
    phases: times.view,
    configure(next) {
      settings = next;
      pool.configure(next);
    },
    async stop(graceMs) {
      stopping = true;
      for (const work of pool.drain()) giveBack(work, "the daemon stops");
      const timer = deps.clock.after(graceMs, pool.abort);
      await pool.empty();
      timer.cancel();
    },
  };
}

function bodyOf(deps: SenderDeps, job: Job, bytes: Uint8Array | null): Body {
  if (bytes !== null) return { kind: "bytes", bytes };
  const { body, sizeBytes, sha256 } = job;
  if (body.kind !== "spool") throw new Error("a job came without its bytes");
  const { file } = body;
  return { kind: "stream", open: () => deps.readSpool(file), sizeBytes, sha256 };
}

const nowhere: Place = {
  at: 0,
  durationMs: 0,
  host: "",
  address: "",
  source: "",
  session: "",
  tls: null,
};

function judgeUnopened({ tried }: Unopened): Judgement {
  const judged = judgeOpening(
    tried.map((one) => one.setback),
    tried.map((one) => one.target.host),
  );
  // A smarthost that takes no mail at all is the operator's to mend: no word of it is about a recipient.
  if (judged.kind === "failed" && tried.some((one) => one.target.via === "relay"))
    return { ...judged, kind: "deferred", class: "relay", alert: "relay.no_mail" };
  // What one domain asks of its hosts is no fault of the site, through which other domains get their mail.
  const isAsked = judged.class === "tls" && tried.every((one) => one.target.demand !== undefined);
  return isAsked ? { ...judged, scope: "recipient" } : judged;
}

/** Where it was decided. */
function placeOf({ tried, at, durationMs }: Unopened): Place {
  const one = tried[decisiveOf(tried.map(({ setback }) => setback))];
  if (one === undefined) return { ...nowhere, at, durationMs };
  const { host, address } = one.target;
  return { ...nowhere, at, durationMs, host, address, session: one.session };
}
