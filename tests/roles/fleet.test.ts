import { expect, test } from "bun:test";
import { createFleet } from "../../src/roles/fleet.ts";
import type { DoorToQueue } from "../../src/roles/protocol.ts";
import type { spawn } from "../../src/roles/spawn.ts";
import type { Config } from "../../src/config.ts";
import { createSimClock } from "../sim/time.ts";

/** Senders that do nothing but what a test says. */
function setUp(workers: number) {
  const clock = createSimClock(0);
  const queue: DoorToQueue["say"][] = [];
  const logs: string[] = [];
  const forgotten: string[] = [];
  const threads: {
    said: string[];
    atWork: number[];
    replaces: boolean;
    killed: boolean;
    end(why: string | undefined): void;
  }[] = [];
  const fleet = createFleet({
    config: { workers } as Config,
    keys: () => [],
    clock,
    log: (_level, event) => void logs.push(event),
    toQueue: (message, transfer) => {
      queue.push(message.say);
      for (const port of transfer) port.close();
    },
    hear: () => () => {},
    traced: () => {},
    attempted: () => {},
    forget: (thread) => void forgotten.push(thread),
    spawn: (({ atWork, replaces }: { readonly atWork: number; readonly replaces: boolean }) => {
      let end: (why: string | undefined) => void = () => {};
      let tell = (_: unknown): void => {};
      const thread = {
        said: [] as string[],
        atWork: [atWork],
        replaces,
        killed: false,
        end: (why: string | undefined) => end(why),
      };
      threads.push(thread);
      return {
        say(message: { say: string; number?: number; workers?: number }) {
          thread.said.push(message.say);
          if (message.workers !== undefined) thread.atWork.push(message.workers);
          const { number } = message;
          if (message.say === "command") tell({ say: "told", number, answer: { kind: "done" } });
        },
        hear: (handle: typeof tell) => void (tell = handle),
        gone: (handle: typeof end) => void (end = handle),
        kill: () => void (thread.killed = true),
      };
    }) as unknown as typeof spawn,
  });
  const run = (forMs: number): void => {
    const until = clock.monotonicMs() + forMs;
    while (clock.step(until));
  };
  return { fleet, threads, queue, logs, forgotten, run };
}

test("a sender that dies is told to the queue, and its gauges are forgotten, before another takes its place", () => {
  const { threads, queue, forgotten, run } = setUp(1);
  threads[0]?.end("it broke");
  expect(forgotten).toEqual(["sender-0"]);
  run(1000);
  expect(threads).toHaveLength(2);
  expect(queue).toEqual(["sender", "senderLost", "sender"]);
});

test("one that takes the place of a dead sender knows that it does, and others know that they do not", () => {
  const { fleet, threads, run } = setUp(3);
  threads[0]?.end("it broke");
  run(1000);
  fleet.want(2);
  threads[1]?.end(undefined);
  run(1000);
  expect(threads.map(({ replaces }) => replaces)).toEqual([false, true, false, false]);
});

test("one that is about to be replaced is wanted or told of new settings meanwhile: only one takes its place", async () => {
  const { fleet, threads, queue, run } = setUp(2);
  threads[0]?.end("it broke");
  fleet.want(2);
  await fleet.configure({ workers: 2 } as Config);
  expect(threads).toHaveLength(2);
  run(1000);
  expect(threads).toHaveLength(3);
  expect(queue).toEqual(["sender", "senderLost", "sender", "sender"]);
  const stopped = fleet.stop(0);
  expect(threads.map(({ said }) => said.includes("stop"))).toEqual([false, true, true]);
  for (const thread of threads.slice(1)) thread.end(undefined);
  await stopped;
});

test("a sender is started when it is first wanted, and not ended when it is wanted no more", () => {
  const { fleet, threads, queue, run } = setUp(3);
  expect(threads).toHaveLength(1);
  fleet.want(2);
  fleet.want(2);
  expect(threads).toHaveLength(2);
  fleet.want(1);
  fleet.want(9);
  run(1000);
  expect(threads).toHaveLength(3);
  expect(queue).toEqual(["sender", "sender", "sender"]);
});

test("all are told how many share what the process has, and those that are started know", () => {
  const { fleet, threads } = setUp(3);
  fleet.want(2);
  fleet.want(3);
  fleet.want(1);
  expect(threads.map(({ atWork }) => atWork)).toEqual([
    [1, 2, 3, 1],
    [2, 3, 1],
    [3, 1],
  ]);
});

test("a sender that does not stop is ended, and the others are left alone", async () => {
  const { fleet, threads, logs, run } = setUp(2);
  fleet.want(2);
  const stopped = fleet.stop(1000);
  threads[0]?.end(undefined);
  run(60_000);
  expect(threads.map(({ killed }) => killed)).toEqual([false, true]);
  expect(logs).toEqual(["sender.did_not_stop"]);
  threads[1]?.end("killed");
  await stopped;
  run(60_000);
  expect(threads).toHaveLength(2);
});

test("threads are added and ended while the others work, and one that leaves can come back", async () => {
  const { fleet, threads, queue, run } = setUp(2);
  fleet.want(3);
  expect(threads).toHaveLength(2);
  const told = await fleet.configure({ workers: 3 } as Config);
  expect(told).toHaveLength(2);
  expect(threads).toHaveLength(3);
  await fleet.configure({ workers: 1 } as Config);
  expect(queue).toEqual(["sender", "sender", "sender"]);
  fleet.shrink(1000);
  expect(queue.slice(3)).toEqual(["senderLeaves", "senderLeaves"]);
  expect(threads.map(({ said }) => said.includes("stop"))).toEqual([false, true, true]);
  threads[2]?.end(undefined);
  fleet.shrink(1000);
  expect(threads[1]?.said.filter((one) => one === "stop")).toHaveLength(1);
  // One that leaves may be gone before it answers, and needs no settings.
  expect(await fleet.configure({ workers: 2 } as Config)).toHaveLength(1);
  expect(threads).toHaveLength(3);
  threads[1]?.end(undefined);
  run(1000);
  expect(threads).toHaveLength(4);
});
