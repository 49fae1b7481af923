// The queue's end of the thread that writes the log back. It is started when the log has first grown long, which on a quiet host never
// happens; without it the writer does that work itself.
import type { Log } from "../base/log.ts";
import { unreachable } from "../base/unreachable.ts";
import type { QueueStore } from "../queue/store.ts";
import { type Helper, whoWritesBack } from "../queue/writeBack.ts";
import type { QueueToWriteBack, WriteBackToQueue } from "./protocol.ts";
import { spawn, type Spawned } from "./spawn.ts";

export interface WritingBack {
  /** To be called when the answers of a commit are out. */
  look(): void;
  /** Calls back when nobody but the writer is at the database. */
  stop(then: () => void): void;
}

export function createWritingBack(deps: {
  readonly store: Pick<QueueStore, "logLength" | "writeBack" | "fail">;
  readonly dataDir: string;
  readonly log: Log;
  readonly spawn?: typeof spawn<QueueToWriteBack, WriteBackToQueue>;
}): WritingBack {
  const { store, dataDir, log } = deps;
  let thread: Spawned<QueueToWriteBack, WriteBackToQueue> | undefined;
  let helper: Helper = "free";
  let whenGone = (): void => {};

  const start = (): Spawned<QueueToWriteBack, WriteBackToQueue> => {
    const started = (deps.spawn ?? spawn<QueueToWriteBack, WriteBackToQueue>)({
      role: "writeBack",
      dataDir,
    });
    started.hear((message) => {
      if (message.say !== "wroteBack") return;
      helper = "free";
      if (message.failed !== null) store.fail(message.failed);
    });
    started.gone((why) => {
      helper = "none";
      thread = undefined;
      if (why !== undefined) log("error", "store.write_back_lost", { why });
      whenGone();
    });
    return started;
  };

  return {
    look() {
      const who = whoWritesBack(store.logLength(), helper);
      switch (who) {
        case "nobody":
          return;
        case "writer":
          return store.writeBack();
        case "helper":
          thread ??= start();
          helper = "busy";
          return thread.say({ say: "writeBack" });
        default:
          return unreachable(who);
      }
    },
    stop(then) {
      if (thread === undefined) return then();
      whenGone = then;
      thread.say({ say: "stop" });
    },
  };
}
