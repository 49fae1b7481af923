import { expect, test } from "bun:test";
import type { Config } from "../../src/config.ts";
import type {
  Common,
  DoorToQueue,
  Levels,
  QueueAnswers,
  QueueReady,
  QueueToDoor,
} from "../../src/roles/protocol.ts";
import { createQueueThread } from "../../src/roles/queueThread.ts";

const readyWord: QueueReady = {
  say: "ready",
  tag: "8000000000000000",
  lastId: 0,
  keys: [],
  webhooks: [],
  health: {
    pendingRecipients: 0,
    pendingBytes: 0,
    leased: 0,
    uplink: { state: "up", since: null, detail: null },
  },
};

function setUp() {
  const heard: Common[] = [];
  const failures: string[] = [];
  const said: (DoorToQueue | Levels)[] = [];
  let say = (_: QueueToDoor): void => {};
  let end = (_: string | undefined): void => {};
  let answer = (_: QueueAnswers): void => {};
  const queue = createQueueThread({
    start: { role: "queue", config: {} as Config, workers: 1 },
    clock: { soon: (run) => run(), after: () => ({ cancel: () => {} }) },
    hear: (message) => void heard.push(message),
    failed: (why) => void failures.push(why),
    spawn(start) {
      if (start.role === "queue") answer = (answers) => start.answers.postMessage(answers);
      return {
        say: (message) => void said.push(message),
        hear: (handle) => void (say = handle),
        gone: (handle) => void (end = handle),
        kill: () => {},
      };
    },
  });
  return {
    queue,
    heard,
    failures,
    said,
    say: (m: QueueToDoor) => say(m),
    answer: (m: QueueAnswers) => answer(m),
    end: (w?: string) => end(w),
  };
}

const damage: Common = { say: "log", level: "error", event: "store.damaged", fields: {} };

test("what the queue says before it is ready is heard", async () => {
  const { queue, heard, say } = setUp();
  say(damage);
  say(readyWord);
  expect(heard).toEqual([damage]);
  expect(await queue.first).toEqual(readyWord);
});

test("a queue that dies while the door still loads is a failure, not a silence", async () => {
  const { queue, failures, say, end } = setUp();
  say(readyWord);
  end("queue: out of memory");
  expect(failures).toEqual(["queue: out of memory"]);
  expect(queue.broken()).toBe(true);
  expect(await queue.first).toEqual(readyWord);
});

test("a queue that dies before it is ready is one that could not start", async () => {
  const { queue, failures, end } = setUp();
  end("queue: no");
  expect(await queue.first).toEqual({ say: "unable", why: "died", text: "queue: no" });
  expect(failures).toEqual([]);
});

test("a fatal word after the start fails the daemon", () => {
  const { queue, failures, say } = setUp();
  say(readyWord);
  say({ say: "fatal", text: "the disk failed" });
  expect(failures).toEqual(["the disk failed"]);
  expect(queue.broken()).toBe(true);
});

test("an ordered stop is no failure", async () => {
  const { queue, failures, said, say, end } = setUp();
  say(readyWord);
  const stopped = queue.stop();
  end();
  await stopped;
  expect(said).toEqual([{ say: "stop" }]);
  expect(failures).toEqual([]);
  expect(queue.broken()).toBe(false);
});

test("a command is answered by its number", async () => {
  const { queue, said, say } = setUp();
  say(readyWord);
  const command = { do: "queue.site", site: "mx.example" } as const;
  const asked = queue.order(command);
  expect(said).toEqual([{ say: "command", number: 1, command }]);
  say({ say: "told", number: 1, answer: { kind: "done", value: null } });
  expect(await asked).toEqual({ kind: "done", value: null });
});

test("what the queue answers is heard by the event loop, and before it when a call comes", async () => {
  const { queue, answer, say, end } = setUp();
  say(readyWord);
  const first = queue.accept([]);
  expect(queue.open()).toBe(1);
  answer({ batch: 1, answers: null });
  expect(queue.open()).toBe(1);
  const second = queue.accept([]);
  expect(queue.open()).toBe(1);
  answer({ batch: 2, answers: null });
  expect(await Promise.all([first, second])).toEqual([{ kind: "accepted" }, { kind: "accepted" }]);
  expect(queue.open()).toBe(0);
  end(undefined);
});
