// The queue thread's mind: everything that arrived goes into the next transaction, and nothing is answered or sent before its commit.
// No timer makes batches: a transaction runs once all that waits in the event loop has been heard, so an idle daemon commits at once
// and a busy one batches by itself (DESIGN 3).
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Random } from "../base/random.ts";
import { acceptedAtOf } from "../mail/id.ts";
import { isFinal } from "../mail/state.ts";
import type { AcceptAnswer, Refusal, Submission } from "../mail/submission.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { RouteFor } from "../route/route.ts";
import { createDispatcher } from "./dispatch.ts";
import { createDueTime, type Instant } from "./duetime.ts";
import { createFlights, type Flight, placeOf } from "./flight.ts";
import { type Call, emptyInbox, type Inbox, isSettled, takeFrom } from "./inbox.ts";
import { createIntake } from "./intake.ts";
import { type Dispatch, hasBytes, newTurn, type Turn } from "./launch.ts";
import type { RecipientState } from "./lifecycle.ts";
import { createMeasure } from "./measure.ts";
import { blamesSite, fail, heal, praisesSite, probeAgain } from "./pace.ts";
import type { QueuePolicy } from "./policy.ts";
import { createRoutes } from "./routing.ts";
import { createSettling } from "./settling.ts";
import { createSites, type Site } from "./site.ts";
import type { QueueStore } from "./store.ts";
import { priorities } from "../mail/message.ts";
import { earliestDue, isHungry, roomOf, wantsRefill } from "./window.ts";

export type { Dispatch } from "./launch.ts";

export interface QueueDeps {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly random: Pick<Random, "roll">;
  readonly routeFor: RouteFor;
  /** Sender threads; a site belongs to one of them. */
  readonly workers: number;
  readonly send: (worker: number, batch: readonly Dispatch[]) => void;
  readonly policy: QueuePolicy;
  readonly meter: Meter;
  readonly log: Log;
  /** What is on the disk is not known any more: the process must end. */
  readonly fatal: (text: string) => void;
  /** Spool files that nothing needs any more. */
  readonly dropSpool: (files: readonly string[]) => void;
}

export interface QueueHealth {
  readonly pendingRecipients: number;
  readonly pendingBytes: number;
  readonly leased: number;
}

export interface Queue {
  /** Takes back what earlier processes had leased, and begins. */
  start(): void;
  /** `answer` is called once: after the commit, or with a refusal. */
  accept(messages: readonly Submission[], answer: (answer: AcceptAnswer) => void): void;
  settle(verdicts: readonly Verdict[]): void;
  /** The thread is gone: its leases come back with doubt. */
  workerLost(worker: number): void;
  pressure(pressure: { readonly freeBytes: number }): void;
  /** Takes no more mail and starts no more attempts. */
  drain(): void;
  /** Resolves once nothing is leased. */
  idle(): Promise<void>;
  /** Writes what is left to write, and ends: nothing is called back afterwards. */
  stop(): void;
  health(): QueueHealth;
  /** Brings the gauges up to date: called before the meter is drained. */
  measure(): void;
}

/** Jumps of the wall clock are noticed at least this often. */
const LOOK_MAX_MS = 5 * 60_000;
/** Sites whose lines are read in one transaction. */
const PUMPS_MAX = 64;
const SIZE_EVERY_MS = 500;
/** A sweep of leases that came at a bad moment is tried again after this long. */
const SWEEP_AGAIN_MS = 1000;

