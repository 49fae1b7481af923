// The schedule of a load, in time that is pushed by hand: what a daemon that stands still does to an open loop is in the figures.
import { describe, expect, test } from "bun:test";
import { createBook } from "../../src/stress/book.ts";
import { AWAY_MAX_MS, type Load, type Plan, startLoad } from "../../src/stress/load.ts";
import type { Dial, Ears } from "../../src/stress/socket.ts";
import { createSimClock } from "../sim/time.ts";

const ID = "019f6d0a-1c00-7000-8000-0123456789ab";

interface Answer {
  readonly status: number;
  readonly name?: string;
  readonly retryAfterS?: number;
}

/** A daemon whose answers take as long as `slowMs` says at the time of the request; null: nobody is there. */
function rig(slowMs: (nowMs: number) => number | null, answerOf: () => Answer = ok) {
  const clock = createSimClock(1_800_000_000_000);
  const push = (byMs: number): void => {
    const untilMs = clock.monotonicMs() + byMs;
    while (clock.step(untilMs));
  };
  const book = createBook();
  let connections = 0;
  const dial: Dial = (ears) => {
    connections++;
    let isOpen = true;
    clock.after(0, () => {
      if (slowMs(clock.monotonicMs()) === null) ears.closed("ECONNREFUSED");
      else ears.opened();
    });
    return {
      write() {
        const waitMs = slowMs(clock.monotonicMs());
        if (waitMs === null) return void clock.after(0, () => ears.closed(""));
        clock.after(waitMs, () => isOpen && say(ears, answerOf()));
      },
      close: () => void (isOpen = false),
    };
  };
  const start = (plan: Plan): Load =>
    startLoad(plan, { clock, dial, writer: () => () => [new Uint8Array(1)], book });
  return { push, now: clock.monotonicMs, book, start, connections: () => connections };
}

const ok = (): Answer => ({ status: 202 });

function say(ears: Ears, { status, name = "", retryAfterS }: Answer): void {
  const body = status < 300 ? `{"id":"${ID}"}` : `{"name":"${name}"}`;
  const later = retryAfterS === undefined ? "" : `Retry-After: ${retryAfterS}\r\n`;
  const head = `HTTP/1.1 ${status} x\r\n${later}Content-Length: ${body.length}\r\n\r\n`;
  ears.heard(Buffer.from(head + body));
}

const openPlan = (changes: Partial<Plan> = {}, connectionsMax = 1000): Plan => ({
  pace: { kind: "open", perSecond: 100, connectionsMax },
  countMax: 1000,
  durationMs: 10_000,
  ...changes,
});

describe("an open loop", () => {
  test("keeps its schedule whatever the answers take", async () => {
    const { push, book, start, connections } = rig(() => 500);
    const load = start(openPlan());
    push(1_000);
    expect(book.counts().started).toBe(101);
    // Half a second of answers that are out, at a hundred a second.
    expect(connections()).toBeGreaterThanOrEqual(49);
    push(20_000);
    const figures = await load.done;
    expect(figures).toMatchObject({ endedBy: "count", neverStarted: 0, startedLate: 0 });
    expect(book.counts()).toMatchObject({ started: 1000, accepted: 1000 });
    expect(book.accepting()?.p50_ms).toBeCloseTo(500, -1);
  });

  test("shows a daemon that stood still in its 99th percentile, also with few connections", async () => {
    // Two seconds of ten: everything that was due in them waits for their end.
    const stall = (nowMs: number, from: number): number =>
      nowMs - from >= 3_000 && nowMs - from < 5_000 ? 5_000 - (nowMs - from) : 2;
    for (const connectionsMax of [1000, 4]) {
      let from = 0;
      const { push, now, book, start } = rig((nowMs) => stall(nowMs, from));
      from = now();
      const load = start(openPlan({}, connectionsMax));
      push(30_000);
      const { startedLate } = await load.done;
      expect(book.counts().accepted).toBe(1000);
      expect(book.accepting()?.p50_ms).toBeLessThan(10);
      expect(book.accepting()?.p95_ms).toBeGreaterThan(1_400);
      expect(book.accepting()?.p99_ms).toBeGreaterThan(1_850);
      // With connections to spare nothing starts late; with four, nearly all that was due meanwhile.
      if (connectionsMax === 4) expect(startedLate).toBeGreaterThan(180);
      else expect(startedLate).toBe(0);
    }
  });

  test("counts what never found a connection before the time was up", async () => {
    const { push, book, start } = rig(() => 4_000);
    const load = start(openPlan({ durationMs: 2_000, countMax: 100_000 }, 5));
    push(10_000);
    const figures = await load.done;
    expect(figures).toMatchObject({ endedBy: "time", neverStarted: 195 });
    expect(book.counts()).toMatchObject({ started: 5, accepted: 5 });
  });

  test("goes on with its schedule through refusals, and counts them by name", async () => {
    const refusal = { status: 429, name: "rate_limit_exceeded", retryAfterS: 5 };
    const { push, book, start } = rig(
      () => 1,
      () => refusal,
    );
    const load = start(openPlan({ countMax: 200 }));
    push(5_000);
    await load.done;
    expect(book.counts()).toMatchObject({ started: 200, refused: 200, accepted: 0 });
    expect(book.acceptFailures()).toEqual([{ class: "429 rate_limit_exceeded", count: 200 }]);
  });
});

