import { expect, test } from "bun:test";
import type { Clock } from "../../src/base/clock.ts";
import { noLog } from "../../src/base/log.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import { createUpkeep } from "../../src/queue/upkeep.ts";

const NOW = 1_800_000_000_000;
const HISTORY_MS = 86_400_000;

interface Sketch {
  readonly databaseBytes?: number;
  readonly keptBytes?: number;
  readonly forgets?: number;
  readonly fades?: number;
  readonly trims?: number;
  readonly tidies?: boolean;
}

function setUp(store: Sketch) {
  const faded: number[] = [];
  const waits: number[] = [];
  const asked: number[] = [];
  let next = (): void => {};
  const clock: Clock = {
    now: () => NOW,
    monotonicMs: () => 0,
    soon: (run) => run(),
    after(delayMs, run) {
      waits.push(delayMs);
      next = run;
      return { cancel: () => void (next = () => {}) };
    },
  };
  const upkeep = createUpkeep({
    clock,
    log: noLog,
    limits: { historyMs: HISTORY_MS, historyBytesMax: 1000 },
    store: {
      transaction: <T>(run: () => T) => ({ kind: "committed", value: run() }),
      forget(before: number) {
        asked.push(before);
        return store.forgets ?? 0;
      },
      trimOnces: () => store.trims ?? 0,
      fade(before: number) {
        faded.push(before);
        return store.fades ?? 0;
      },
      tidy: () => store.tidies ?? false,
      size: () => ({
        pendingBytes: 0,
        keptBytes: store.keptBytes ?? 0,
        databaseBytes: store.databaseBytes ?? 0,
        walBytes: 0,
      }),
    } as Partial<QueueStore> as QueueStore,
  });
  return { waits, asked, faded, upkeep, step: () => next() };
}

test("finished mail goes once it is older than the history", () => {
  const { asked, step } = setUp({});
  step();
  expect(asked).toEqual([NOW - HISTORY_MS]);
});

test("finished mail goes whatever its age while the file is too large", () => {
  const { asked, step } = setUp({ databaseBytes: 1001 });
  step();
  expect(asked).toEqual([NOW]);
});

test("kept bytes fade by their time, and before any history once they are too many", () => {
  const calm = setUp({ keptBytes: 10 });
  calm.step();
  expect(calm.faded).toEqual([NOW]);
  for (const much of [{ keptBytes: 1001 }, { databaseBytes: 1001, keptBytes: 10 }]) {
    const { asked, faded, step } = setUp(much);
    step();
    expect({ asked, faded }).toEqual({ asked: [NOW - HISTORY_MS], faded: [Infinity] });
  }
});

test("steps come close together only while there is more to do", () => {
  for (const busy of [{ forgets: 200 }, { fades: 100 }, { trims: 500 }, { tidies: true }]) {
    const { waits, step } = setUp(busy);
    step();
    expect(waits[1]).toBeLessThan(waits[0] as number);
  }
  const idle = setUp({ forgets: 1 });
  idle.step();
  expect(idle.waits[1]).toBe(idle.waits[0]);
});

test("a stopped upkeep takes no further step", () => {
  const { asked, upkeep, step } = setUp({});
  upkeep.stop();
  step();
  expect(asked).toEqual([]);
});