export function createQueue(deps: QueueDeps): Queue {
  const { store, clock, random, routeFor, policy, log } = deps;
  const dueTime = createDueTime(clock, acceptedAtOf(store.facts.lastId), (byMs) =>
    log("warn", "queue.clock_jumped", { by_ms: byMs }),
  );
  const measure = createMeasure(deps.meter, store);
  const sites = createSites(store, deps.workers);
  const flights = createFlights();
  const roll = random.roll;
  let now: Instant = dueTime.now();
  let inbox: Inbox = emptyInbox();
  let scheduled = false;
  let draining = false;
  let stopped = false;
  let orphansLeft = false;
  let diskLow = false;
  /** After a full disk: nothing is tried before, and then verdicts first. */
  let blockedUntilMono = 0;
  let recovering = false;
  let overdueAtMono = 0;
  let pendingRecipients = 0;
  let pendingBytes = 0;
  let sizedAtMono = -Infinity;
  let timer: Timer | undefined;
  let timerAtMono = Infinity;
  const idlers: (() => void)[] = [];

  const schedule = (): void => {
    if (scheduled || stopped) return;
    scheduled = true;
    clock.soon(cycle);
  };

  /** Brings the site back when its next recipient may leave: at once, later, or when its window has room. */
  const expect = (site: Site): void => {
    if (draining || site.ready || site.starving || site.probing) return;
    const dueAt = Math.max(earliestDue(site), site.level > 0 ? site.pausedUntil : 0);
    if (dueAt > now.due) {
      if (dueAt !== Infinity) sites.wake(site, dueAt);
      return;
    }
    if (hasRoom(site)) sites.hurry(site);
    else site.starving = true;
  };

  const hasRoom = (site: Site): boolean => {
    if (site === sites.unrouted) return routes.waiting() < policy.routingMax;
    if (!hasBytes(flights, policy, site, 0)) return false;
    return priorities.some(
      (lane) => isHungry(site, lane, now.due) && roomOf(site, lane, policy.windowMax) > 0,
    );
  };

  const routes = createRoutes({
    routeFor,
    policy,
    onFound(candidates, routing) {
      for (const candidate of candidates) inbox.resolved.push({ candidate, routing });
      sites.unrouted.starving = false;
      expect(sites.unrouted);
      schedule();
    },
  });
  const shared = { store, sites, flights, routes, policy, dueTime, roll, expect };
  const intake = createIntake(shared);
  const settling = createSettling(shared);
  const dispatcher = createDispatcher({
    ...shared,
    bodyMissing: ({ message }) => log("error", "queue.body_missing", { message }),
  });

  function cycle(): void {
    scheduled = false;
    if (stopped) return;
    now = dueTime.now();
    if (now.mono < blockedUntilMono) {
      refuseCalls("disk_low");
      return arm();
    }
    sites.due(now.due);
    if (recovering) refuseCalls("disk_low");
    if (hasWork()) transact(takeFrom(inbox, policy.commitMax));
    else recovering = false;
    if (!stopped && now.mono >= blockedUntilMono && hasWork()) schedule();
    arm();
    settleIdlers();
  }

  const mayDispatch = (): boolean => !draining && !recovering;

  const hasWork = (): boolean =>
    inbox.calls.length > 0 ||
    !isSettled(inbox) ||
    orphansLeft ||
    (flights.leased() > 0 && now.mono >= overdueAtMono) ||
    (mayDispatch() && sites.hasReady());

  function transact(batch: Inbox): void {
    const turn = newTurn({
      now,
      dispatching: mayDispatch(),
      leaseUntil: now.wall + policy.leaseMs,
      claimsLeft: policy.claimMax,
    });
    const startedAtMono = now.mono;
    const orphansBefore = orphansLeft;
    const result = store.transaction(() => write(turn, batch));
    if (result.kind === "committed") return committed(turn, batch, result.value, startedAtMono);
    if (result.why === "io") {
      // Whether it stands is not known, so nothing of it is answered, sent or removed.
      stopped = true;
      timer?.cancel();
      return deps.fatal(`the queue's store failed: ${result.text}`);
    }
    orphansLeft = orphansBefore;
    undo(turn, batch);
    if (!recovering) log("error", "queue.disk_full", { text: result.text });
    recovering = true;
    blockedUntilMono = now.mono + policy.fullRetryMs;
  }

  function write(turn: Turn, batch: Inbox): (RecipientState | null)[] {
    const settled: (RecipientState | null)[] = [];
    for (const report of batch.reports) settled.push(settling.report(turn, report));
    for (const loss of batch.losses) settling.loss(turn, loss);
    if (orphansLeft) orphansLeft = settling.orphans(turn);
    if (turn.now.mono >= overdueAtMono) sweep(turn);
    for (const { candidate, routing } of batch.resolved)
      if (routing === null) dispatcher.giveBack(turn, candidate);
      else dispatcher.place(turn, candidate, routing);
    if (turn.dispatching)
      for (let pumps = 0; pumps < PUMPS_MAX && turn.claimsLeft > 0; pumps++) {
        const site = sites.takeReady();
        if (site === undefined) break;
        dispatcher.pump(turn, site);
      }
    for (const call of batch.calls)
      for (const submission of call.messages) intake.take(turn, submission);
    return settled;
  }

  function sweep(turn: Turn): void {
    // A lease that waits for the DNS has no flight, and must not be taken for a lost one.
    const early = routes.waiting() > 0 || inbox.resolved.length > 0;
    overdueAtMono = turn.now.mono + (early ? SWEEP_AGAIN_MS : policy.leaseMs / 2);
    if (early) return;
    settling.overdue(turn);
  }

  function committed(
    turn: Turn,
    batch: Inbox,
    settled: readonly (RecipientState | null)[],
    startedAtMono: number,
  ): void {
    sites.committed();
    if (recovering) log("info", "queue.disk_recovered");
    recovering = false;
    land(batch, settled);
    for (const result of turn.ended) measure.ended(result);
    pendingRecipients -= turn.ended.length;
    for (const _ of batch.losses) measure.doubt();
    send(turn);
    let messages = 0;
    for (const call of batch.calls) {
      messages += call.messages.length;
      for (const { head } of call.messages) {
        pendingRecipients += head.recipients.length;
        pendingBytes += head.sizeBytes;
      }
      call.answer({ kind: "accepted" });
    }
    const mono = clock.monotonicMs();
    measure.committed(mono - startedAtMono, messages);
    if (mono - sizedAtMono > SIZE_EVERY_MS) {
      sizedAtMono = mono;
      pendingBytes = store.size().pendingBytes;
      sites.forgetIdle();
    }
    const dropped = store.takeDropped();
    if (dropped.length > 0) deps.dropSpool(dropped);
  }

  /** Ends the leases whose verdicts are written, and lets their sites take more. */
  function land(batch: Inbox, settled: readonly (RecipientState | null)[]): void {
    for (let i = 0; i < batch.reports.length; i++) {
      const report = batch.reports[i];
      const state = settled[i];
      if (report === undefined || state === undefined) continue;
      const { verdict, flight, place } = report;
      if (flight.claims[place] === verdict.claim) flights.land(flight, place);
      if (state !== null) count(report.flight, verdict, state);
      const { site } = flight;
      if (!site.starving || !wantsRefill(site, policy.windowMax)) continue;
      site.starving = false;
      expect(site);
    }
  }

  function count(flight: Flight, verdict: Verdict, state: RecipientState): void {
    measure.verdict(flight.site.name, verdict);
    if (!isFinal(state.at)) return;
    pendingRecipients--;
    if (state.at === "delivered") {
      measure.ended("delivered");
      measure.delivered(flight.priority, now.wall - flight.acceptedAt);
    } else if (state.at === "bounced" || state.at === "expired") measure.ended(state.at);
  }

  function send({ flights: launched, dispatches }: Turn): void {
    if (dispatches.length === 0) return;
    const batches: Dispatch[][] = [];
    for (let i = 0; i < dispatches.length; i++) {
      const worker = launched[i]?.site.worker ?? 0;
      (batches[worker] ??= []).push(dispatches[i] as Dispatch);
    }
    batches.forEach((batch, worker) => deps.send(worker, batch));
  }

  /** Nothing of the transaction stands: what was in memory for it goes too, and what must be written is kept. */
  function undo(turn: Turn, batch: Inbox): void {
    sites.rolledBack();
    if (turn.asked.length > 0) routes.forget(turn.asked);
    for (const flight of turn.flights) {
      if (flight.probe) flight.site.probing = false;
      flights.remove(flight);
      flight.site.starving = false;
      expect(flight.site);
    }
    for (const site of turn.pumped) {
      site.dueAt.fill(0);
      site.starving = false;
      sites.hurry(site);
    }
    inbox.reports = batch.reports.concat(inbox.reports);
    inbox.losses = batch.losses.concat(inbox.losses);
    inbox.resolved = batch.resolved.concat(inbox.resolved);
    for (const call of batch.calls) refuse(call, "disk_low");
  }

  function refuse(call: Call, why: Refusal): void {
    const files = call.messages.flatMap(({ head }) =>
      head.body.kind === "spool" ? [head.body.file] : [],
    );
    if (files.length > 0) deps.dropSpool(files);
    call.answer({ kind: "refused", why, retryAfterS: policy.refusedRetryS });
  }

  function refuseCalls(why: Refusal): void {
    const { calls } = inbox;
    inbox.calls = [];
    for (const call of calls) refuse(call, why);
  }

  function refusalOf(messages: readonly Submission[]): Refusal | undefined {
    if (draining || stopped) return "draining";
    if (diskLow || clock.monotonicMs() < blockedUntilMono) return "disk_low";
    let recipients = 0;
    let bytes = 0;
    for (const { head } of messages) {
      recipients += head.recipients.length;
      bytes += head.sizeBytes;
    }
    const full =
      pendingRecipients + recipients > policy.queueMessagesMax ||
      pendingBytes + bytes > policy.queueBytesMax;
    return full ? "queue_full" : undefined;
  }

  /** One timer, for the earliest of all: a due site, a disk to try again, a lease to look after. */
  function arm(): void {
    if (stopped) return;
    let delayMs = Infinity;
    if (!draining) delayMs = sites.nextWake() - now.due;
    if (flights.leased() > 0) delayMs = Math.min(delayMs, overdueAtMono - now.mono);
    if (now.mono < blockedUntilMono) delayMs = blockedUntilMono - now.mono;
    if (delayMs === Infinity) return;
    const atMono = now.mono + Math.min(LOOK_MAX_MS, Math.max(1, delayMs));
    // A timer that fires early only looks again: cheaper than a new one for each change.
    if (timerAtMono <= atMono) return;
    timer?.cancel();
    timerAtMono = atMono;
    timer = clock.after(atMono - now.mono, () => {
      timerAtMono = Infinity;
      schedule();
    });
  }

  function settleIdlers(): void {
    if (idlers.length === 0 || flights.leased() > 0 || routes.waiting() > 0) return;
    if (!isSettled(inbox) || inbox.calls.length > 0) return;
    for (const resolve of idlers.splice(0)) resolve();
  }

  /** What the verdict says of the site counts at once, not at the commit: the next claim must know it. */
  function learn(flight: Flight, verdict: Verdict): void {
    const { site } = flight;
    if (praisesSite(verdict)) {
      if (heal(site)) log("info", "queue.site_resumed", { site: site.name });
    } else if (blamesSite(verdict)) {
      const wasUntil = site.pausedUntil;
      const wholeSite = verdict.scope === "site" || site.leased <= 1;
      const { retryAfterMs } = verdict;
      fail(site, { wholeSite, retryAfterMs, now: now.due, mono: now.mono, roll: roll() });
      if (site.pausedUntil !== wasUntil)
        log("info", "queue.site_paused", { site: site.name, until: site.pausedUntil });
    } else if (flight.probe) probeAgain(site, now.due);
    if (flight.probe) site.probing = false;
    expect(site);
  }

  return {
    start() {
      now = dueTime.now();
      orphansLeft = true;
      overdueAtMono = now.mono + policy.leaseMs / 2;
      for (const { state, recipients } of store.tally())
        if (!isFinal(state)) pendingRecipients += recipients;
      pendingBytes = store.size().pendingBytes;
      // What a line holds is read when its turn comes: until then it counts as due.
      for (const id of store.sitesWaiting()) {
        const site = sites.numbered(id);
        site.dueAt.fill(0);
        sites.hurry(site);
      }
      schedule();
    },
    accept(messages, answer) {
      const call: Call = { messages, answer };
      const why = refusalOf(messages);
      if (why !== undefined) return refuse(call, why);
      inbox.calls.push(call);
      schedule();
    },
    settle(verdicts) {
      if (stopped) return;
      now = dueTime.now();
      for (const verdict of verdicts) {
        const flight = flights.find(verdict.message, verdict.n, verdict.claim);
        if (flight === undefined) {
          log("debug", "queue.stale_verdict", { message: verdict.message, n: verdict.n });
          continue;
        }
        learn(flight, verdict);
        const place = placeOf(flight, verdict.n, verdict.claim);
        inbox.reports.push({ verdict, flight, place });
      }
      schedule();
    },
    workerLost(worker) {
      now = dueTime.now();
      const text = "its sender thread ended";
      for (const flight of [...flights.all()]) {
        const { site, message, priority, acceptedAt, expiresAt, recipients } = flight;
        if (site.worker !== worker) continue;
        for (const [place, { n, attempts }] of recipients.entries()) {
          const claim = flight.claims[place] ?? 0;
          if (claim === 0) continue;
          const leased = { message, n, claim, attempts, priority, acceptedAt, expiresAt };
          inbox.losses.push({ leased, site, text });
        }
        flights.remove(flight);
        if (flight.probe) site.probing = false;
        site.starving = false;
        expect(site);
      }
      schedule();
    },
    pressure({ freeBytes }) {
      const low = freeBytes < policy.diskReserveBytes;
      if (low !== diskLow)
        log(low ? "warn" : "info", low ? "queue.disk_low" : "queue.disk_ok", {
          free_bytes: freeBytes,
        });
      diskLow = low;
    },
    drain() {
      draining = true;
      for (const candidate of routes.giveUp()) inbox.resolved.push({ candidate, routing: null });
      schedule();
    },
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve);
        schedule();
      }),
    stop() {
      if (stopped) return;
      draining = true;
      for (const candidate of routes.giveUp()) inbox.resolved.push({ candidate, routing: null });
      cycle();
      refuseCalls("draining");
      stopped = true;
      timer?.cancel();
    },
    health: () => ({ pendingRecipients, pendingBytes, leased: flights.leased() }),
    measure: () => measure.gauges(),
  };
}
