import { expect, test } from "bun:test";
import type { Clock } from "../../src/base/clock.ts";
import { noLog } from "../../src/base/log.ts";
import type { OnceTrim, QueueStore } from "../../src/queue/store.ts";
import { createUpkeep } from "../../src/queue/upkeep.ts";

const NOW = 1_800_000_000_000;
const HISTORY_MS = 86_400_000;

interface Sketch {
  readonly historyBytes?: number;
  readonly isCramped?: boolean;
  readonly keptBytes?: number;
  readonly forgets?: number;
  readonly forgetsMore?: boolean;
  readonly fades?: number;
  readonly trims?: number;
  readonly tidies?: boolean;
}

function setUp(store: Sketch) {
  const faded: number[] = [];
  const waits: number[] = [];
  const asked: number[] = [];
  const trims: OnceTrim[] = [];
  const time = { wall: NOW, mono: 0 };
  let next = (): void => {};
  const clock: Clock = {
    now: () => time.wall,
    monotonicMs: () => time.mono,
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
    isCramped: () => store.isCramped ?? false,
    store: {
      transaction: <T>(run: () => T) => ({ kind: "committed", value: run() }),
      forget(before: number) {
        asked.push(before);
        return { messages: store.forgets ?? 0, more: store.forgetsMore ?? false };
      },
      trimOnces(trim: OnceTrim) {
        trims.push(trim);
        return store.trims ?? 0;
      },
      fade(before: number) {
        faded.push(before);
        return store.fades ?? 0;
      },
      historyBytes: () => store.historyBytes ?? 0,
      tidy: () => store.tidies ?? false,
      size: () => ({
        pendingBytes: 0,
        keptBytes: store.keptBytes ?? 0,
        databaseBytes: 0,
        walBytes: 0,
      }),
    } as Partial<QueueStore> as QueueStore,
  });
  /** Lets time go by until the next step. */
  const step = (): void => {
    const before = asked.length;
    for (let looks = 0; looks < 100 && asked.length === before; looks++) next();
  };
  return { waits, asked, faded, trims, time, upkeep, step };
}

test("finished mail goes once it is older than the history", () => {
  const { asked, step } = setUp({});
  step();
  expect(asked).toEqual([NOW - HISTORY_MS]);
});

test("finished mail goes before the disk is full, once free pages have been given back", () => {
  const cramped = setUp({ isCramped: true });
  cramped.step();
  expect(cramped.asked).toEqual([Infinity]);
  const shrinking = setUp({ isCramped: true, tidies: true });
  shrinking.step();
  shrinking.step();
  expect(shrinking.asked).toEqual([Infinity, NOW - HISTORY_MS]);
});

test("what must go goes faster than mail can come", () => {
  const { waits, step } = setUp({ historyBytes: 1001, forgetsMore: true });
  step();
  expect(waits).toEqual([250, 10]);
});

test("nothing is done for two seconds while nothing is to be done", () => {
  const { waits, step } = setUp({});
  step();
  expect(waits.slice(0, -1).reduce((sum, ms) => sum + ms, 0)).toBe(2000);
});

test("finished mail goes whatever its age while there is too much of it", () => {
  const { asked, step } = setUp({ historyBytes: 1001 });
  step();
  expect(asked).toEqual([Infinity]);
});

test("kept bytes fade by their time, and before any history once they are too many", () => {
  const calm = setUp({ keptBytes: 10 });
  calm.step();
  expect(calm.faded).toEqual([NOW]);
  for (const much of [{ keptBytes: 1001 }, { historyBytes: 1001, keptBytes: 10 }]) {
    const { asked, faded, step } = setUp(much);
    step();
    expect({ asked, faded }).toEqual({ asked: [NOW - HISTORY_MS], faded: [Infinity] });
  }
});

test("steps come close together only while there is more to do", () => {
  for (const busy of [{ forgetsMore: true }, { fades: 100 }, { trims: 500 }, { tidies: true }]) {
    const { waits, step } = setUp(busy);
    step();
    expect(waits.at(-1)).toBeLessThan(waits[0] as number);
  }
  const idle = setUp({ forgets: 200 });
  idle.step();
  expect(idle.waits.at(-1)).toBe(idle.waits[0] as number);
});

test("a stopped upkeep takes no further step", () => {
  const { asked, upkeep, step } = setUp({});
  upkeep.stop();
  step();
  expect(asked).toEqual([]);
});

test("requests are known for a day, and for an hour after the clock leapt a day ahead", () => {
  const { trims, time, step } = setUp({});
  const day = 86_400_000;
  const hour = 3_600_000;
  step();
  time.wall += 10 * day;
  time.mono += 1000;
  step();
  time.wall += hour / 2;
  time.mono += hour / 2;
  step();
  time.wall += hour;
  time.mono += hour;
  step();
  expect(trims.map(({ before }) => before)).toEqual([
    NOW - day,
    -Infinity,
    -Infinity,
    time.wall - day,
  ]);
  expect(trims[0]?.bytesMax).toBe(250);
});

test("history and kept bytes are not old for an hour after the clock leapt a year ahead, unless there is too much", () => {
  const calm = setUp({});
  const crowded = setUp({ historyBytes: 1001 });
  for (const { time, step } of [calm, crowded]) {
    step();
    time.wall += 365 * 86_400_000;
    step();
    time.mono += 3_600_000 + 1;
    time.wall += 3_600_000 + 1;
    step();
  }
  const now = calm.time.wall;
  expect(calm.asked).toEqual([NOW - HISTORY_MS, -Infinity, now - HISTORY_MS]);
  expect(calm.faded).toEqual([NOW, -Infinity, now]);
  expect(crowded.asked).toEqual([Infinity, Infinity, Infinity]);
});
