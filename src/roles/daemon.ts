// The door's thread: starts the others, joins them by channels, serves HTTP, and ends all in the right order.
import { join } from "node:path";
import { type EpochMs, iso, pause, systemClock } from "../base/clock.ts";
import type { Log, LogLevels } from "../base/log.ts";
import { createMeter } from "../base/meter.ts";
import { systemRandom } from "../base/random.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Config, LoadedConfig } from "../config.ts";
import type { HostTag } from "../mail/id.ts";
import { boundsOf, hasExemplars } from "../mail/metrics.ts";
import { traceIdOf } from "../mail/traceContext.ts";
import type { Before } from "../report/journal.ts";
import { createFigures, type Figures } from "../report/figures.ts";
import { createMetrics, type Metrics } from "../report/metrics.ts";
import { readProcessFigures } from "../report/processFigures.ts";
import { createTraffic, type Traffic } from "../report/traffic.ts";
import { exitCodes } from "../commands/exitCodes.ts";
import { version } from "../commands/version.ts";
import { KEY_FILE, prepareDataFolder } from "./dataFolder.ts";
import { createExplain } from "./explain.ts";
import { createFleet, type Fleet } from "./fleet.ts";
import { createJournaling, type Journaling } from "./journaling.ts";
import { createLogLevelDesk, type LogLevelDesk } from "./logLevelDesk.ts";
import { follow } from "./following.ts";
import type { OpenDoor } from "./openDoor.ts";
import type { Common, QueueReady } from "./protocol.ts";
import { createQueueThread, type QueueThread } from "./queueThread.ts";
import { createReaderThread } from "./readerThread.ts";
import { createReloading } from "./reloading.ts";
import { die, onHangUp, stopSignal } from "./signals.ts";
import { openSigning } from "./signing.ts";
import { reportEachSecond } from "./thread.ts";
import { createTracing } from "./tracing.ts";
import { withUplink } from "./uplink.ts";

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
  /** Lines are written as these settings want it from now on. */
  logAs(config: Config): void;
  /** Other lines from now on. */
  logFrom(levels: LogLevels): void;
  /** The settings that are not the default, secrets masked. */
  readonly settings: string;
  /** The file of the settings; null: there is none. */
  readonly file: string | null;
  /** The settings as they are now. */
  load(): LoadedConfig;
  /** The daemon serves. */
  started(facts: Started): void;
  /** It cannot: one sentence for people. */
  failed(text: string): void;
}

