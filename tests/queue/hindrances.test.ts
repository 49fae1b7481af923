// Why mail waited stands in the timeline of what waited: a site at rest, what an operator stopped, our own line; and nothing where nothing
// held it up.
import { describe, expect, test } from "bun:test";
import { unpackTimeline, type WaitReason } from "../../src/mail/timeline.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { createHindrances } from "../../src/queue/hindrances.ts";
import { type Bench, createBench, HOUR, MINUTE, START, stepOf } from "./bench.ts";

const to = ["a@throttled.example"];
const throttled: Partial<Verdict> = {
  ...{ kind: "deferred", scope: "host", class: "rate" },
  pause: { rule: "google.rate" },
};

/** Of the recipient's last step. */
function waitsOf(bench: Bench, id: number): readonly WaitReason[] | undefined {
  const step = unpackTimeline(bench.recipient(id).timeline).at(-1);
  return step?.kind === "attempt" ? step.waits : undefined;
}

/** Delivers whatever is with the senders, until nothing comes any more. */
function deliverAll(bench: Bench): void {
  for (let i = 0; i < 2600; i++) {
    for (const sent of bench.sent.splice(0)) bench.settle(sent, {});
    bench.run(MINUTE / 120);
  }
}

describe("in the timeline of what waited", () => {
  test("stands the pause that a provider asked for, with its rule", () => {
    const bench = createBench();
    bench.submit({ to });
    bench.run();
    bench.settle(bench.sent.splice(0)[0]!, throttled);
    bench.run(MINUTE);
    const id = bench.submit({ to });
    deliverAll(bench);
    const [wait] = waitsOf(bench, id) ?? [];
    expect(wait?.why).toStartWith("the site asked for a pause (google.rate)");
    expect((wait?.until ?? 0) - (wait?.from ?? 0)).toBeGreaterThan(13 * MINUTE);
    const later = bench.submit({ to });
    deliverAll(bench);
    expect(bench.recipient(later).state.at).toBe("delivered");
    expect(waitsOf(bench, later)).toBeUndefined();
  });

  test("stands what an operator had paused, a restart in between", () => {
    const bench = createBench();
    bench.order({ do: "queue.pause", span: { by: "domain", name: "throttled.example" } });
    bench.run();
    const [id, other] = [bench.submit({ to }), bench.submit({ to: ["b@free.example"] })];
    bench.run(HOUR);
    bench.restart();
    bench.order({ do: "queue.resume", span: { by: "domain", name: "throttled.example" } });
    deliverAll(bench);
    expect(waitsOf(bench, id)).toEqual([
      { from: expect.any(Number), until: expect.any(Number), why: "an operator had paused it" },
    ]);
    expect(waitsOf(bench, other)).toBeUndefined();
  });
});

test("a job that waited for a connection says so, one that was tried at once does not", () => {
  const bench = createBench();
  const [slow, fast] = [bench.submit({ to }), bench.submit({ to: ["b@free.example"] })];
  bench.run();
  const [first, second] = bench.sent.splice(0);
  bench.run(MINUTE);
  const step = stepOf("delivered", START + 40_000, "none");
  bench.settle(first!, { step });
  bench.settle(second!, { step: stepOf("delivered", START + 20, "none") });
  bench.run();
  expect(waitsOf(bench, slow)).toMatchObject([
    { until: START + 40_000, why: "it waited for a connection within the limits of its site" },
  ]);
  expect(waitsOf(bench, fast)).toBeUndefined();
});

describe("of what held mail up", () => {
  const span = [START, START + HOUR] as const;

  test("only what overlaps a message's wait is told, cut to it", () => {
    const known = createHindrances();
    known.begin("site:s.example", "slow", START - MINUTE);
    known.end("site:s.example", START + MINUTE);
    known.begin("all", "stopped", START + 2 * MINUTE);
    known.begin("domain:d.example", "paused", START + 3 * MINUTE);
    known.begin("site:other.example", "not ours", START);
    expect(known.during("s.example", "a@d.example", ...span)).toEqual([
      { from: START, until: START + MINUTE, why: "slow" },
      { from: START + 2 * MINUTE, until: START + HOUR, why: "stopped" },
      { from: START + 3 * MINUTE, until: START + HOUR, why: "paused" },
    ]);
    expect(known.during("x.example", "a@x.example", 0, 1000)).toBeUndefined();
  });

  test("the last reason of a span that goes on is the one that is told", () => {
    const known = createHindrances();
    known.begin("line", "a doubt", START);
    known.begin("line", "no line", START + MINUTE);
    known.end("line", START + 2 * MINUTE);
    known.end("line", START + 9 * MINUTE);
    expect(known.during("s", "a@s.example", ...span)).toEqual([
      { from: START, until: START + 2 * MINUTE, why: "no line" },
    ]);
  });

  test("the oldest is forgotten, whatever breaks down", () => {
    const known = createHindrances();
    for (let i = 0; i < 3000; i++) {
      known.begin(`site:s${i}`, "slow", START + i);
      if (i % 2 === 0) known.end(`site:s${i}`, START + i + HOUR);
    }
    for (let i = 0; i < 9; i++) {
      known.begin("all", `stopped ${i}`, START + i * MINUTE);
      known.end("all", START + i * MINUTE + 2000);
    }
    expect(known.during("s0", "a@x", ...span)?.map(({ why }) => why)).toEqual([
      "stopped 5",
      "stopped 6",
      "stopped 7",
      "stopped 8",
    ]);
    expect(known.during("s2998", "a@x", ...span)).toHaveLength(5);
  });
});