describe("a closed loop", () => {
  const plan = (changes: Partial<Plan> = {}): Plan => ({
    pace: { kind: "closed", clients: 4 },
    countMax: 1000,
    durationMs: 10_000,
    ...changes,
  });

  test("has as many requests out as clients, and ends with the count", async () => {
    const { push, book, start, connections } = rig(() => 10);
    const load = start(plan({ countMax: 100 }));
    push(5_000);
    expect(await load.done).toMatchObject({ endedBy: "count" });
    expect(book.counts()).toMatchObject({ started: 100, accepted: 100 });
    expect(connections()).toBe(4);
  });

  test("ends when the time is up, after the answers that are out", async () => {
    const { push, book, start } = rig(() => 300);
    const load = start(plan({ durationMs: 1_000 }));
    push(3_000);
    const { endedBy, elapsedMs } = await load.done;
    expect(endedBy).toBe("time");
    expect(elapsedMs).toBeGreaterThanOrEqual(1_000);
    expect(book.counts().accepted).toBe(book.counts().started);
  });

  test("obeys Retry-After", async () => {
    const { push, book, start } = rig(
      () => 1,
      () => ({ status: 503, name: "queue_full", retryAfterS: 2 }),
    );
    const load = start(plan({ durationMs: 9_000 }));
    push(20_000);
    await load.done;
    // Four clients, once every two seconds.
    expect(book.counts().started).toBeLessThanOrEqual(20);
    expect(book.counts().started).toBeGreaterThanOrEqual(16);
  });

  test("ends when nobody is there any more", async () => {
    let leavesAtMs = Infinity;
    const { push, now, book, start } = rig((nowMs) => (nowMs < leavesAtMs ? 10 : null));
    const load = start(plan({ durationMs: 60_000, countMax: 1_000_000 }));
    push(1_000);
    leavesAtMs = now();
    push(AWAY_MAX_MS + 2_000);
    expect(await load.done).toMatchObject({ endedBy: "unreachable" });
    const { unanswered, unsent, accepted, started } = book.counts();
    expect(unsent).toBeGreaterThan(0);
    expect(accepted + unanswered + unsent).toBe(started);
  });

  test("gives up an answer that does not come, and one that is stopped twice at once", async () => {
    const { push, book, start } = rig(() => 10_000_000);
    const load = start(plan({ durationMs: 1_000 }));
    push(100);
    load.stop("stopped");
    load.stop("stopped");
    expect(await load.done).toMatchObject({ endedBy: "stopped" });
    expect(book.counts()).toMatchObject({ started: 4, unanswered: 4 });
    expect(book.acceptFailures()).toEqual([{ class: "unanswered no answer", count: 4 }]);
  });
});

test("where everything is refused for good, the load ends soon", async () => {
  for (const pace of [openPlan().pace, { kind: "closed", clients: 4 } as const]) {
    const { push, book, start } = rig(
      () => 1,
      () => ({ status: 401, name: "missing_api_key" }),
    );
    const load = start({ pace, countMax: 100_000, durationMs: 60_000 });
    push(60_000);
    expect(await load.done).toMatchObject({ endedBy: "refused" });
    expect(book.counts().started).toBeLessThan(120);
  }
});
