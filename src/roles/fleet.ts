// The sender threads. Each is started when it is first wanted: most hosts never need the second. One that dies is replaced; the queue
// hears of it and takes its leases back with doubt (DESIGN 3).
import type { MessagePort } from "node:worker_threads";
import type { Clock } from "../base/clock.ts";
import type { Log, LogLevels } from "../base/log.ts";
import type { Config } from "../config.ts";
import { busy, type CommandAnswer, type SenderCommand } from "../mail/command.ts";
import type { DkimKey } from "../mail/dkim/key.ts";
import { createAsker } from "./asker.ts";
import type {
  Attempted,
  Common,
  Configure,
  DoorToQueue,
  DoorToSender,
  SenderToDoor,
  Traced,
} from "./protocol.ts";
import { channel, spawn } from "./spawn.ts";

/** A thread that dies at once, again and again, must not keep the cores busy. */
const REPLACE_AFTER_MS = 500;
/** A thread that has not stopped so long after its grace never will. */
const LATE_MS = 3_000;

export interface Fleet {
  /** Asks every thread that stays; one that does not answer in time is `busy`. */
  ask(command: SenderCommand): Promise<readonly CommandAnswer[]>;
  /** So many are to work: those that are missing are started, and all are told, since they share what the process has. */
  want(workers: number): void;
  /** Tells all, and starts those that are missing. */
  configure(config: Config): Promise<readonly CommandAnswer[]>;
  logFrom(levels: LogLevels): void;
  /** Ends those that are too many: the queue must have given their sites to others. */
  shrink(graceMs: number): void;
  /** Resolves when all have stopped. */
  stop(graceMs: number): Promise<void>;
}

export function createFleet(deps: {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** What mail is signed with at this moment. */
  readonly keys: () => readonly DkimKey[];
  toQueue(message: DoorToQueue, transfer: MessagePort[]): void;
  readonly spawn?: typeof spawn;
  /** Given the thread's name. */
  hear(thread: string): (message: Common) => void;
  traced(told: Traced): void;
  attempted(told: Attempted): void;
  /** The thread of that name is gone: what its gauges said holds no more. */
  forget(thread: string): void;
}): Fleet {
  const { clock } = deps;
  let { config } = deps;
  const running = new Map<number, ReturnType<typeof start>>();
  /** Told to end since they are too many; they still work for a while. */
  const leaving = new Set<number>();
  /** They died, and another takes their place in a moment. Nobody starts it before: two would both have the sites of one. */
  const mourned = new Set<number>();
  let atWork = 1;
  /** The most that ever were at work: they stay. */
  let wanted = atWork;
  let stopping = false;
  let whenNone = (): void => {};

  function start(index: number, replaces: boolean) {
    const name = `sender-${index}`;
    const thread = (deps.spawn ?? spawn)<DoorToSender, SenderToDoor>({
      role: "sender",
      config,
      index,
      keys: deps.keys(),
      atWork,
      replaces,
    });
    const { one, other } = channel();
    deps.toQueue({ say: "sender", index, port: one }, [one]);
    thread.say({ say: "queue", port: other }, [other]);
    const asker = createAsker<SenderCommand | Configure, CommandAnswer>({
      clock,
      busy,
      post: (number, command) => thread.say({ say: "command", number, command }),
    });
    const hear = deps.hear(name);
    thread.hear((message) => {
      if (message.say === "told") asker.answered(message.number, message.answer);
      else if (message.say === "traced") deps.traced(message);
      else if (message.say === "attempted") deps.attempted(message);
      else hear(message);
    });
    thread.gone((why) => {
      asker.lost();
      running.delete(index);
      leaving.delete(index);
      deps.forget(name);
      if (why !== undefined) {
        deps.log("error", "sender.died", { index, why });
        deps.toQueue({ say: "senderLost", index }, []);
        mourned.add(index);
        clock.after(REPLACE_AFTER_MS, () => {
          mourned.delete(index);
          launch(index, true);
        });
        // It was leaving when it was wanted again.
      } else launch(index);
      if (running.size === 0) whenNone();
    });
    return { ...thread, ask: asker.ask };
  }
  function launch(index: number, replaces = false): void {
    if (stopping || running.has(index) || mourned.has(index)) return;
    if (index < Math.min(config.workers, wanted)) running.set(index, start(index, replaces));
  }
  function launchMissing(): void {
    for (let index = 0; index < wanted; index++) launch(index);
  }
  const all = (command: SenderCommand | Configure): Promise<readonly CommandAnswer[]> => {
    const staying = [...running].filter(([index]) => !leaving.has(index));
    return Promise.all(staying.map(([, thread]) => thread.ask(command)));
  };
  launchMissing();

  return {
    ask: all,
    want(workers) {
      atWork = workers;
      wanted = Math.max(wanted, workers);
      for (const thread of running.values()) thread.say({ say: "atWork", workers });
      launchMissing();
    },
    configure(next) {
      config = next;
      const told = all({ do: "configure", config });
      launchMissing();
      return told;
    },
    logFrom(logLevel) {
      config = { ...config, logLevel };
      for (const thread of running.values()) thread.say({ say: "levels", levels: logLevel });
    },
    shrink(graceMs) {
      for (const [index, thread] of running) {
        if (index < config.workers || leaving.has(index)) continue;
        leaving.add(index);
        deps.toQueue({ say: "senderLeaves", index }, []);
        thread.say({ say: "stop", graceMs });
      }
    },
    stop(graceMs) {
      stopping = true;
      if (running.size === 0) return Promise.resolve();
      const late = clock.after(graceMs + LATE_MS, () => {
        for (const [index, thread] of running) {
          deps.log("error", "sender.did_not_stop", { index });
          thread.kill();
        }
      });
      const none = new Promise<void>((resolve) => (whenNone = resolve));
      for (const thread of running.values()) thread.say({ say: "stop", graceMs });
      return none.then(late.cancel);
    },
  };
}
