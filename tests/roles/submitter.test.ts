import { expect, test } from "bun:test";
import type { AcceptAnswer, Submission } from "../../src/mail/submission.ts";
import type { AcceptBatch, DoorToQueue } from "../../src/roles/protocol.ts";
import { createSubmitter } from "../../src/roles/submitter.ts";
import { packAnswers, unpack, unpackOnces } from "../../src/roles/wire.ts";

const accepted: AcceptAnswer = { kind: "accepted" };

function message(id: number): Submission {
  return {
    head: {
      id,
      acceptedAt: 0,
      from: "a@sender.test",
      recipients: ["b@rcpt.test"],
      priority: 1,
      dueAt: 0,
      expiresAt: null,
      sizeBytes: 1,
      sha256: "",
      eightBit: false,
      utf8: false,
      facts: "{}",
      body: { kind: "inline", length: 1 },
    },
    body: new Uint8Array([id]),
  };
}

function setUp() {
  const posted: AcceptBatch[] = [];
  const soon: (() => void)[] = [];
  /** Answers that have come and that the event loop has not handed over yet. */
  const come: number[] = [];
  const submitter = createSubmitter({
    clock: { soon: (run) => void soon.push(run) },
    post: (said: DoorToQueue) => void posted.push(said as AcceptBatch),
    look: () => come.splice(0).forEach((batch) => submitter.answered(batch, null)),
  });
  const turn = (): void => soon.splice(0).forEach((run) => run());
  const idsOf = (batch: AcceptBatch | undefined): number[] =>
    batch === undefined ? [] : unpack(batch.packed).map((piece) => piece.head.id);
  return { submitter, posted, turn, come, idsOf };
}

test("what arrives in one turn travels in one batch", () => {
  const { submitter, posted, turn, idsOf } = setUp();
  void submitter.accept([message(1)]);
  void submitter.accept([message(2), message(3)]);
  expect(posted).toEqual([]);
  turn();
  expect(posted.map(idsOf)).toEqual([[1, 2, 3]]);
  expect(posted[0]?.groups).toEqual([1, 2]);
});

const ids = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);

test("in the midst of a long turn an idle queue is given what is worth a commit, a busy one not", () => {
  const { submitter, posted, turn, idsOf } = setUp();
  for (const id of ids(0, 23)) void submitter.accept([message(id)]);
  expect(posted).toEqual([]);
  void submitter.accept([message(23)]);
  expect(posted.map(idsOf)).toEqual([ids(0, 24)]);
  for (const id of ids(24, 40)) void submitter.accept([message(id)]);
  expect(posted).toHaveLength(1);
  turn();
  expect(posted.map(idsOf)).toEqual([ids(0, 24), ids(24, 40)]);
});

test("what the queue has answered is told in the midst of a turn, and it is given the next batch there", async () => {
  const { submitter, posted, turn, come, idsOf } = setUp();
  const told: number[] = [];
  const accept = (id: number): void =>
    void submitter.accept([message(id)]).then(() => told.push(id));
  ids(0, 30).forEach(accept);
  expect(posted).toHaveLength(1);
  come.push(posted[0]?.batch as number);
  // What has gathered meanwhile is not worth a commit yet.
  accept(30);
  expect(posted).toHaveLength(1);
  await Promise.resolve();
  expect(told).toEqual(ids(0, 24));
  ids(31, 18).forEach(accept);
  expect(posted.map(idsOf)).toEqual([ids(0, 24), ids(24, 24)]);
  turn();
  expect(idsOf(posted[2] as AcceptBatch)).toEqual([48]);
});

test("a call with many messages goes to an idle queue at once", () => {
  const { submitter, posted } = setUp();
  void submitter.accept(Array.from({ length: 100 }, (_, i) => message(i)));
  expect(posted.map((batch) => batch.groups)).toEqual([[100]]);
});

test("while as many batches are under way as may be, the rest waits for the next answer", () => {
  const { submitter, posted, turn, idsOf } = setUp();
  for (let id = 0; id < 32; id++) {
    void submitter.accept([message(id)]);
    turn();
  }
  void submitter.accept([message(32)]);
  void submitter.accept([message(33)]);
  turn();
  expect(posted.length).toBe(32);
  expect(submitter.open()).toBe(34);
  submitter.answered(posted[0]?.batch as number, [accepted]);
  expect(posted.length).toBe(33);
  expect(idsOf(posted[32])).toEqual([32, 33]);
});

test("each call gets its own answer", async () => {
  const { submitter, posted, turn } = setUp();
  const first = submitter.accept([message(1)]);
  const second = submitter.accept([message(2)]);
  turn();
  const refused: AcceptAnswer = { kind: "refused", why: "queue_full", retryAfterS: 5 };
  submitter.answered(posted[0]?.batch as number, [accepted, refused]);
  expect(await first).toEqual(accepted);
  expect(await second).toEqual(refused);
  expect(submitter.open()).toBe(0);
});

test("a call with many messages is never split", () => {
  const { submitter, posted, turn } = setUp();
  void submitter.accept(Array.from({ length: 500 }, (_, i) => message(i)));
  void submitter.accept(Array.from({ length: 700 }, (_, i) => message(i)));
  turn();
  expect(posted.map((batch) => batch.groups)).toEqual([[500], [700]]);
});

test("a call with the key of one that has no answer yet is told so, and not after it", async () => {
  const { submitter, posted, turn } = setUp();
  const once = (key: string) => ({ key, request: "r", answer: "{}" });
  const first = submitter.accept([message(1)], once("k"));
  const other = submitter.accept([message(2)], once("l"));
  expect(await submitter.accept([message(3)], once("k"))).toEqual({ kind: "concurrent" });
  turn();
  expect(unpackOnces(posted[0]?.onces)).toEqual([once("k"), once("l")]);
  submitter.answered(posted[0]?.batch as number, [accepted, accepted]);
  expect(await Promise.all([first, other])).toEqual([accepted, accepted]);
  void submitter.accept([message(4)], once("k"));
  turn();
  expect(posted).toHaveLength(2);
});

test("a message is told once its octets were copied, and not before", () => {
  const { submitter, posted, turn } = setUp();
  const body = new Uint8Array([7]);
  let told = 0;
  const copied = (): void => {
    told++;
    body.fill(0);
  };
  void submitter.accept([{ ...message(1), body, copied }]);
  expect(told).toBe(0);
  turn();
  expect(told).toBe(1);
  expect(unpack((posted[0] as AcceptBatch).packed)[0]?.body).toEqual(Buffer.from([7]));
});

test("answers that say no more than yes travel as one", async () => {
  const suppressed: AcceptAnswer = { kind: "accepted", suppressed: [{ message: 0, n: 1 }] };
  const refused: AcceptAnswer = { kind: "refused", why: "disk_low", retryAfterS: 5 };
  expect(packAnswers([accepted, accepted])).toBeNull();
  for (const other of [suppressed, refused])
    expect(packAnswers([accepted, other])).toEqual([accepted, other]);
  const { submitter, posted, turn } = setUp();
  const calls = [submitter.accept([message(1)]), submitter.accept([message(2)])];
  turn();
  submitter.answered(posted[0]?.batch as number, null);
  expect(await Promise.all(calls)).toEqual([accepted, accepted]);
  expect(() => submitter.answered(7, null)).toThrow("the queue answered batch 7");
});
