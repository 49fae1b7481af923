// The queue thread's mind: everything that arrived goes into the next transaction, and nothing is answered or sent before its commit.
// No timer makes batches: a transaction runs once all that waits in the event loop has been heard, so an idle daemon commits at once
// and a busy one batches by itself (DESIGN 3).
import type { CommandAnswer, QueueVerb } from "../mail/command.ts";
import { acceptedAtOf } from "../mail/id.ts";
import type { Refusal } from "../mail/submission.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Routing } from "../route/route.ts";
import { createAlarm } from "./alarm.ts";
import { createDueTime, type Instant } from "./duetime.ts";
import { placeOf, strandedWith } from "./flight.ts";
import { createGroupCommit } from "./groupCommit.ts";
import { type Call, emptyInbox, type Inbox, isSettled, refuse, takeFrom } from "./inbox.ts";
import { newTurn } from "./launch.ts";
import { createLeaseSweep } from "./leaseSweep.ts";
import { createOrders } from "./orders.ts";
import { createLulls, jumpOver } from "./lulls.ts";
import type { Queue, QueueDeps, QueueHealth } from "./queue.ts";
import type { Candidate } from "./routing.ts";
import { createWorkings } from "./workings.ts";

export function createQueue(given: QueueDeps): Queue {
  // One object for the whole room, whose fields a reload replaces.
  const policy = { ...given.policy };
  const deps: QueueDeps = { ...given, policy };
  const { store, clock, log, sources } = deps;
  const lulls = createLulls(store, clock.now());
  const onJump = jumpOver(lulls, clock, log);
  const dueTime = createDueTime(clock, acceptedAtOf(store.facts.lastId), onJump);
  let now: Instant = dueTime.now();
  const inbox: Inbox = emptyInbox();
  let scheduled = false;
  let draining = false;
  let stopped = false;
  /** After a full disk: nothing is tried before, and then verdicts first. */
  let blockedUntilMono = 0;
  let recovering = false;
  const idlers: (() => void)[] = [];

  const schedule = (): void => {
    if (scheduled || stopped) return;
    scheduled = true;
    clock.soon(cycle);
  };
  const alarm = createAlarm(clock, schedule);
  const workings = createWorkings(deps, { dueTime, lulls, dueNow: () => now.due, found, schedule });
  const { admission, deadlines, expect, flights, learn, measure, outage, pauses } = workings;
  const { routes, sites, withdrawals } = workings;
  const orders = createOrders(workings.forOrders, inbox);
  const sweep = createLeaseSweep({ ...workings, store, policy, inbox });
  const groupCommit = createGroupCommit({
    ...{ queue: deps, workings, lulls, orders, sweep, inbox, isServing, mayExpire },
  });
  function found(candidates: readonly Candidate[], routing: Routing): void {
    for (const candidate of candidates) inbox.resolved.push({ candidate, routing });
    sites.unrouted.starving = false;
    expect(sites.unrouted);
    schedule();
  }

  function cycle(): void {
    scheduled = false;
    if (stopped) return;
    now = dueTime.now();
    if (now.mono < blockedUntilMono) {
      refuseCalls("disk_low");
      return arm();
    }
    sites.due(now.due);
    outage.look(now);
    deadlines.look(now);
    if (recovering) refuseCalls("disk_low");
    if (hasWork()) transact(takeFrom(inbox, policy.commitMax));
    else recovering = false;
    workings.moves.look();
    if (!stopped && now.mono >= blockedUntilMono && hasWork()) schedule();
    arm();
    settleIdlers();
  }

  function isServing(): boolean {
    return !draining && !recovering && !pauses.everything();
  }

  function mayDispatch(): boolean {
    return isServing() && !outage.holds();
  }

  function mayExpire(): boolean {
    return !draining && !recovering;
  }

  function hasWork(): boolean {
    return (
      inbox.calls.length > 0 ||
      inbox.tasks.length > 0 ||
      !isSettled(inbox) ||
      sweep.hasWork(now) ||
      (mayExpire() && deadlines.hasWork(now)) ||
      (isServing() && (outage.holds() ? outage.hasWork(now.mono) : sites.hasReady()))
    );
  }

  function transact(batch: Inbox): void {
    const turn = newTurn({
      now,
      dispatching: mayDispatch(),
      held: isServing() && outage.holds(),
      leaseUntil: now.wall + policy.leaseMs,
      claimsLeft: policy.claimMax,
    });
    const result = store.transaction(() => groupCommit.write(turn, batch));
    if (result.kind === "committed") {
      if (recovering) log("info", "queue.disk_recovered");
      recovering = false;
      return groupCommit.committed(turn, batch, result.value);
    }
    measure.failed();
    orders.refuse(batch.tasks, "disk_low");
    if (result.why === "io") {
      // Whether it stands is not known, so nothing of it is answered, sent or removed.
      stopped = true;
      alarm.stop();
      return deps.fatal(`the queue's store failed: ${result.text}`);
    }
    groupCommit.undo(turn, batch);
    if (!recovering) log("error", "queue.disk_full", { text: result.text });
    recovering = true;
    blockedUntilMono = now.mono + policy.fullRetryMs;
  }

  function refuseCalls(why: Refusal): void {
    const { calls } = inbox;
    inbox.calls = [];
    for (const call of calls) refuse(call, { why }, deps);
  }

  function refusalAtOnce(): Refusal | undefined {
    if (draining || stopped) return "draining";
    return clock.monotonicMs() < blockedUntilMono ? "disk_low" : undefined;
  }

  const standing = (): Refusal | null => refusalAtOnce() ?? admission.standing();

  /** One timer, for the earliest of all: a due site, a disk to try again, a lease to look after. */
  function arm(): void {
    if (stopped) return;
    let delayMs = Infinity;
    if (!draining) delayMs = Math.min(sites.nextWake() - now.due, deadlines.waitMs(now));
    delayMs = Math.min(delayMs, sweep.waitMs(now));
    if (isServing()) delayMs = Math.min(delayMs, outage.nextAtMono() - now.mono);
    if (now.mono < blockedUntilMono) delayMs = blockedUntilMono - now.mono;
    alarm.within(delayMs);
  }

  function settleIdlers(): void {
    if (idlers.length === 0 || flights.leased() > 0 || routes.waiting() > 0) return;
    if (!isSettled(inbox) || inbox.calls.length > 0) return;
    for (const resolve of idlers.splice(0)) resolve();
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
      const held = learn(flight, verdict, now);
      sources?.learn(flight.route, verdict, now.wall);
      const place = placeOf(flight, verdict.n, verdict.claim);
      inbox.reports.push({ verdict, flight, place, held });
    }
    // Nobody waits for a verdict's commit, so it shares the next one for mail: half as many syncs.
    if (inbox.reports.length >= policy.reportsMany) schedule();
    else alarm.within(policy.reportWaitMs);
  }

  function workerLost(worker: number): void {
    now = dueTime.now();
    workings.moves.parted(worker, "all");
    for (const { leased, site } of strandedWith(worker, flights)) {
      inbox.losses.push({ leased, site, text: "its sender thread ended" });
      expect(site);
    }
    schedule();
  }

  /** Whoever waits for a route goes back to its line. */
  function giveUpRoutes(): void {
    for (const candidate of routes.giveUp()) inbox.resolved.push({ candidate, routing: null });
  }

  function drain(): void {
    draining = true;
    giveUpRoutes();
    schedule();
  }

  /** Nothing leaves the host from now on: what the senders have comes back, and what would be given to them goes to the inbox. */
  function captureAll(): void {
    workings.recall({ by: "all", cut: true });
    giveUpRoutes();
    inbox.resolved = inbox.resolved.map(({ candidate }) => ({ candidate, routing: null }));
  }

  function stop(): void {
    if (stopped) return;
    drain();
    // All that the senders said last, in as many transactions as it takes; a full disk is tried once more.
    blockedUntilMono = 0;
    do cycle();
    while (!stopped && blockedUntilMono === 0 && !isSettled(inbox));
    refuseCalls("draining");
    orders.refuse(inbox.tasks.splice(0), "draining");
    if (!stopped) sources?.settle();
    if (!stopped && sources !== undefined) store.transaction(() => store.remember(sources.rows()));
    stopped = true;
    alarm.stop();
  }

  function start(): void {
    now = dueTime.now();
    sweep.start(now);
    admission.start();
    pauses.load();
    workings.rests.load(now);
    sites.load();
    schedule();
  }

  function order(verb: QueueVerb, answer: (answer: CommandAnswer) => void): void {
    if (stopped) return answer({ kind: "later", why: "draining" });
    orders.take(verb, answer);
    schedule();
  }

  function health(): QueueHealth {
    return {
      pendingRecipients: admission.recipients(),
      pendingBytes: admission.bytes(),
      leased: flights.leased(),
      uplink: outage.view(),
    };
  }

  return {
    ...{ start, settle, order, workerLost, drain, stop, health, standing },
    ...{ recalled: withdrawals.late, pressure: admission.pressure, ...workings.looks },
    accept(messages, answer, once) {
      const call: Call = { messages, answer, once };
      const why = refusalAtOnce();
      if (why !== undefined) return refuse(call, { why }, deps);
      // A question needs no room.
      const full = messages.length > 0 ? admission.refusalOf(messages) : undefined;
      if (full !== undefined) return refuse(call, full, deps);
      inbox.calls.push(call);
      schedule();
    },
    loaded(worker, load) {
      if (workings.moves.heard(worker, load)) schedule();
    },
    parted(worker, parted) {
      workings.moves.parted(worker, parted);
      schedule();
    },
    reopen() {
      workings.reopen();
      schedule();
    },
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve);
        schedule();
      }),
    configure(next) {
      const captures = next.policy.capture && !policy.capture;
      Object.assign(policy, next.policy);
      if (captures) captureAll();
      workings.moves.limit(next.workers);
      schedule();
    },
    measure: () =>
      measure.gauges({ bytes: admission.bytes(), policy, isOpen: standing() === null }),
  };
}
