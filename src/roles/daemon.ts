// The door's thread: starts the others, joins them by channels, serves HTTP, and ends all in the right order.
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { createMeter } from "../base/meter.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Config } from "../config.ts";
import { boundsOf } from "../mail/metrics.ts";
import { createMetrics, type Metrics } from "../report/metrics.ts";
import { readProcessFigures } from "../report/processFigures.ts";
import { exitCodes } from "../commands/exitCodes.ts";
import { version } from "../commands/version.ts";
import { KEY_FILE, prepareDataFolder } from "./dataFolder.ts";
import { createFleet } from "./fleet.ts";
import type { OpenDoor } from "./openDoor.ts";
import type { Common, DoorToQueue, QueueReady, QueueToDoor, QueueUnable } from "./protocol.ts";
import { createReaderThread } from "./readerThread.ts";
import { die, stopSignal } from "./signals.ts";
import { type Spawned, spawn } from "./spawn.ts";
import { createSubmitter, type Submitter } from "./submitter.ts";
import { reportEachSecond } from "./thread.ts";

/** How long running SMTP transactions may take to end once the daemon is told to stop. */
const GRACE_MS = 25_000;
/** How long accepted requests may wait for their commit then. */
const SETTLE_MS = 5_000;
const SETTLE_LOOK_MS = 10;

export interface Started {
  readonly version: string;
  readonly dataDir: string;
  readonly url: string;
  /** Null: the key was given as a setting. */
  readonly keyFile: string | null;
  readonly queue: { readonly recipients: number; readonly bytes: number };
}

export interface DaemonIo {
  readonly log: Log;
  /** The daemon serves. */
  started(facts: Started): void;
  /** It cannot: one sentence for people. */
  failed(text: string): void;
}

/** Resolves with the exit code once the daemon has ended. */
export async function runDaemon(config: Config, io: DaemonIo): Promise<number> {
  const { log } = io;
  const startedAt = systemClock.now();
  const prepared = prepareDataFolder(config.dataDir, config.apiKey);
  if (prepared.kind === "failed") {
    io.failed(`data_dir ${config.dataDir}: ${prepared.text}`);
    return exitCodes.failed;
  }
  const metrics = createMetrics(() => readProcessFigures(startedAt));
  const hear = createHearing(log, metrics);
  const queue = spawn<DoorToQueue, QueueToDoor>({ role: "queue", config, workers: config.workers });
  // The door's many modules are loaded while the queue opens its database: half of the time to listening.
  const [first, { openDoor }] = await Promise.all([firstWord(queue), import("./openDoor.ts")]);
  if (first.say === "unable") {
    // A refusal names the folder itself; a fault of the disk is told in the system's words.
    io.failed(first.why === "io" ? `data_dir ${config.dataDir}: ${first.text}` : first.text);
    return first.why === "io" ? exitCodes.disk : exitCodes.failed;
  }
  const house = await furnish({
    config,
    io,
    metrics,
    hear,
    queue,
    openDoor,
    ready: first,
    apiKey: prepared.apiKey,
  });
  if (typeof house === "string") {
    io.failed(house);
    return exitCodes.failed;
  }
  await stopSignal(log);
  return house.close();
}

type QueueThread = Spawned<DoorToQueue, QueueToDoor>;
/** Told the thread's name, since a gauge replaces what the same thread said before. */
type Hear = (thread: string) => (message: Common) => void;

/** Log lines and metrics, which all threads say alike. */
function createHearing(log: Log, metrics: Metrics): Hear {
  return (thread) => (message) => {
    switch (message.say) {
      case "log":
        return log(message.level, message.event, message.fields);
      case "samples":
        return metrics.add(thread, message.samples);
      case "stopped":
        return;
      default:
        return unreachable(message);
    }
  };
}

function firstWord(queue: QueueThread): Promise<QueueReady | QueueUnable> {
  return new Promise((resolve) => {
    queue.gone((why) => {
      const text = why ?? "the queue thread ended before it was ready";
      resolve({ say: "unable", why: "died", text });
    });
    queue.hear((message) => {
      if (message.say === "ready" || message.say === "unable") resolve(message);
    });
  });
}