/** Resolves with the exit code once the daemon has ended. */
export async function runDaemon(config: Config, given: DaemonIo): Promise<number> {
  const journal = createJournaling({
    ...{ clock: systemClock, levels: config.logLevel, write: given.log },
    turning: () => traffic.split(),
  });
  const { log } = journal;
  const traffic = createTraffic({ clock: systemClock, log, on: config.metrics });
  const io: DaemonIo = { ...given, log };
  // Before anything is begun that must be ended in order.
  const told = stopSignal(log);
  const startedAt = systemClock.now();
  const prepared = prepareDataFolder(config.dataDir, config.apiKey);
  if (prepared.kind === "failed") {
    io.failed(`data_dir ${config.dataDir}: ${prepared.text}`);
    return exitCodes.failed;
  }
  let tag: HostTag | undefined;
  const counted = createMetrics({
    clock: systemClock,
    startedAt,
    figures: () => readProcessFigures(startedAt),
    traceId: (message, trace) => (tag === undefined ? undefined : traceIdOf(message, tag, trace)),
  });
  const figures = createFigures({ clock: systemClock });
  const metrics = withListeners(counted, figures, traffic);
  const hear = createHearing(journal.hear, metrics);
  const queue = createQueueThread({
    start: { role: "queue", config, workers: config.workers },
    clock: systemClock,
    hear: hear("queue"),
    // Nothing that this process believes can be trusted any more, so its manager starts it anew.
    failed: (why) => die(log, why),
  });
  // The door's many modules are loaded while the queue opens its database.
  const [first, { openDoor }] = await Promise.all([queue.first, import("./openDoor.ts")]);
  if (first.say === "unable") {
    // A refusal names the folder itself; a fault of the disk is told in the system's words.
    io.failed(first.why === "io" ? `data_dir ${config.dataDir}: ${first.text}` : first.text);
    return first.why === "io" ? exitCodes.disk : exitCodes.failed;
  }
  tag = first.tag;
  const before = journal.open(config.dataDir, first.tag);
  const house = await furnish({
    ...{ config, io, journal, before, traffic },
    ...{ figures, startedAt },
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
  await told;
  const stoppedAtMs = systemClock.monotonicMs();
  const code = await house.close();
  traffic.close();
  log("info", "daemon.stopped", { took_ms: Math.round(systemClock.monotonicMs() - stoppedAtMs) });
  journal.close();
  return code;
}

/** What is told to the metrics is kept for the last minutes, and added up for the journal, too. */
function withListeners(metrics: Metrics, figures: Figures, traffic: Traffic): Metrics {
  return {
    ...metrics,
    add(source, samples) {
      figures.hear(source, samples);
      traffic.hear(samples);
      metrics.add(source, samples);
    },
    forget(source) {
      figures.forget(source);
      metrics.forget(source);
    },
  };
}

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

interface Furnishing {
  readonly config: Config;
  readonly io: DaemonIo;
  readonly journal: Journaling;
  readonly before: Before;
  readonly traffic: Traffic;
  readonly figures: Figures;
  readonly startedAt: EpochMs;
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
  const meter = createMeter(boundsOf, { on: config.metrics, hasExemplars });
  meter.gauge("postrider_build_info", { version, runtime: `bun ${Bun.version}` }).set(1);
  let draining = false;
  let fleet: Fleet | undefined;
  const askSenders: Fleet["ask"] = async (command) => (await fleet?.ask(command)) ?? [];
  const tracing = createTracing(askSenders);
  const signing = await openSigning({
    config,
    clock,
    random: systemRandom,
    ...{ log, meter },
    // Before the senders are started nobody need be told: they start with what there is.
    signWith: async (keys) => void (await askSenders({ do: "sender.keys", keys })),
  });
  if (typeof signing === "string") {
    await queue.stop();
    return signing;
  }
  const forget = (): void => metrics.forget("reader");
  const reader = createReaderThread({ config, clock, log, hear: hear("reader"), forget });
  const logLevel = openLogLevels(parts, () => [queue, reader, fleet]);
  const stopReports = reportEachSecond(clock, meter, "door", () =>
    metrics.add("door", meter.drain()),
  );
  const opened = await parts.openDoor({
    ...{ config, ready, meter, metrics, log },
    feed: follow(queue, reader.ask),
    apiKey: parts.apiKey,
    accept: queue.accept,
    ask: withUplink(reader.ask, queue.uplink),
    order: queue.order,
    onKeys: queue.onKeys,
    onWebhooks: queue.onWebhooks,
    trace: tracing.open,
    ...{ figures: parts.figures, startedAt: parts.startedAt, uplink: queue.uplink, askSenders },
    explain: createExplain({ order: queue.order, ask: reader.ask, askSenders }),
    reload: () => reload.run(),
    ...{ journal: withTraffic(parts), logLevel },
    refusing: queue.refusing,
    domains: signing.desk,
    signs: signing.covers,
    isDraining: () => draining,
  });
  const closeBooks = async (): Promise<void> => {
    await queue.stop();
    await reader.stop();
  };
  if (opened.kind === "failed") {
    await closeBooks();
    stopReports();
    return opened.text;
  }
  // Only now: a daemon that cannot serve must not begin to send what the next one owes.
  const [{ attempted }, { keys }] = [opened, signing.desk];
  queue.onAttempted(attempted);
  const told = { hear, forget: metrics.forget, traced: tracing.traced, attempted };
  const senders = createFleet({ config, clock, log, keys, toQueue: queue.say, ...told });
  fleet = senders;
  queue.onAtWork(senders.want);
  const reload = createReloading({
    ...{ config, log, meter, opened, senders, queue, reader, signing, traffic: parts.traffic },
    ...{ load: io.load, logAs: io.logAs, logFrom: logLevel.configure, graceMs: GRACE_MS },
  });
  const hangUps = onHangUp(() => void reload.run());
  tellStarted(parts, opened.url);
  return {
    async close() {
      draining = true;
      hangUps.stop();
      await opened.drain();
      await answerAll(queue.open);
      queue.say({ say: "drain" });
      await senders.stop(GRACE_MS);
      // Before the folder's lock is given up: a successor's socket has the same name.
      await opened.close();
      await closeBooks();
      stopReports();
      logLevel.close();
      return queue.broken() ? exitCodes.disk : exitCodes.done;
    },
  };
}

/** What has gone through since the last line stands behind them all: the present belongs to the answer. */
function withTraffic({ journal, traffic }: Furnishing): Journaling["read"] {
  return async (filter) => {
    const view = await journal.read(filter);
    const soFar = traffic.soFar();
    if (soFar === null) return view;
    const time = iso(systemClock.now());
    const line = { time, level: "info" as const, event: "daemon.traffic", ...soFar };
    const isAsked = filter.until === undefined && filter.events.length === 0 && !view.has_more;
    return isAsked ? { ...view, data: [...view.data, line] } : view;
  };
}

type Levelled = Pick<QueueThread, "logFrom"> | undefined;

function openLogLevels(parts: Furnishing, threads: () => readonly Levelled[]): LogLevelDesk {
  const { config, io, journal } = parts;
  return createLogLevelDesk({
    ...{ clock: systemClock, log: io.log, levels: config.logLevel },
    apply(levels) {
      io.logFrom(levels);
      journal.logFrom(levels);
      for (const thread of threads()) thread?.logFrom(levels);
    },
    configured: journal.logFrom,
  });
}

function tellStarted({ io, config, ready, before }: Furnishing, url: string): void {
  const { after, aliveAt } = before;
  const { pendingRecipients: recipients, pendingBytes: bytes } = ready.health;
  io.log("info", "daemon.started", {
    ...{ version, url, data_dir: config.dataDir, config: io.file, settings: io.settings },
    ...{ recipients, after },
    down_s: aliveAt === null ? null : Math.max(0, Math.round((systemClock.now() - aliveAt) / 1000)),
  });
  io.started({
    ...{ version, dataDir: config.dataDir, url, queue: { recipients, bytes } },
    keyFile: config.apiKey === null ? join(config.dataDir, KEY_FILE) : null,
  });
}

/** Requests that were taken before the end began still get their commit and their answer. */
async function answerAll(open: () => number): Promise<void> {
  const untilMs = systemClock.monotonicMs() + SETTLE_MS;
  while (open() > 0 && systemClock.monotonicMs() < untilMs)
    await pause(systemClock, SETTLE_LOOK_MS);
}
