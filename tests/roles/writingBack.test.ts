// Who writes the log back: a thread that is started when it is first wanted, and the writer itself when there is none.
import { expect, test } from "bun:test";
import type { LogLength } from "../../src/queue/writeBack.ts";
import type { Failed } from "../../src/queue/store.ts";
import type { QueueToWriteBack, WriteBackToQueue } from "../../src/roles/protocol.ts";
import type { Spawned } from "../../src/roles/spawn.ts";
import { createWritingBack } from "../../src/roles/writingBack.ts";

function stage() {
  const told: string[] = [];
  const said: string[] = [];
  const failures: Failed[] = [];
  const length: { now: LogLength } = { now: { pages: 0, written: 0 } };
  let started = 0;
  let hear: (message: WriteBackToQueue) => void = () => {};
  let gone: (why: string | undefined) => void = () => {};
  const thread = {
    say: (message: QueueToWriteBack) => void said.push(message.say),
    hear: (handle: typeof hear) => void (hear = handle),
    gone: (handle: typeof gone) => void (gone = handle),
    kill() {},
  } as Spawned<QueueToWriteBack, WriteBackToQueue>;
  const writingBack = createWritingBack({
    store: {
      logLength: () => length.now,
      writeBack: () => void told.push("by the writer"),
      fail: (failed) => void failures.push(failed),
    },
    dataDir: "/nowhere",
    log: (_level, event) => void told.push(event),
    spawn() {
      started++;
      return thread;
    },
  });
  const long = { pages: 5000, written: 0 };
  return {
    ...{ writingBack, told, said, failures, length, long },
    started: () => started,
    wrote: (failed: Failed | null) => hear({ say: "wroteBack", failed }),
    ends: (why?: string) => gone(why),
  };
}

test("no thread is started as long as the log is short", () => {
  const { writingBack, said, started, length } = stage();
  length.now = { pages: 3999, written: 0 };
  writingBack.look();
  expect([started(), said]).toEqual([0, []]);
  let stopped = false;
  writingBack.stop(() => (stopped = true));
  expect(stopped).toBe(true);
});

test("one thread does it, one call at a time", () => {
  const { writingBack, said, started, length, long, wrote } = stage();
  length.now = long;
  writingBack.look();
  writingBack.look();
  expect(said).toEqual(["writeBack"]);
  wrote(null);
  writingBack.look();
  expect([started(), said]).toEqual([1, ["writeBack", "writeBack"]]);
});

test("the writer ends what is left, and does it all once the thread is gone", () => {
  const { writingBack, told, length, long, wrote, ends } = stage();
  length.now = long;
  writingBack.look();
  length.now = { pages: 5050, written: 5000 };
  writingBack.look();
  expect(told).toEqual([]);
  wrote(null);
  writingBack.look();
  expect(told).toEqual(["by the writer"]);
  ends("out of memory");
  length.now = { pages: 1000, written: 0 };
  writingBack.look();
  expect(told).toEqual(["by the writer", "store.write_back_lost", "by the writer"]);
});

test("what it met at the disk is the store's matter", () => {
  const { writingBack, failures, length, long, wrote } = stage();
  length.now = long;
  writingBack.look();
  const failed = { kind: "failed", why: "io", text: "EIO" } as const;
  wrote(failed);
  expect(failures).toEqual([failed]);
});

test("the database is closed behind the thread", () => {
  const { writingBack, said, told, length, long, ends } = stage();
  length.now = long;
  writingBack.look();
  let stopped = false;
  writingBack.stop(() => (stopped = true));
  expect([said, stopped]).toEqual([["writeBack", "stop"], false]);
  ends();
  expect([told, stopped]).toEqual([[], true]);
});
