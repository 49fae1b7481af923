// The reader as the door sees it: questions in, answers out, and a new thread in the place of one that died.
import type { Clock } from "../base/clock.ts";
import type { Log, LogLevels } from "../base/log.ts";
import type { Config } from "../config.ts";
import type { Answer, Query } from "../mail/query.ts";
import { type Asker, createAsker } from "./asker.ts";
import type { Common, DoorToReader, ReaderToDoor } from "./protocol.ts";
import { type Spawned, spawn } from "./spawn.ts";

const REPLACE_AFTER_MS = 500;

export interface ReaderThread {
  readonly ask: Asker<Query, Answer>["ask"];
  configure(config: Config): void;
  logFrom(levels: LogLevels): void;
  stop(): Promise<void>;
}

export function createReaderThread(deps: {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  hear(message: Common): void;
  /** It died: what its gauges said holds no more. */
  forget(): void;
}): ReaderThread {
  const { clock, log } = deps;
  let { config } = deps;
  let stopping = false;
  let alive = false;
  let whenGone = (): void => {};
  let thread: Spawned<DoorToReader, ReaderToDoor> = launch();
  const asker = createAsker<Query, Answer>({
    clock,
    busy: { kind: "busy" },
    post: (number, query) => thread.say({ say: "ask", number, query }),
  });

  function launch(): Spawned<DoorToReader, ReaderToDoor> {
    const launched = spawn<DoorToReader, ReaderToDoor>({ role: "reader", config });
    alive = true;
    launched.hear((message) => {
      if (message.say === "answer") asker.answered(message.number, message.answer);
      else deps.hear(message);
    });
    launched.gone((why) => {
      alive = false;
      if (stopping) return whenGone();
      log("error", "reader.died", { why: why ?? "it ended by itself" });
      deps.forget();
      asker.lost();
      clock.after(REPLACE_AFTER_MS, () => {
        if (!stopping) thread = launch();
      });
    });
    return launched;
  }

  return {
    ask: asker.ask,
    configure(next) {
      config = next;
      if (alive) thread.say({ say: "levels", levels: next.logLevel });
    },
    logFrom(logLevel) {
      config = { ...config, logLevel };
      if (alive) thread.say({ say: "levels", levels: logLevel });
    },
    stop() {
      stopping = true;
      if (!alive) return Promise.resolve();
      return new Promise((resolve) => {
        whenGone = resolve;
        thread.say({ say: "stop" });
      });
    },
  };
}
