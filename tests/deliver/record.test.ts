// What is written down while a dialogue runs, by a clock that a test turns: each reply of a group has its own time, and what is made of it
// has bounds whatever was said.
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Connection, Listener } from "../../src/deliver/connection.ts";
import { createTalk } from "../../src/deliver/drive.ts";
import { createRecording, type Recording, type Said } from "../../src/deliver/record.ts";
import { DIALOGUE_LIMITS, packRecordings } from "../../src/deliver/tellings.ts";
import { unpackConversations } from "../../src/mail/dialogue.ts";
import { nothingOffered } from "../../src/smtp/extensions.ts";
import { rfcDeadlines } from "../../src/smtp/phases.ts";
import { transaction } from "../../src/smtp/transaction.ts";
import { createSimClock } from "../sim/time.ts";

const conversationsOf = (recordings: readonly Recording[]) =>
  unpackConversations(packRecordings(recordings));

function recordingAt(beganAtMs: number, change: Partial<Recording> = {}): Recording {
  const where = { session: "s", host: "mx.example.com", address: "192.0.2.1", source: "" };
  return { ...createRecording({ ...where, at: 1000, beganAtMs, reused: false }), ...change };
}

function createServer() {
  let listener: Listener | undefined;
  const connection: Connection = {
    kind: "connected",
    source: "192.0.2.9",
    tls: null,
    listen: (heard) => void (listener = heard),
    write: () => true,
    startTls: () => Promise.resolve({ kind: "failed", text: "none" }),
    close() {},
  };
  return {
    connection,
    says: (text: string) => listener?.data(Buffer.from(text)),
    hangsUp: () => listener?.closed("gone"),
  };
}

function talkingTo(server: ReturnType<typeof createServer>) {
  const clock = createSimClock(0);
  const talk = createTalk({
    ...{ connection: server.connection, clock, deadlines: rfcDeadlines, verifiedOnly: false },
    timed() {},
    secured() {},
  });
  const recording = recordingAt(clock.monotonicMs());
  const envelope = { from: "a@b.example", to: ["x@c.example", "y@c.example"], sizeBytes: 7 };
  const dialogue = transaction(
    { ...envelope, eightBit: false, utf8: false },
    { ...nothingOffered, pipelining: true },
  );
  const body = { kind: "bytes", bytes: Buffer.from("hello\r\n") } as const;
  const wait = (ms: number): void => {
    const until = clock.monotonicMs() + ms;
    while (clock.step(until));
  };
  return { talk, recording, wait, run: () => talk.run(dialogue, body, () => {}, { recording }) };
}

const timesOf = (recording: Recording): unknown[] =>
  (conversationsOf([recording])[0]?.exchanges ?? []).map((one) => [
    ...[one.phase, one.sentMs, one.tookMs, one.code || one.reply],
  ]);

test("each reply of a group has the time at which it came, and the dot begins when the message left", () => {
  const server = createServer();
  const { recording, wait, run } = talkingTo(server);
  run();
  wait(10);
  server.says("250 2.1.0 ok\r\n250 2.1.5 ok\r\n");
  wait(200);
  server.says("550 5.1.1 no\r\n");
  wait(5);
  server.says("354 go\r\n");
  wait(1000);
  server.says("250 2.0.0 taken\r\n");
  expect(timesOf(recording)).toEqual([
    ["mail", 0, 10, 250],
    ["rcpt", 0, 10, 250],
    ["rcpt", 0, 210, 550],
    ["data", 0, 215, 354],
    ["dot", 215, 1000, 250],
  ]);
});

test("what was not answered says why once, and then that nothing came", () => {
  const server = createServer();
  const { recording, wait, run } = talkingTo(server);
  run();
  server.says("250 ok\r\n");
  wait(30);
  server.hangsUp();
  expect(timesOf(recording)).toEqual([
    ["mail", 0, 0, 250],
    ["rcpt", 0, 30, "closed: gone"],
    ["rcpt", 0, 30, "no answer"],
    ["data", 0, 30, "no answer"],
  ]);
});

test("a server that never answers the dot is told with how long it was waited for", () => {
  const server = createServer();
  const { recording, wait, run } = talkingTo(server);
  run();
  server.says("250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
  wait(rfcDeadlines.dot + 1);
  expect(timesOf(recording).at(-1)).toEqual([
    "dot",
    0,
    rfcDeadlines.dot,
    "timeout: waited too long for an answer (dot)",
  ]);
});

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 50 }),
  fc.string({ minLength: 2000, maxLength: 3000 }),
);
const phase = fc.constantFrom("connect", "mail", "rcpt", "data", "dot");
const said: fc.Arbitrary<Said> = fc.record({
  phase,
  sentAtMs: fc.nat(1e6),
  tookMs: fc.nat(1e6),
  sent: text,
  reply: fc.option(
    fc.record({
      code: fc.constantFrom(250, 451, 550),
      enhanced: fc.constant(""),
      lines: fc.array(text, { minLength: 1, maxLength: 4 }),
    }),
  ),
  text,
});

test("whatever is said, what is kept has bounds, stands in its order, and tells what is left out", () => {
  const recordings = fc.array(fc.array(said, { maxLength: 300 }), { maxLength: 12 });
  fc.assert(
    fc.property(recordings, (many) => {
      const kept = conversationsOf(many.map((one) => recordingAt(0, { said: one })));
      expect(kept.length).toBe(Math.min(many.length, DIALOGUE_LIMITS.conversations));
      let told = 0;
      for (const { exchanges, dropped } of kept) {
        expect(exchanges.length).toBeLessThanOrEqual(DIALOGUE_LIMITS.exchanges);
        const chars = exchanges.reduce((sum, one) => sum + one.sent.length + one.reply.length, 0);
        expect(chars).toBeLessThanOrEqual(DIALOGUE_LIMITS.chars);
        told += exchanges.length + dropped;
      }
      expect(told).toBe(many.reduce((sum, one) => sum + one.length, 0));
    }),
    { numRuns: 40 },
  );
});
