// One run: a world made from a seed, in which the daemon lives, dies and comes back while mail is handed to it; then everything is
// healed, and every recipient must come to its end.
import { seededRandom } from "../../src/base/random.ts";
import { createIds, type MessageId } from "../../src/mail/id.ts";
import { isFinal } from "../../src/mail/state.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import type { AcceptAnswer } from "../../src/mail/submission.ts";
import { createMemoryDisk } from "../../src/queue/memory.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import { createCapWatch } from "./caps.ts";
import { createClients, type Heard, type Known } from "./clients.ts";
import { checkBooks } from "./checks.ts";
import { createLine } from "./line.ts";
import { createNames } from "./names.ts";
import { createOperator } from "./operator.ts";
import { createOutside } from "./outside.ts";
import { createPolicyWatch } from "./policyWatch.ts";
import { calm, drawPlan, type FaultRates } from "./plan.ts";
import {
  acceptEarly,
  type Plant,
  storeWithKeysApart,
  storeWithKeysInMemory,
  storeWithoutCancel,
  storeWithoutEvents,
  storeWithoutList,
  verdictUnchecked,
  verdictUnpaused,
} from "./plants.ts";
import { type Process, startProcess } from "./process.ts";
import type { Truth } from "./server.ts";
import { createSimClock, type SimClock } from "./time.ts";
import { drawTempers } from "./temper.ts";
import { createTrace } from "./trace.ts";
import { createWatch } from "./watch.ts";
import { contentOf, drawWishes, submissionOf, type Wish } from "./workload.ts";

