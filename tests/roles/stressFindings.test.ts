// What a load's figures are worth: sums that are right or not, a generator that was late, and what is left of messages.
import { describe, expect, test } from "bun:test";
import type { StressRequest } from "../../src/commands/stressRequest.ts";
import { uuidOf } from "../../src/mail/id.ts";
import { type Findings, reportOf } from "../../src/roles/stress/findings.ts";
import { type Book, createBook } from "../../src/stress/book.ts";
import type { LoadFigures } from "../../src/stress/load.ts";

const AT = 1_800_000_000_000;
const request: StressRequest = {
  ...{ target: null, folder: null, domain: "example.com", from: "a@b.example", recipients: "ok" },
  ...{ pace: { kind: "open", perSecond: 100, connectionsMax: 50 }, countMax: 1e6 },
  ...{ durationMs: 1e4, warmUpMs: 0, bodyBytes: 1, priority: "p1", follow: true, drainMs: 1 },
};
const figures: LoadFigures = {
  ...{ endedBy: "time", elapsedMs: 10_000, neverStarted: 0, startedLate: 0, ownLagP99Ms: 1 },
};

/** Ten accepted in 20 ms each, the first `delivered` of them delivered. */
function books(delivered: number): Book {
  const book = createBook();
  for (let n = 0; n < 10; n++) {
    book.started(n);
    const id = uuidOf(AT * 4096 + n, "8123456789abcdef");
    const reply = { status: 202, id, name: "", retryAfterS: null, closes: false };
    book.ended(n, { kind: "answered", reply }, 20);
    if (n < delivered) book.delivered(n, AT + 100);
  }
  return book;
}

function findings(changes: Partial<Findings> = {}): Findings {
  return {
    ...{ request, book: books(10), figures, isAway: false, deadWords: "" },
    ...{ left: { delivered: 10, failed: 0, queued: 0, busy: 0 } },
    ...{ mix: [{ name: "ok", weight: 1 }], notes: [], drainMs: 5, generatorShare: 0.1 },
    ...{ daemon: null },
    ...changes,
  };
}

describe("the sum", () => {
  test("is right when the daemon and the sink say the same", () => {
    expect(reportOf(findings())).toMatchObject({ valid: true, accounting: { adds_up: true } });
  });

  test("holds what the sink took and the daemon does not know of as doubt, and not as two", () => {
    const left = { delivered: 8, failed: 0, queued: 2, busy: 0 };
    const { valid, accounting } = reportOf(findings({ left }));
    expect(valid).toBe(true);
    expect(accounting).toMatchObject({ delivered: 8, queued: 2, in_doubt: 2, adds_up: true });
  });

  const wrongs = {
    "a message is nowhere": { delivered: 9, failed: 0, queued: 0, busy: 0 },
    "there is one too many": { delivered: 10, failed: 0, queued: 1, busy: 0 },
    "the daemon delivered what the sink never took": {
      delivered: 10,
      failed: 0,
      queued: 0,
      busy: 0,
    },
  };
  for (const [name, left] of Object.entries(wrongs))
    test(`is not right when ${name}`, () => {
      const book = books(name.startsWith("the daemon") ? 9 : 10);
      const report = reportOf(findings({ left, book }));
      expect(report).toMatchObject({ valid: false, accounting: { adds_up: false } });
      expect(report.problems).toHaveLength(1);
    });

  test("of a daemon that has other mail is of this run's alone", () => {
    const target = { kind: "url", url: "http://x", key: "k" } as const;
    const of = (left: number | null) =>
      reportOf(findings({ request: { ...request, target }, book: books(7), left }));
    expect(of(3)).toMatchObject({ valid: true, accounting: { queued: 3, adds_up: true } });
    expect(of(2)).toMatchObject({ valid: false });
    // Too much to be asked for is no fault, and no proof.
    expect(of(null)).toMatchObject({ valid: true, accounting: { queued: null, adds_up: false } });
    expect(of(3).failures).toMatchObject({
      at_delivery_rate: 0.3,
      at_delivery: [{ class: "queued, without an end yet", count: 3 }],
    });
  });
});

describe("the generator", () => {
  const lagging = (ownLagP99Ms: number): Findings =>
    findings({ figures: { ...figures, ownLagP99Ms } });

  test("spoils the figures when it is late for much of what was measured", () => {
    const report = reportOf(lagging(12));
    expect(report.valid).toBe(false);
    expect(report.problems[0]).toContain("could not keep up");
  });

  test("does not when the daemon's time is much more, or the lag is a timer's", () => {
    expect(reportOf(lagging(9)).valid).toBe(true);
    const book = books(10);
    const reply = {
      ...{ status: 202, id: uuidOf(AT * 4096 + 99, "8123456789abcdef"), name: "" },
      ...{ retryAfterS: null, closes: false },
    };
    book.started(10);
    book.ended(10, { kind: "answered", reply }, 900);
    const left = { delivered: 10, failed: 0, queued: 1, busy: 0 };
    expect(reportOf({ ...lagging(100), book, left }).valid).toBe(true);
  });
});

test("what never started is a failure of its own", () => {
  const report = reportOf(findings({ figures: { ...figures, neverStarted: 30 } }));
  expect(report.failures).toMatchObject({
    at_accept_rate: 0.75,
    at_accept: [{ class: "never started", count: 30 }],
  });
  expect(report.notes.join()).toContain("takes less than that rate");
});

test("a daemon that ended is named with its last words, and its sum is not asked", () => {
  const deadWords = "the daemon: disk I/O error (exit 74)";
  const report = reportOf(findings({ isAway: true, deadWords, left: null }));
  expect(report).toMatchObject({ valid: false, ended_by: "daemon_ended", accounting: null });
  expect(report.problems).toEqual([`it ended in the middle: ${deadWords}`]);
});
