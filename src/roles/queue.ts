// The queue thread: the only writer of postrider.db. It hears batches from the door and verdicts from the senders, and all that it
// does with them is in queue/; what is wired here is the store, the DNS and the channels.
import { readdirSync, statfsSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Config } from "../config.ts";
import type { KeyRecord } from "../mail/apiKey.ts";
import { type Command, type CommandAnswer, done } from "../mail/command.ts";
import type { AcceptAnswer, Refusal } from "../mail/submission.ts";
import { createQueue } from "../queue/engine.ts";
import type { Queue } from "../queue/queue.ts";
import { DAY_MS } from "../queue/retry.ts";
import { openSqliteStore } from "../queue/sqlite.ts";
import { createSources } from "../queue/sources.ts";
import type { Keeping, QueueStore } from "../queue/store.ts";
import { createUpkeep, type HistoryLimits } from "../queue/upkeep.ts";
import { attemptsFor } from "./attemptTelling.ts";
import { SPOOL_FOLDER } from "./dataFolder.ts";
import { dnsHandlers } from "./handlers/dns.ts";
import { explainHandlers } from "./handlers/explain.ts";
import { handle, type Handlers } from "./handlers/handle.ts";
import { queueHandlers } from "./handlers/queue.ts";
import { webhookHandlers } from "./handlers/webhooks.ts";
import { createListening, type Listening } from "./listening.ts";
import type {
  AcceptBatch,
  Configure,
  DoorToQueue,
  QueueAnswers,
  QueueToDoor,
  ThreadStart,
} from "./protocol.ts";
import { watchKeys } from "./keyWatch.ts";
import { warnOfStrangers } from "./ownAddresses.ts";
import { createRouting } from "./routing.ts";
import { createSenderPorts, type SenderPorts } from "./senderPorts.ts";
import { queuePolicy, sourceSettings } from "./settings.ts";
import { createThread, type Thread } from "./thread.ts";
import { packAnswers, unpack, unpackOnces } from "./wire.ts";

type QueueThread = Thread<QueueToDoor, DoorToQueue>;

/** Below so many times the reserve finished mail is forgotten, whatever its age: it goes before mail is refused. */
const CRAMPED_SHARE = 2;
/** How often the disk's free space is looked at. */
const DISK_LOOK_MS = 250;
/** How long the senders' last verdicts are waited for. */
const BYE_TIMEOUT_MS = 5000;

export function runQueue(start: Extract<ThreadStart, { role: "queue" }>): void {
  const { config } = start;
  const clock = systemClock;
  let report = (): void => {};
  const thread: QueueThread = createThread({
    name: "queue",
    levels: config.logLevel,
    measures: config.metrics,
    beforeReport: () => report(),
  });
  const opened = openSqliteStore({ dataDir: config.dataDir, random: systemRandom });
  if (opened.kind === "refused") {
    thread.say({ say: "unable", why: opened.why, text: opened.text });
    return thread.stopped();
  }
  const { store } = opened;
  const { log, meter } = thread;
  for (const text of store.facts.faults) log("error", "store.damaged", { text });
  const fatal = (text: string): void => thread.say({ say: "fatal", text });
  const spool = join(config.dataDir, SPOOL_FOLDER);
  sweepSpool(spool, store, log);
  const routing = createRouting({ config, clock, random: systemRandom, meter, log, store });
  const senders = createSenderPorts(clock);
  const sources = createSources({
    settings: sourceSettings(config),
    ...{ log, roll: systemRandom.roll, recall: store.recallOne },
  });
  warnOfStrangers(config.sources, log);
  const listening = createListening(store, () => thread.say({ say: "moved" }));
  const tell = (keys: readonly KeyRecord[]): void => thread.say({ say: "keys", keys });
  const keyed = watchKeys({ store, clock, log, fatal, tell });
  let telling = attemptsFor(config, null, thread.say);
  const queue = createQueue({
    ...{ store: keyed.depths.store, depths: keyed.depths },
    ...{ clock, random: systemRandom, sources, meter, log, logs: thread.logs, fatal },
    ...{ routeFor: routing.routeFor, ownRelays: routing.ownRelays, signs: routing.signs },
    ...{ send: senders.send, recall: senders.recall, part: senders.part, adopt: senders.adopt },
    workers: start.workers,
    policy: queuePolicy(config),
    untried({ message, n, address, attempts, claim = 0, sizeBytes = 0, ...rest }, lookup, ended) {
      const recipients = [{ n, address, claim, attempts }];
      const job = { ...rest, message, sizeBytes, lookup, recipients };
      const verdict = { ...ended, message, n, doubt: false };
      telling?.ended(verdict, job, clock.monotonicMs());
    },
    onAtWork: (workers) => thread.say({ say: "atWork", workers }),
    onUplink: (uplink) => thread.say({ say: "uplink", uplink }),
    onCommit() {
      listening.committed();
      store.writeBack();
    },
    dropSpool: (files) => files.forEach((file) => drop(join(spool, file), log)),
  });
  senders.tell(queue);
  store.keep(keepingOf(config));
  let reserveBytes = config.diskReserveBytes;
  const upkeep = createUpkeep({
    ...{ store, clock, log },
    limits: historyLimits(config),
    isCramped: () => freeBytes(config.dataDir) < CRAMPED_SHARE * reserveBytes,
  });
  const disk = watchDisk(queue, store, config.dataDir, (refusing) =>
    thread.say({ say: "standing", refusing }),
  );
  report = () => {
    queue.measure();
    routing.measure();
    gauge(thread, store, config.dataDir);
    meter.gauge("postrider_disk_reserve_bytes").set(reserveBytes);
  };

  const configure = ({ config: next }: Configure): CommandAnswer => {
    thread.logFrom(next.logLevel);
    meter.turn(next.metrics);
    store.keep(keepingOf(next));
    upkeep.configure(historyLimits(next));
    reserveBytes = next.diskReserveBytes;
    routing.configure(next);
    sources.configure(sourceSettings(next));
    queue.configure({ policy: queuePolicy(next), workers: next.workers });
    queue.reopen();
    telling = attemptsFor(next, telling, thread.say);
    return done(null);
  };
  const handlers: Handlers<Command | Configure> = {
    configure,
    ...queueHandlers(queue, { log, tag: store.facts.tag }),
    ...explainHandlers({ queue, store, routing, sources, clock }),
    ...dnsHandlers(routing.dns, clock),
    ...keyed.handlers,
    ...webhookHandlers({ ...{ store, fatal, clock }, tell: thread.say }),
  };
  const stop = (): void => {
    disk.stop();
    upkeep.stop();
    queue.stop();
    keyed.stop();
    routing.close();
    store.close();
    thread.stopped();
  };
  const answer = (answers: QueueAnswers): void => start.answers.postMessage(answers);
  hearDoor(thread, { queue, senders, listening, handlers, stop, answer });
  queue.start();
  const { tag, lastId } = store.facts;
  const books = { keys: store.keys(), webhooks: store.webhooks() };
  thread.say({ say: "ready", tag, lastId, health: queue.health(), ...books });
}

