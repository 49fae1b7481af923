// The queue thread's mind: everything that arrived goes into the next transaction, and nothing is answered or sent before its commit.
// No timer makes batches: a transaction runs once all that waits in the event loop has been heard, so an idle daemon commits at once
// and a busy one batches by itself (DESIGN 3).
import type { CommandAnswer, QueueVerb } from "../mail/command.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import type { AcceptAnswer, Refusal } from "../mail/submission.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Routing } from "../route/route.ts";
import { createAlarm } from "./alarm.ts";
import { createDueTime, type Instant } from "./duetime.ts";
import { placeOf, strandedWith } from "./flight.ts";
import { type Call, emptyInbox, type Inbox, isSettled, refuse, takeFrom } from "./inbox.ts";
import { byWorker, newTurn, type Turn } from "./launch.ts";
import type { RecipientState } from "./lifecycle.ts";
import { createOrders } from "./orders.ts";
import { createLulls, jumpOver } from "./lulls.ts";
import type { Queue, QueueDeps, QueueHealth } from "./queue.ts";
import type { Candidate } from "./routing.ts";
import type { Stage } from "./task.ts";
import { createWorkings } from "./workings.ts";

/** Sites whose lines are read in one transaction. */
const PUMPS_MAX = 64;

interface Written {
  /** The state after each report; null where its lease had been lost. */
  readonly settled: readonly (RecipientState | null)[];
  readonly stages: readonly Stage[];
  readonly answers: readonly AcceptAnswer[];
}

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
  let orphansLeft = false;
  /** After a full disk: nothing is tried before, and then verdicts first. */
  let blockedUntilMono = 0;
  let recovering = false;
  let overdueAtMono = 0;
  const idlers: (() => void)[] = [];

  const schedule = (): void => {
    if (scheduled || stopped) return;
    scheduled = true;
    clock.soon(cycle);
  };
  const alarm = createAlarm(clock, schedule);
  const workings = createWorkings(deps, { dueTime, lulls, dueNow: () => now.due, found, schedule });
  const { admission, dispatcher, expect, flights, measure, routes, sites } = workings;
  const { deadlines, learn, outage, pauses, withdrawals } = workings;
  const orders = createOrders(workings.forOrders, inbox);
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

  /** By the flights or, when there are none, by the store: a lease that nobody has is looked after too. */
  function isLeasing(): boolean {
    return flights.leased() > 0 || store.tally().some(({ state }) => state === "sending");
  }

  function hasWork(): boolean {
    return (
      inbox.calls.length > 0 ||
      inbox.tasks.length > 0 ||
      !isSettled(inbox) ||
      orphansLeft ||
      (mayExpire() && deadlines.hasWork(now)) ||
      (now.mono >= overdueAtMono && isLeasing()) ||
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
    const startedAtMono = now.mono;
    const orphansBefore = orphansLeft;
    const result = store.transaction(() => write(turn, batch));
    if (result.kind === "committed") return committed(turn, batch, result.value, startedAtMono);
    measure.failed();
    orders.refuse(batch.tasks, "disk_low");
    if (result.why === "io") {
      // Whether it stands is not known, so nothing of it is answered, sent or removed.
      stopped = true;
      alarm.stop();
      return deps.fatal(`the queue's store failed: ${result.text}`);
    }
    orphansLeft = orphansBefore;
    undo(turn, batch);
    if (!recovering) log("error", "queue.disk_full", { text: result.text });
    recovering = true;
    blockedUntilMono = now.mono + policy.fullRetryMs;
  }

  function write(turn: Turn, batch: Inbox): Written {
    const settled: (RecipientState | null)[] = [];
    for (const report of batch.reports) {
      const state = workings.settling.report(turn, report);
      settled.push(state);
      if (state !== null) landed(turn, report.flight.message, report.verdict.n, state);
    }
    for (const loss of batch.losses) {
      workings.settling.loss(turn, loss);
      landed(turn, loss.leased.message, loss.leased.n);
    }
    if (orphansLeft) orphansLeft = workings.settling.orphans(turn);
    if (turn.now.mono >= overdueAtMono) sweep(turn, batch);
    for (const { candidate, routing } of batch.resolved)
      if (routing === null || isUnwanted(candidate)) {
        const { message, n } = candidate.claimed;
        dispatcher.giveBack(turn, candidate);
        landed(turn, message, n);
      } else dispatcher.place(turn, candidate, routing);
    if (mayExpire()) deadlines.run(turn);
    const stages = orders.run(turn, batch.tasks);
    if (turn.dispatching)
      for (let pumps = 0; pumps < PUMPS_MAX && turn.claimsLeft > 0; pumps++) {
        const site = sites.takeReady();
        if (site === undefined) break;
        dispatcher.pump(turn, site);
      }
    else if (isServing()) outage.run(turn, dispatcher.pump);
    const answers = workings.accepting.take(turn, batch.calls);
    lulls.write();
    workings.rests.write(turn.now);
    if (sources !== undefined) store.remember(sources.rows());
    return { settled, stages, answers };
  }

  /** Nobody may send it any more, since it was claimed. */
  function isUnwanted({ claimed }: Candidate): boolean {
    if (pauses.everything() || pauses.stopsDomain(domainOf(claimed.address))) return true;
    return withdrawals.wants(claimed.message);
  }

  /** A lease has ended in this transaction: what an operator wanted of its recipient can be done now. */
  function landed(turn: Turn, message: MessageId, n: number, state?: RecipientState): void {
    if (!withdrawals.wants(message)) return;
    const next = state ?? store.recipients(message).find((row) => row.n === n)?.state;
    if (next !== undefined) withdrawals.landed(turn, message, n, next);
  }

  function sweep(turn: Turn, batch: Inbox): void {
    // A lease that waits for the DNS, or whose answer has just come, has no flight, and must not be taken for a lost one.
    const grounded = new Set(routes.claims());
    for (const { candidate } of batch.resolved) grounded.add(candidate.claimed.claim);
    for (const { candidate } of inbox.resolved) grounded.add(candidate.claimed.claim);
    const more = workings.settling.overdue(turn, grounded);
    overdueAtMono = turn.now.mono + (more ? 0 : policy.leaseMs / 2);
  }

  function committed(
    turn: Turn,
    batch: Inbox,
    { settled, stages, answers }: Written,
    startedAtMono: number,
  ): void {
    sites.committed();
    sources?.written();
    lulls.written();
    workings.rests.written();
    deadlines.committed();
    if (recovering) log("info", "queue.disk_recovered");
    recovering = false;
    workings.landing.land(batch.reports, settled, turn.now);
    for (const result of turn.ended) measure.ended(result);
    admission.ended(turn.ended.length);
    measure.lost(turn.lost);
    byWorker(turn).forEach((sent, worker) => deps.send(worker, sent));
    orders.committed(batch.tasks, stages);
    for (const follow of turn.afterwards) follow();
    const messages = workings.accepting.answer(batch.calls, answers);
    const mono = clock.monotonicMs();
    measure.committed(mono - startedAtMono, messages);
    if (admission.resize(mono)) sites.forgetIdle();
    const dropped = store.takeDropped();
    if (dropped.length > 0) deps.dropSpool(dropped);
    deps.onCommit?.();
  }

  /** Nothing of the transaction stands: what was in memory for it goes too, and what must be written is kept. */
  function undo(turn: Turn, batch: Inbox): void {
    sites.rolledBack();
    deadlines.undo();
    if (turn.asked.length > 0) routes.forget(turn.asked);
    sites.unrouted.starving = false;
    expect(sites.unrouted);
    for (const flight of turn.flights) {
      if (flight.probe) flight.site.probing = false;
      sources?.refund(flight.route, flight.open);
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
    for (const call of batch.calls) refuse(call, { why: "disk_low" }, deps);
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
    if (isLeasing()) delayMs = Math.min(delayMs, overdueAtMono - now.mono);
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

  function drain(): void {
    draining = true;
    for (const candidate of routes.giveUp()) inbox.resolved.push({ candidate, routing: null });
    schedule();
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
    orphansLeft = true;
    overdueAtMono = now.mono + policy.leaseMs / 2;
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
    parted(worker, names) {
      workings.moves.parted(worker, names);
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
      Object.assign(policy, next.policy);
      workings.moves.limit(next.workers);
      schedule();
    },
    measure: () =>
      measure.gauges({ bytes: admission.bytes(), policy, isOpen: standing() === null }),
  };
}
