// Dialogues told live: only those that somebody asked for, with the opening of their connection, and without secrets.
import { expect, test } from "bun:test";
import { createTracer } from "../../src/deliver/trace.ts";
import type { TraceLine } from "../../src/mail/trace.ts";
import type { Dialogue, Happened, Want } from "../../src/smtp/dialogue.ts";
import { createSimClock } from "../sim/time.ts";
import type { Line } from "../../src/smtp/command.ts";
import { jobOf } from "./rig.ts";

const peer = { host: "mx.example.net", address: "192.0.2.1" };

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

/** Wants what is listed and returns how often it was answered. */
function* asking(wants: readonly Want[]): Dialogue<number> {
  for (const want of wants) yield want;
  return wants.length;
}

function play(dialogue: Dialogue<number>, happened: Happened): number {
  for (let step = dialogue.next(); ; step = dialogue.next(happened))
    if (step.done === true) return step.value;
}

const ok: Happened = { got: "reply", reply: { code: 250, enhanced: "2.0.0", lines: ["fine"] } };
const say = (phase: "ehlo" | "auth" | "mail", send: string): Want => ({
  ...{ want: "reply", phase, send: send as Line },
});

test("nobody listens: a dialogue is what it was", () => {
  const { tracer } = setUp();
  const dialogue = asking([]);
  expect(tracer.opening("s", peer, dialogue)).toBe(dialogue);
  expect(tracer.job("s", peer, jobOf(1, {}), dialogue)).toBe(dialogue);
  tracer.watch(1, { by: "message", message: 2 });
  expect(tracer.job("s", peer, jobOf(1, {}), dialogue)).toBe(dialogue);
});

test("a job brings the opening of its connection along, once, and secrets are masked", () => {
  const { tracer, told, run } = setUp();
  tracer.watch(7, { by: "domain", name: "example.net" });
  const opening = asking([
    say("ehlo", "EHLO us"),
    say("auth", "AUTH PLAIN AHVzZXIAcGFzcw=="),
    say("auth", "cGFzcw=="),
  ]);
  expect(play(tracer.opening("s", peer, opening), ok)).toBe(3);
  run(1000);
  expect(told).toEqual([]);
  for (const message of [1, 2])
    play(tracer.job("s", peer, jobOf(message, {}), asking([say("mail", `MAIL ${message}`)])), ok);
  run(1000);
  const texts = told.flatMap(({ number, lines }) => lines.map((one) => `${number} ${one.text}`));
  expect(texts).toEqual([
    "7 connected to mx.example.net [192.0.2.1]",
    ...["7 EHLO us", "7 250 2.0.0 fine", "7 AUTH PLAIN ***", "7 250 2.0.0 fine", "7 ***"],
    ...["7 250 2.0.0 fine", "7 MAIL 1", "7 250 2.0.0 fine", "7 MAIL 2", "7 250 2.0.0 fine"],
  ]);
});

test("what no connection came of is told too, and nothing after the end", () => {
  const { tracer, told, run } = setUp();
  tracer.watch(1, { by: "message", message: 4 });
  play(tracer.opening("s", peer, asking([say("ehlo", "EHLO us")])), {
    ...{ got: "lost", why: "closed", text: "it hung up" },
  });
  tracer.unopened(jobOf(5, {}), [{ session: "s", target: peer }]);
  tracer.unopened(jobOf(4, {}), [{ session: "t", target: peer }]);
  run(1000);
  expect(told.flatMap(({ lines }) => lines.map(({ text }) => text))).toEqual([
    "no session with mx.example.net [192.0.2.1]",
  ]);
  tracer.unwatch(1);
  tracer.unopened(jobOf(4, {}), [{ session: "u", target: peer }]);
  run(1000);
  expect(told).toHaveLength(1);
});

test("more lines than anyone can take are counted", () => {
  const { tracer, told, run } = setUp();
  tracer.watch(1, { by: "message", message: 1 });
  const wants = Array.from({ length: 400 }, () => say("mail", "NOOP"));
  play(tracer.job("s", peer, jobOf(1, {}), asking(wants)), ok);
  run(1000);
  expect(told[0]?.lines).toHaveLength(500);
  expect(told[0]?.dropped).toBe(300);
});
