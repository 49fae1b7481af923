// One life of the daemon in the simulator: the real queue engine over the memory disk, the real senders over the simulated network,
// and the ports between them. It dies as a whole, or loses a sender, whenever the world says so.
import type { Clock } from "../../src/base/clock.ts";
import { createMeter } from "../../src/base/meter.ts";
import { noLog } from "../../src/base/log.ts";
import type { Random } from "../../src/base/random.ts";
import { createSender, type Sender } from "../../src/deliver/sender.ts";
import { deliverDefaults } from "../../src/deliver/settings.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { createQueue } from "../../src/queue/engine.ts";
import type { Dispatch } from "../../src/queue/launch.ts";
import type { Queue } from "../../src/queue/queue.ts";
import { createSources, type Sources } from "../../src/queue/sources.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import { attemptOrder } from "../../src/route/order.ts";
import { coldSource, warmSource } from "./caps.ts";
import type { Line } from "./line.ts";
import type { Names } from "./names.ts";
import type { Network } from "./network.ts";
import type { Plan } from "./plan.ts";
import type { SimClock } from "./time.ts";

export interface ProcessDeps {
  readonly clock: SimClock;
  readonly random: Random;
  readonly plan: Plan;
  readonly network: Network;
  readonly names: Names;
  readonly store: QueueStore;
  readonly spool: Map<string, Uint8Array>;
  /** Numbers for things that can die. */
  readonly nextOwner: () => number;
  /** How long a verdict stays in its port. */
  readonly portMs: () => number;
  readonly sent: (dispatch: Dispatch) => void;
  readonly heard: (verdict: Verdict) => Verdict;
  readonly fatal: (text: string) => void;
  readonly line: Line;
}

export interface Process {
  readonly queue: Queue;
  readonly store: QueueStore;
  /** Every thread of it is gone at once. */
  kill(): void;
  /** One sender is gone; another takes its place, and the queue hears of it. */
  loseWorker(worker: number): void;
  /** So much of a core is what the senders say that they take, whatever they do: more of them get to work, or fewer. */
  strain(cpuShare: number): void;
  /** Ends as SIGTERM wants it; `done` once nothing runs any more. */
  stop(done: () => void): void;
}

/** A dead thread is noticed once its sockets are closed and what it wrote has arrived. */
const NOTICE_MS = 700;
const GRACE_MS = 30_000;
/** When they say so: long enough for more to begin, for sites that do not move to go on, and for one to be sent home. */
const STRAIN_MS = [0, 2_500, 5_000, 32_000];

function sourcesOf({ store, random }: ProcessDeps, steps: readonly number[]): Sources {
  return createSources({
    settings: { sources: [coldSource, warmSource], bySender: new Map() },
    log: noLog,
    roll: random.roll,
    recall: store.recallOne,
    steps,
  });
}

export function startProcess(deps: ProcessDeps): Process {
  const { clock, random, plan, network, store } = deps;
  const owner = deps.nextOwner();
  const own = clock.of(owner);
  deps.line.begin();
  let alive = true;
  const senders: { sender: Sender; owner: number }[] = [];

  const startSender = (worker: number, replaces = false): void => {
    const senderOwner = deps.nextOwner();
    const sender = createSender({
      clock: clock.of(senderOwner),
      random,
      connect: network.connectFor(senderOwner),
      meter: createMeter(boundsOf),
      log: noLog,
      settings: {
        ...deliverDefaults,
        siteConnections: plan.siteConnections,
        relayConnections: plan.siteConnections,
        maxConnections: plan.maxConnections,
        connectionMessages: plan.connectionMessages,
      },
      replaces,
      verdict: (verdict) => post(deps, () => alive, verdict, queue),
      readSpool: (file) => readSpool(deps.spool, file),
      order: (route) => attemptOrder(route, random),
    });
    senders[worker] = { sender, owner: senderOwner };
  };

  const queue = createQueue({
    store,
    clock: own,
    random,
    routeFor: deps.names.resolver(own),
    ...(plan.steps === null ? {} : { sources: sourcesOf(deps, plan.steps) }),
    workers: plan.workers,
    send(worker, batch) {
      for (const dispatch of batch) deps.sent(dispatch);
      const to = senders[worker];
      if (to === undefined) throw new Error(`no sender ${worker}`);
      clock.of(to.owner).after(random.roll(), () => {
        for (const { job, route, body } of batch) to.sender.submit(job, route, body);
      });
    },
    recall(worker, recall) {
      const to = senders[worker];
      // Behind whatever was sent before.
      if (to !== undefined)
        clock.of(to.owner).after(1, () => {
          const late = to.sender.recall(recall);
          clock.after(deps.portMs(), () => void (alive && queue.recalled(late)));
        });
    },
    part(worker, sites) {
      const to = senders[worker];
      if (to === undefined) return;
      clock.of(to.owner).after(1, () => {
        to.sender.part(sites, (gone) => {
          clock.after(deps.portMs(), () => void (alive && queue.parted(worker, gone)));
        });
      });
    },
    adopt(worker, parted) {
      const to = senders[worker];
      if (to !== undefined) clock.of(to.owner).after(0, () => to.sender.adopt(parted));
    },
    signs: deps.line.signs(own),
    onUplink: deps.line.told,
    policy: plan.policy,
    meter: createMeter(boundsOf),
    log: noLog,
    fatal: deps.fatal,
    dropSpool: (files) => files.forEach((file) => deps.spool.delete(file)),
  });
  for (let worker = 0; worker < plan.workers; worker++) startSender(worker);
  queue.start();

  const losing = new Set<number>();
  const killSender = (worker: number): void => {
    const one = senders[worker];
    if (one === undefined) return;
    clock.kill(one.owner);
    network.kill(one.owner);
  };
  return {
    queue,
    store,
    kill() {
      alive = false;
      clock.kill(owner);
      for (let worker = 0; worker < plan.workers; worker++) killSender(worker);
    },
    loseWorker(worker) {
      if (losing.has(worker)) return;
      losing.add(worker);
      killSender(worker);
      own.after(NOTICE_MS, () => {
        losing.delete(worker);
        // Jobs that were posted to the dead one meanwhile are among its leases.
        queue.workerLost(worker);
        startSender(worker, true);
      });
    },
    strain(cpuShare) {
      for (const afterMs of STRAIN_MS)
        own.after(afterMs, () => {
          for (let worker = 0; worker < plan.workers; worker++)
            queue.loaded(worker, { cpuShare, isFull: false });
        });
    },
    stop(done) {
      queue.drain();
      for (const { sender } of senders) void sender.stop(GRACE_MS);
      void queue.idle().then(() => {
        if (!alive) return;
        queue.stop();
        done();
      });
    },
  };
}

function post(deps: ProcessDeps, alive: () => boolean, verdict: Verdict, queue: Queue): void {
  const world: Clock = deps.clock;
  world.after(deps.portMs(), () => {
    if (alive()) queue.settle([deps.heard(verdict)]);
  });
}

async function* readSpool(
  spool: ReadonlyMap<string, Uint8Array>,
  file: string,
): AsyncGenerator<Uint8Array> {
  const bytes = spool.get(file);
  if (bytes === undefined) throw new Error(`spool file ${file} is missing`);
  const half = bytes.length >> 1;
  yield bytes.subarray(0, half);
  yield bytes.subarray(half);
}