export interface Run {
  readonly seed: number;
  readonly hash: string;
  readonly violations: readonly string[];
  readonly trace: readonly string[];
  readonly steps: number;
  readonly taken: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const START = Date.UTC(2026, 0, 1);
/** Past the longest wait of any schedule, a scheduled time and a greylist. */
const HEALED_MS = 14 * HOUR_MS;
/** So long may a message between two threads stay on its way. */
const LATE_MS = 20_000;
const STEPS_MAX = 2_000_000;
const VIOLATIONS_MAX = 20;

export async function runSeed(seed: number, plant?: Plant, keep = 30): Promise<Run> {
  const random = seededRandom(seed);
  const { roll } = random;
  const drawn = drawPlan(random);
  const trouble = drawTrouble(roll, drawn.stormy);
  const plan = { ...drawn, messages: Math.min(drawn.messages, trouble.messagesMax) };
  let faults: FaultRates = plan.faults;

  const clock = createSimClock(START);
  const trace = createTrace(clock.monotonicMs, keep);
  const violations: string[] = [];
  const violation = (text: string): void => {
    trace.add(`VIOLATION ${text}`);
    if (violations.length < VIOLATIONS_MAX) violations.push(text);
  };

  const truth: Truth = { taken: new Map(), refused: new Set() };
  const accepted = new Set<MessageId>();
  const submitted = new Map<MessageId, number | null>();
  const contents = new Map<string, string>();
  const spool = new Map<string, Uint8Array>();
  let ids = createIds(0);
  const disk = createMemoryDisk("8000000000000000");
  const watch = createWatch({ disk, roll, faults: () => faults, trace: trace.add, violation });
  const caps = createCapWatch(plan.steps, violation);
  const policies = createPolicyWatch(violation);
  const line = createLine({ clock, roll, trace: trace.add, violation, tear: () => network.tear() });
  const isCut = (): boolean => line.state() === "lost";
  const names = createNames({ random, sites: plan.sites, faults: () => faults, isCut });
  let life: Process | undefined;
  let store: QueueStore | undefined;
  let owners = 0;
  let backMs = 0;

  const isHealed = (): boolean => faults === calm;
  const tempers = drawTempers(seed, { isHealed, isHeard: () => life !== undefined, violation });

  const network = createOutside({
    ...{ clock, random, plan, tempers, truth, violation, trace: trace.add },
    faults: () => faults,
    isCut: () => line.state() !== "whole",
    contentOf: (message) => contents.get(message) ?? "",
    dot(message, address, proven) {
      policies.dot(message, address, proven);
      const row = store?.recipients(Number(message)).find((one) => one.address === address);
      if (row !== undefined && isFinal(row.state.at))
        violation(`${message} ${address} was sent while it was ${row.state.at}`);
    },
  });

  const open = (): void => {
    const opened = watch.open();
    store = planted(opened, plant, roll);
    const { facts } = store;
    // The door dies with its queue: what it gave out and nobody stored is given out again.
    ids = createIds(facts.lastId);
    trace.add(`the daemon starts, ${facts.unclean ? "after a crash" : "clean"}`);
    const owned = new Set(store.spooled());
    for (const file of [...spool.keys()]) if (!owned.has(file)) spool.delete(file);
    const current = store;
    life = startProcess({
      clock,
      random,
      plan,
      network,
      names,
      line,
      store: current,
      spool,
      nextOwner: () => ++owners,
      portMs: () => (roll() < faults.lateVerdict ? roll() * LATE_MS : roll()),
      sent(dispatch) {
        const { job, route } = dispatch;
        caps.sent(dispatch, clock.now());
        policies.sent(dispatch);
        line.sent(dispatch);
        if (!watch.committed.has(job.message))
          violation(`${job.message} is sent before its commit`);
        const rows = current.recipients(job.message);
        for (const { n, claim, address } of job.recipients) {
          const state = rows[n]?.state;
          if (state?.at !== "sending" || state.claim !== claim)
            violation(`${job.message} ${n} is sent while it is ${state?.at ?? "unknown"}`);
          if (opened.suppression(address) !== undefined)
            violation(`${job.message} ${n} is sent although ${address} gets no mail`);
        }
        trace.add(`send ${job.message} to ${job.recipients.length} at ${route.site}`);
      },
      heard(verdict) {
        caps.heard(verdict);
        line.heard(verdict);
        noteUnreached(current, verdict, watch.uncounted);
        if (verdict.kind === "delivered") watch.delivering.add(verdict.claim);
        trace.add(
          `${verdict.message} ${verdict.n} ${verdict.kind} ${verdict.scope} ${verdict.class}` +
            `${verdict.doubt ? " doubt" : ""}${isHeld(current, verdict) ? "" : " stale"}`,
        );
        if (plant === "pause-unheard") return verdictUnpaused(verdict);
        return plant === "lease-unchecked" ? verdictUnchecked(current, verdict) : verdict;
      },
      fatal(text) {
        trace.add(`fatal: ${text}`);
        clock.after(0, () => crash());
      },
    });
  };

  const crash = (): void => {
    if (life === undefined) return;
    trace.add("the daemon is killed");
    tempers.disturbed(clock.monotonicMs());
    life.kill();
    life = undefined;
    store = undefined;
    disk.crash();
    clock.after(2000 + roll() * MINUTE_MS, open);
  };

  const restart = (): void => {
    const ending = life;
    if (ending === undefined) return;
    trace.add("the daemon is told to stop");
    tempers.disturbed(clock.monotonicMs());
    ending.stop(() => {
      if (life !== ending) return;
      trace.add("the daemon has stopped");
      ending.store.close();
      ending.kill();
      life = undefined;
      store = undefined;
      clock.after(1000, open);
    });
    // A second signal stops at once.
    clock.after(2 * MINUTE_MS, () => {
      if (life === ending) crash();
    });
  };

  const hand = (wish: Wish, known: Known | undefined, heard: Heard): MessageId => {
    const id = ids(clock.now());
    const submission = submissionOf(wish, id, clock.now());
    const { head } = submission;
    contents.set(String(id), contentOf(String(id), wish.lines));
    submitted.set(id, head.expiresAt);
    if (head.body.kind === "spool" && submission.body !== null)
      spool.set(head.body.file, submission.body);
    const given = { head, body: head.body.kind === "spool" ? null : submission.body };
    const answer = (got: AcceptAnswer): void => {
      trace.add(
        `${id} is ${got.kind === "accepted" ? "accepted" : `refused: ${got.kind === "refused" ? got.why : got.kind}`}`,
      );
      if (got.kind === "accepted") {
        accepted.add(id);
        if (!watch.committed.has(id)) violation(`${id} is answered before its commit`);
      }
      heard(got, id);
    };
    const once = known === undefined ? undefined : { ...known, answer: String(id) };
    const queue = life?.queue;
    if (plant === "early-answer" && queue !== undefined) acceptEarly(queue, [given], answer);
    else queue?.accept([given], answer, once);
    return id;
  };

  open();
  const wishes = drawWishes(random, { ...plan, domains: names.domains });
  const asking = { seed, clock, wishes, hand, committed: watch.committed, violation };
  const clients = createClients({ ...asking, life: () => life });
  const about = { seed, clock, lastsMs: trouble.lastsMs, domains: names.domains, submitted };
  const live = { queue: () => life?.queue, store: () => store, meddled: tempers.upset };
  const operator = createOperator({ ...about, ...live, violation, trace: trace.add });
  const happen = createChance(clock, roll, trouble.lastsMs);
  happen(plan.faults.kills, crash);
  happen(plan.faults.restarts, restart);
  happen(plan.faults.workerLosses, () => {
    const worker = Math.floor(roll() * plan.workers);
    trace.add(`worker ${worker} is lost`);
    tempers.disturbed(clock.monotonicMs());
    line.workerLost();
    life?.loseWorker(worker);
  });
  happen(plan.faults.strains, () => {
    const cpuShare = Math.round(roll());
    trace.add(`the senders are ${cpuShare === 1 ? "busy" : "idle"}`);
    life?.strain(cpuShare);
  });
  happen(plan.faults.lineFalls, () => {
    tempers.disturbed(clock.monotonicMs());
    line.fall();
  });
  happen(plan.faults.clockJumps, () => {
    const byMs = drawJump(roll);
    trace.add(`the clock jumps by ${byMs}`);
    if (byMs < 0) backMs -= byMs;
    clock.jump(byMs);
    tempers.upset();
  });

  let steps = 0;
  const runUntil = async (mono: number, done: () => boolean): Promise<void> => {
    while (!done() && steps < STEPS_MAX && clock.step(mono)) {
      steps++;
      // Promises of this step settle before the next one, as between two turns of a real event loop.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  const allFinal = (): boolean => {
    if (store === undefined || clock.monotonicMs() < plan.spanMs + 2 * MINUTE_MS) return false;
    if (!clients.done()) return false;
    for (const { state } of store.tally()) if (!isFinal(state)) return false;
    return true;
  };

  function conclude(): void {
    if (steps >= STEPS_MAX) violation("the run does not end");
    if (store === undefined) violation("the daemon is not there at the end");
    else
      checkBooks({
        ...{ store, truth, accepted, submitted, violation, denied: names.denied },
        retry: plan.policy.retry,
        heldMs: isSteady(plan.faults) ? line.heldMs : () => 0,
      });
    clients.check();
    const health = life?.queue.health();
    if (violations.length === 0 && health?.pendingRecipients !== 0)
      violation(`the queue counts ${health?.pendingRecipients} recipients at the end`);
  }

  await runUntil(trouble.lastsMs, () => false);
  trace.add("everything is healed");
  faults = calm;
  line.heal();
  operator.heal();
  await runUntil(trouble.lastsMs + HEALED_MS + backMs, allFinal);
  conclude();
  const taken = [...truth.taken.values()].reduce((sum, count) => sum + count, 0);
  return { seed, hash: trace.hash(), violations, trace: trace.lines(), steps, taken };
}

function planted(store: QueueStore, plant: Plant | undefined, roll: () => number): QueueStore {
  if (plant === "key-apart") return storeWithKeysApart(store);
  if (plant === "key-in-memory") return storeWithKeysInMemory(store);
  if (plant === "cancel-forgotten") return storeWithoutCancel(store);
  if (plant === "list-forgotten") return storeWithoutList(store);
  return plant === "verdict-without-event" ? storeWithoutEvents(store, roll) : store;
}

/** A daemon that dies, or whose clock jumps, may know a little less of its outages. */
function isSteady({ kills, restarts, clockJumps }: FaultRates): boolean {
  return kills + restarts + clockJumps === 0;
}

function noteUnreached(store: QueueStore, verdict: Verdict, uncounted: Map<number, number>): void {
  const { message, n, claim, unreached } = verdict;
  const state = store.recipients(message)[n]?.state;
  if (unreached !== undefined && state?.at === "sending" && state.claim === claim)
    uncounted.set(claim, state.attempts);
}

function isHeld(store: QueueStore, { message, n, claim }: Verdict): boolean {
  const state = store.recipients(message)[n]?.state;
  return state?.at === "sending" && state.claim === claim;
}

/** Makes things happen at random times, so many an hour, until the time of trouble is over. */
function createChance(clock: SimClock, roll: () => number, lastsMs: number) {
  return (perHour: number, what: () => void): void => {
    if (perHour === 0) return;
    const next = (): void => {
      const waitMs = (-Math.log(1 - roll()) / perHour) * HOUR_MS;
      if (clock.monotonicMs() + waitMs >= lastsMs) return;
      clock.after(waitMs, () => {
        what();
        next();
      });
    };
    next();
  };
}

/** Mostly short; a few runs see lifetimes end. */
function drawTrouble(
  roll: () => number,
  stormy: boolean,
): { readonly lastsMs: number; readonly messagesMax: number } {
  if (stormy) return { lastsMs: 10 * MINUTE_MS, messagesMax: 40 };
  if (roll() < 0.05) return { lastsMs: 6 * DAY_MS, messagesMax: 3 };
  const lasts = [10 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, 6 * HOUR_MS];
  return { lastsMs: lasts[Math.floor(roll() * lasts.length)] as number, messagesMax: 40 };
}

function drawJump(roll: () => number): number {
  const sizes = [MINUTE_MS * 5, HOUR_MS, DAY_MS, 365 * DAY_MS];
  const size = sizes[Math.floor(roll() * sizes.length)] as number;
  const back = roll() < 0.5 && size <= DAY_MS;
  return back ? -size : size;
}
