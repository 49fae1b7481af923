// Dialogues told live: only those that somebody asked for, with the opening of their connection, and without secrets.
import { expect, test } from "bun:test";
import { createRecording, note, type Recording } from "../../src/deliver/record.ts";
import { createTracer } from "../../src/deliver/trace.ts";
import type { TraceLine } from "../../src/mail/trace.ts";
import { createSimClock } from "../sim/time.ts";
import { jobOf } from "./rig.ts";

function setUp() {
  const clock = createSimClock(0);
  const told: { number: number; lines: readonly TraceLine[]; dropped: number }[] = [];
  const tracer = createTracer({
    clock,
    tell: (number, lines, dropped) => void told.push({ number, lines, dropped }),
  });
  const run = (forMs: number): void => {
    const until = clock.monotonicMs() + forMs;
    while (clock.step(until));
  };
  return { tracer, told, run };
}

function recording(session = "s"): Recording {
  const where = { session, host: "mx.example.net", address: "192.0.2.1", source: "" };
  return createRecording({ ...where, at: 0, beganAtMs: 0, reused: false });
}

const ok = { code: 250, enhanced: "2.0.0", lines: ["fine"] };

function say(to: Recording, phase: "ehlo" | "mail", sent: string): void {
  to.ear?.us(sent);
  note(to, { phase, sentAtMs: 0, tookMs: 5, sent, reply: ok, text: "" });
}

test("nobody listens: a recording has no ear", () => {
  const { tracer } = setUp();
  expect(tracer.listens()).toBe(false);
  tracer.watch(1, { by: "message", message: 2 });
  expect(tracer.listens()).toBe(true);
  const one = recording();
  tracer.job([one], jobOf(1, {}));
  expect(one.ear).toBeNull();
});

test("a job brings the opening of its connection along, and is told line by line from then on", () => {
  const { tracer, told, run } = setUp();
  tracer.watch(7, { by: "domain", name: "example.net" });
  const one = recording();
  say(one, "ehlo", "EHLO us");
  run(1000);
  expect(told).toEqual([]);
  tracer.job([one], jobOf(1, {}));
  say(one, "mail", "MAIL 1");
  run(1000);
  const texts = told.flatMap(({ number, lines }) =>
    lines.map((l) => `${number} ${l.who} ${l.text}`),
  );
  expect(texts).toEqual([
    ...["7 us EHLO us", "7 them 250 2.0.0 fine", "7 us MAIL 1", "7 them 250 2.0.0 fine"],
  ]);
});

test("what no connection came of is told too, and nothing after the end", () => {
  const { tracer, told, run } = setUp();
  tracer.watch(1, { by: "message", message: 4 });
  const lost = recording("t");
  const failed = { phase: "connect", sentAtMs: 0, tookMs: 9, sent: "", reply: null } as const;
  note(lost, { ...failed, text: "network: refused" });
  tracer.unopened(jobOf(5, {}), [lost]);
  tracer.unopened(jobOf(4, {}), [lost]);
  run(1000);
  expect(told.flatMap(({ lines }) => lines.map(({ text }) => text))).toEqual([
    "connect: network: refused",
    "no session with mx.example.net [192.0.2.1]",
  ]);
  tracer.unwatch(1);
  tracer.unopened(jobOf(4, {}), [lost]);
  run(1000);
  expect(told).toHaveLength(1);
});

test("more lines than anyone can take are counted", () => {
  const { tracer, told, run } = setUp();
  tracer.watch(1, { by: "message", message: 1 });
  const one = recording();
  tracer.job([one], jobOf(1, {}));
  for (let i = 0; i < 400; i++) say(one, "mail", "NOOP");
  run(1000);
  expect(told[0]?.lines).toHaveLength(500);
  expect(told[0]?.dropped).toBe(300);
});