interface Heard {
  readonly queue: Queue;
  readonly senders: SenderPorts;
  readonly listening: Listening;
  readonly handlers: Handlers<Command | Configure>;
  readonly stop: () => void;
  readonly answer: (answers: QueueAnswers) => void;
}

function hearDoor(thread: QueueThread, parts: Heard): void {
  const { queue, senders, listening, handlers } = parts;
  thread.hear((message) => {
    switch (message.say) {
      case "accept":
        return accept(parts, message);
      case "sender":
        return senders.join(message.index, message.port);
      case "senderLost":
        senders.leave(message.index);
        return queue.workerLost(message.index);
      case "senderLeaves":
        return senders.retire(message.index);
      case "command":
        return void handle(handlers, message.command).then((answer) =>
          thread.say({ say: "told", number: message.number, answer }),
        );
      case "listen":
        return listening.listen(message.afterRow);
      case "drain":
        queue.drain();
        return senders.noMoreJobs();
      case "stop":
        return senders.whenAllSaidBye(BYE_TIMEOUT_MS, parts.stop);
      default:
        return unreachable(message);
    }
  });
}

function keepingOf({ deadLetterDays, keepBodies }: Config): Keeping {
  return { deadMs: deadLetterDays * DAY_MS, all: keepBodies };
}

function historyLimits({ historyDays, historyMaxBytes }: Config): HistoryLimits {
  return { historyMs: historyDays * DAY_MS, historyBytesMax: historyMaxBytes };
}

/** Answers of one batch may come in several commits; they travel back when the last one is there. */
function accept({ queue, answer: tell }: Heard, message: AcceptBatch): void {
  const { batch, packed, groups } = message;
  const pieces = unpack(packed);
  const onces = unpackOnces(message.onces);
  const answers: AcceptAnswer[] = new Array<AcceptAnswer>(groups.length);
  let missing = groups.length;
  let from = 0;
  groups.forEach((count, i) => {
    const answer = (answer: AcceptAnswer): void => {
      answers[i] = answer;
      if (--missing === 0) tell({ batch, answers: packAnswers(answers) });
    };
    queue.accept(pieces.slice(from, from + count), answer, onces[i]);
    from += count;
  });
}

/** Also tells the door whether mail is taken, so that nobody uploads what would be refused. */
function watchDisk(
  queue: Queue,
  store: QueueStore,
  dataDir: string,
  tell: (refusing: Refusal | null) => void,
) {
  let told: Refusal | null = null;
  const look = (): void => {
    const { walBytes } = store.size();
    queue.pressure({ freeBytes: freeBytes(dataDir), walBytes });
    const refusing = queue.standing();
    if (refusing !== told) tell(refusing);
    told = refusing;
  };
  const again = (): void => {
    look();
    timer = systemClock.after(DISK_LOOK_MS, again);
  };
  look();
  let timer = systemClock.after(DISK_LOOK_MS, again);
  return { stop: () => timer.cancel() };
}

function sizeBytes(dataDir: string): number {
  const { blocks, bsize } = statfsSync(dataDir);
  return blocks * bsize;
}

function freeBytes(dataDir: string): number {
  const { bavail, bsize } = statfsSync(dataDir);
  return bavail * bsize;
}

function gauge({ meter }: QueueThread, store: QueueStore, dataDir: string): void {
  const { walBytes } = store.size();
  meter.gauge("postrider_db_wal_bytes").set(walBytes);
  meter.gauge("postrider_history_bytes").set(store.historyBytes());
  meter.gauge("postrider_disk_free_bytes").set(freeBytes(dataDir));
  meter.gauge("postrider_disk_size_bytes").set(sizeBytes(dataDir));
}

/** Files that no message names: their acceptance was never committed, or their last recipient is final. */
function sweepSpool(folder: string, store: QueueStore, log: Log): void {
  const owned = new Set(store.spooled());
  for (const file of readdirSync(folder)) if (!owned.has(file)) drop(join(folder, file), log);
}

function drop(path: string, log: Log): void {
  unlink(path).catch((error: NodeJS.ErrnoException) => {
    // The next start sweeps what could not be removed now.
    if (error.code !== "ENOENT") log("warn", "spool.not_removed", { path, text: error.message });
  });
}
