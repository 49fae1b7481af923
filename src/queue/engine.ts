// The queue thread's mind: everything that arrived goes into the next transaction, and nothing is answered or sent before its commit.
// No timer makes batches: a transaction runs once all that waits in the event loop has been heard, so an idle daemon commits at once
// and a busy one batches by itself (DESIGN 3).
import type { Timer } from "../base/clock.ts";
import { acceptedAtOf } from "../mail/id.ts";
import type { Refusal, Submission } from "../mail/submission.ts";
import type { Verdict } from "../mail/verdict.ts";
import { createAdmission } from "./admission.ts";
import { createDispatcher } from "./dispatch.ts";
import { createDueTime, type Instant } from "./duetime.ts";
import { createFlights, type Flight, leasesOf, placeOf } from "./flight.ts";
import { type Call, emptyInbox, type Inbox, isSettled, takeFrom } from "./inbox.ts";
import { createIntake } from "./intake.ts";
import { byWorker, hasBytes, newTurn, type Turn } from "./launch.ts";
import type { RecipientState } from "./lifecycle.ts";
import { createLanding } from "./landing.ts";
import { createMeasure } from "./measure.ts";
import { learnFrom } from "./pace.ts";
import type { Queue, QueueDeps } from "./queue.ts";
import { createRoutes } from "./routing.ts";
import { createSettling } from "./settling.ts";
import { createSites, type Site } from "./site.ts";
import { priorities } from "../mail/message.ts";
import { earliestDue, isHungry, roomOf } from "./window.ts";

export type { Dispatch } from "./launch.ts";
export type { Queue, QueueDeps, QueueHealth } from "./queue.ts";

/** Jumps of the wall clock are noticed at least this often. */
const LOOK_MAX_MS = 5 * 60_000;
/** Sites whose lines are read in one transaction. */
const PUMPS_MAX = 64;
/** A sweep of leases that came at a bad moment is tried again after this long. */
const SWEEP_AGAIN_MS = 1000;

export function createQueue(deps: QueueDeps): Queue {
  const { store, clock, random, routeFor, policy, log } = deps;
  const dueTime = createDueTime(clock, acceptedAtOf(store.facts.lastId), (byMs) =>
    log("warn", "queue.clock_jumped", { by_ms: byMs }),
  );
  const measure = createMeasure(deps.meter, store);
  const admission = createAdmission(store, policy, log);
  const sites = createSites(store, deps.workers);
  const flights = createFlights();
  const roll = random.roll;
  let now: Instant = dueTime.now();
  let inbox: Inbox = emptyInbox();
  let scheduled = false;
  let draining = false;
  let stopped = false;
  let orphansLeft = false;
  /** After a full disk: nothing is tried before, and then verdicts first. */
  let blockedUntilMono = 0;
  let recovering = false;
  let overdueAtMono = 0;
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
  const landing = createLanding({ flights, policy, measure, admission, expect });
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
    landing.land(batch.reports, settled, turn.now.wall);
    for (const result of turn.ended) measure.ended(result);
    admission.ended(turn.ended.length);
    for (const _ of batch.losses) measure.doubt();
    byWorker(turn).forEach((sent, worker) => deps.send(worker, sent));
    let messages = 0;
    for (const call of batch.calls) {
      messages += call.messages.length;
      admission.accepted(call.messages);
      call.answer({ kind: "accepted" });
    }
    const mono = clock.monotonicMs();
    measure.committed(mono - startedAtMono, messages);
    if (admission.resize(mono)) sites.forgetIdle();
    const dropped = store.takeDropped();
    if (dropped.length > 0) deps.dropSpool(dropped);
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
    if (clock.monotonicMs() < blockedUntilMono) return "disk_low";
    return admission.refusalOf(messages);
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
    const alone = site.leased <= 1;
    const change = learnFrom(site, verdict, { alone, probe: flight.probe, now, roll });
    if (change !== null) log("info", `queue.site_${change}`, { site: site.name });
    expect(site);
  }

  function settle(verdicts: readonly Verdict[]): void {
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
  }

  function workerLost(worker: number): void {
    now = dueTime.now();
    for (const flight of [...flights.all()]) {
      const { site } = flight;
      if (site.worker !== worker) continue;
      for (const leased of leasesOf(flight))
        inbox.losses.push({ leased, site, text: "its sender thread ended" });
      flights.remove(flight);
      if (flight.probe) site.probing = false;
      site.starving = false;
      expect(site);
    }
    schedule();
  }

  function drain(): void {
    draining = true;
    for (const candidate of routes.giveUp()) inbox.resolved.push({ candidate, routing: null });
    schedule();
  }

  /** What a line holds is read when its turn comes: until then it counts as due. */
  function load(): void {
    for (const id of store.sitesWaiting()) {
      const site = sites.numbered(id);
      site.dueAt.fill(0);
      sites.hurry(site);
    }
  }

  return {
    start() {
      now = dueTime.now();
      orphansLeft = true;
      overdueAtMono = now.mono + policy.leaseMs / 2;
      admission.start();
      load();
      schedule();
    },
    accept(messages, answer) {
      const call: Call = { messages, answer };
      const why = refusalOf(messages);
      if (why !== undefined) return refuse(call, why);
      inbox.calls.push(call);
      schedule();
    },
    settle,
    workerLost,
    pressure: ({ freeBytes }) => admission.pressure(freeBytes),
    drain,
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve);
        schedule();
      }),
    stop() {
      if (stopped) return;
      drain();
      cycle();
      refuseCalls("draining");
      stopped = true;
      timer?.cancel();
    },
    health: () => ({
      pendingRecipients: admission.recipients(),
      pendingBytes: admission.bytes(),
      leased: flights.leased(),
    }),
    measure: () => measure.gauges(),
  };
}