interface Furnishing {
  readonly config: Config;
  readonly io: DaemonIo;
  readonly metrics: Metrics;
  readonly hear: Hear;
  readonly queue: QueueThread;
  readonly openDoor: OpenDoor;
  readonly ready: QueueReady;
  readonly apiKey: string;
}

interface House {
  /** Resolves with the exit code. */
  close(): Promise<number>;
}

/** Starts what is left to start; a text says why it could not. */
async function furnish(parts: Furnishing): Promise<House | string> {
  const { config, io, metrics, hear, queue, ready } = parts;
  const { log } = io;
  const clock = systemClock;
  const meter = createMeter(boundsOf);
  meter.gauge("postrider_build_info", { version, runtime: `bun ${Bun.version}` }).set(1);
  const submitter = createSubmitter({ clock, post: queue.say });
  const state = { draining: false, broken: false };
  // An invariant broke: nothing that this process believes can be trusted, so its manager starts it anew.
  const fail = (why: string): void => {
    state.broken = true;
    die(log, why);
  };
  hearTheQueue(parts, { answered: submitter.answered, fail });
  queue.gone((why) => (why === undefined ? undefined : fail(why)));
  const reader = createReaderThread({
    config,
    clock,
    log,
    hear: hear("reader"),
    forget: () => metrics.forget("reader"),
  });
  const stopReports = reportEachSecond(clock, meter, "door", () =>
    metrics.add("door", meter.drain()),
  );
  const opened = parts.openDoor({
    config,
    apiKey: parts.apiKey,
    ready,
    accept: submitter.accept,
    ask: reader.ask,
    isDraining: () => state.draining,
    meter,
    metrics,
    log,
  });
  const closeBooks = async (): Promise<void> => {
    const why = await stopThread(queue, { say: "stop" });
    if (why !== undefined) fail(why);
    await reader.stop();
  };
  if (opened.kind === "failed") {
    await closeBooks();
    stopReports();
    return opened.text;
  }
  // Only now: a daemon that cannot serve must not begin to send what the next one owes.
  const fleet = createFleet({
    config,
    clock,
    log,
    toQueue: queue.say,
    hear,
    forget: metrics.forget,
  });
  io.started({
    version,
    dataDir: config.dataDir,
    url: opened.url,
    keyFile: config.apiKey === null ? join(config.dataDir, KEY_FILE) : null,
    queue: { recipients: ready.health.pendingRecipients, bytes: ready.health.pendingBytes },
  });
  return {
    async close() {
      state.draining = true;
      await answerAll(submitter.open);
      queue.say({ say: "drain" });
      await fleet.stop(GRACE_MS);
      // Before the folder's lock is given up: a successor's socket has the same name.
      await opened.close();
      await closeBooks();
      stopReports();
      return state.broken ? exitCodes.disk : exitCodes.done;
    },
  };
}

/** What the queue thread says of itself and of what it was given. */
function hearTheQueue(
  { queue, hear }: Furnishing,
  to: { readonly answered: Submitter["answered"]; fail(why: string): void },
): void {
  const common = hear("queue");
  queue.hear((message) => {
    switch (message.say) {
      case "answers":
        return to.answered(message.batch, message.answers);
      case "fatal":
        return to.fail(message.text);
      case "ready":
      case "unable":
        return;
      default:
        return common(message);
    }
  });
}

/** Requests that were taken before the end began still get their commit and their answer. */
async function answerAll(open: () => number): Promise<void> {
  const untilMs = systemClock.monotonicMs() + SETTLE_MS;
  while (open() > 0 && systemClock.monotonicMs() < untilMs)
    await new Promise<void>((resolve) => systemClock.after(SETTLE_LOOK_MS, resolve));
}

/** Resolves with the reason when the thread died instead. */
function stopThread<In, Out>(thread: Spawned<In, Out>, stop: In): Promise<string | undefined> {
  return new Promise((resolve) => {
    thread.gone(resolve);
    thread.say(stop);
  });
}
