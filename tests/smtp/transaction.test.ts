import { expect, test } from "bun:test";
import fc from "fast-check";
import { nothingOffered, type Offer } from "../../src/smtp/extensions.ts";
import { phases, type Phase } from "../../src/smtp/phases.ts";
import type { Reply } from "../../src/smtp/reply.ts";
import type { Happened, Lost, Want } from "../../src/smtp/dialogue.ts";
import { CHUNK_MIN_OCTETS, type Envelope } from "../../src/smtp/envelope.ts";
import { transaction, type TransactionEnd } from "../../src/smtp/transaction.ts";
import { everyPath, type Choose } from "./everyPath.ts";

const envelope: Envelope = {
  from: "a@example.com",
  to: ["b@example.net", "c@example.net"],
  sizeBytes: 1000,
  eightBit: false,
  utf8: false,
};
const closed: Lost = { got: "lost", why: "closed", text: "gone" };
const replyOf = (code: number): Reply => ({ code, enhanced: "", lines: ["words"] });

/** What a server did, kept apart from what the session thinks of it. */
interface Truth {
  readonly asked: { readonly phase: Phase; readonly code: number }[];
  open: boolean;
  lost: boolean;
  bodies: number;
  dot: number;
  /** The connection was lost while the dot had been written. */
  afterDot: boolean;
  said421: boolean;
}

const reactions = [250, 354, 451, 421, 502, 550, "lost"] as const;

function react(truth: Truth, phase: Phase, choose: Choose): Reply | undefined {
  const code = choose(reactions);
  if (code === "lost") {
    truth.lost = true;
    if (phase === "dot") truth.afterDot = true;
    return undefined;
  }
  truth.asked.push({ phase, code });
  if (code === 421) truth.said421 = true;
  if (phase === "mail" && code === 250) truth.open = true;
  if (phase === "dot") truth.dot = code;
  if (phase === "dot" || phase === "void" || (phase === "rset" && code === 250)) truth.open = false;
  return replyOf(code);
}

function answer(truth: Truth, want: Want, choose: Choose): Happened {
  switch (want.want) {
    case "reply": {
      const reply = react(truth, want.phase, choose);
      return reply === undefined ? closed : { got: "reply", reply };
    }
    case "replies": {
      const replies: Reply[] = [];
      for (const phase of want.phases) {
        const reply = react(truth, phase, choose);
        if (reply === undefined) return { got: "replies", replies, lost: closed };
        replies.push(reply);
      }
      return { got: "replies", replies, lost: null };
    }
    case "body": {
      truth.bodies++;
      const kind = choose(["done", "lost", "spoiled", "early"] as const);
      if (kind === "done") return { got: "done" };
      if (kind === "early") return { got: "early", reply: replyOf(552) };
      truth.lost = true;
      return kind === "lost" ? closed : { got: "spoiled", text: "damaged" };
    }
    case "tls":
      throw new Error("a transaction does not encrypt");
  }
}

type Manner = Pick<Offer, "pipelining" | "chunking">;

function play(offer: Manner, choose: Choose): { truth: Truth; end: TransactionEnd } {
  const truth: Truth = {
    asked: [],
    open: false,
    lost: false,
    bodies: 0,
    dot: 0,
    afterDot: false,
    said421: false,
  };
  const sizeBytes = offer.chunking ? CHUNK_MIN_OCTETS : 1000;
  const run = transaction({ ...envelope, sizeBytes }, { ...nothingOffered, ...offer });
  let step = run.next();
  while (step.done !== true) {
    const want = step.value;
    expect(truth.lost).toBe(false);
    if (want.want === "body") {
      expect(want.manner).toBe(offer.chunking ? "chunk" : "dotted");
      mayHaveBody(truth, offer);
    }
    step = run.next(answer(truth, want, choose));
  }
  return { truth, end: step.value };
}

/** A message may begin only when the server asked for it and somebody is left to get it; a chunk comes unasked. */
function mayHaveBody({ asked }: Truth, { chunking }: Manner): void {
  const codes = (phase: Phase): number[] =>
    asked.filter((one) => one.phase === phase).map((one) => one.code);
  expect(codes("mail")).toEqual([250]);
  expect(codes("rcpt")).toContain(250);
  expect(codes("data")).toEqual(chunking ? [] : [354]);
}

function check({ truth, end }: { truth: Truth; end: TransactionEnd }): void {
  expect(end.fates).toHaveLength(2);
  const rcpt = truth.asked.filter((one) => one.phase === "rcpt").map((one) => one.code);
  end.fates.forEach((fate, i) => {
    expect(fate).toBeDefined();
    const taken = truth.bodies === 1 && truth.dot === 250 && rcpt[i] === 250;
    expect(fate.fate === "taken").toBe(taken);
    const doubt = fate.fate === "lost" && fate.doubt;
    const unclear = truth.afterDot || truth.dot === 354;
    expect(doubt).toBe(unclear && rcpt[i] === 250);
    if (fate.fate === "refused" && fate.phase === "rcpt" && fate.reply.code === 550)
      expect(rcpt[i]).toBe(550);
    if (fate.fate === "refused") expect(fate.reply.code).not.toBe(phases[fate.phase].expects);
    // 502 to BDAT is a word about BDAT.
    if (end.broke === "chunking")
      expect(fate.fate === "refused" && fate.phase === "dot").toBe(false);
  });
  if (end.broke !== null) expect(end.clean).toBe(false);
  if (end.clean) {
    expect(truth.lost).toBe(false);
    expect(truth.open).toBe(false);
    expect(truth.said421).toBe(false);
  }
}

for (const [name, manner, least] of [
  ["command by command", { pipelining: false, chunking: false }, 100],
  ["as one group", { pipelining: true, chunking: false }, 1000],
  ["command by command and a chunk", { pipelining: false, chunking: true }, 100],
  ["as one group and a chunk", { pipelining: true, chunking: true }, 300],
] as const)
  test(`every road through a transaction of two recipients, ${name}`, () => {
    expect(everyPath((choose) => check(play(manner, choose)))).toBeGreaterThan(least);
  });

const codes = fc.constantFrom(250, 251, 450, 451, 452, 550, 552, 553);

test("each of many recipients is told its own outcome", () => {
  const many = fc.array(codes, { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(many, fc.boolean(), fc.boolean(), (said, pipelining, chunking) => {
      const to = said.map((_, i) => `r${i}@example.net`);
      const sizeBytes = chunking ? CHUNK_MIN_OCTETS : 1000;
      const offer = { ...nothingOffered, pipelining, chunking };
      const run = transaction({ ...envelope, to, sizeBytes }, offer);
      const answerTo = (phase: Phase, sent: string): Reply => {
        const place = Number(/<r(\d+)@/.exec(sent)?.[1] ?? -1);
        const code = phase === "rcpt" ? (said[place] ?? 0) : phase === "data" ? 354 : 250;
        return { code, enhanced: "", lines: [String(place)] };
      };
      let step = run.next();
      while (step.done !== true) {
        const want = step.value;
        if (want.want === "reply")
          step = run.next({ got: "reply", reply: answerTo(want.phase, String(want.send)) });
        else if (want.want === "replies") {
          const replies = want.phases.map((phase, i) => answerTo(phase, String(want.send[i])));
          step = run.next({ got: "replies", replies, lost: null });
        } else step = run.next({ got: "done" });
      }
      const { fates, clean } = step.value;
      expect(clean).toBe(true);
      fates.forEach((fate, i) => {
        const taken = (said[i] ?? 0) < 300;
        expect(fate.fate).toBe(taken ? "taken" : "refused");
        if (fate.fate === "refused")
          expect(fate.reply).toMatchObject({ code: said[i], lines: [`${i}`] });
      });
    }),
    { numRuns: 200 },
  );
});

function ends(
  change: Partial<Envelope>,
  offer: Partial<typeof nothingOffered>,
): TransactionEnd | Want {
  const first = transaction({ ...envelope, ...change }, { ...nothingOffered, ...offer }).next();
  return first.value as TransactionEnd | Want;
}

test("a message over the announced SIZE is refused by us with 5.3.4, without a word to the server", () => {
  const end = ends({ sizeBytes: 1001 }, { size: true, sizeMax: 1000 });
  expect(end).toMatchObject({ clean: true, fates: [{ enhanced: "5.3.4" }, { enhanced: "5.3.4" }] });
});

test("SIZE without a number sets no limit", () => {
  expect(ends({ sizeBytes: 10 ** 9 }, { size: true, sizeMax: 0 })).toMatchObject({
    send: "MAIL FROM:<a@example.com> SIZE=1000000000" as never,
  });
});

test("8-bit octets need 8BITMIME", () => {
  expect(ends({ eightBit: true }, {})).toMatchObject({ fates: [{ enhanced: "5.6.3" }, {}] });
  expect(ends({ eightBit: true }, { eightBitMime: true })).toMatchObject({
    send: "MAIL FROM:<a@example.com> BODY=8BITMIME" as never,
  });
});

test("SMTPUTF8 is asked for only when the message needs it", () => {
  expect(ends({ utf8: true }, {})).toMatchObject({ fates: [{ enhanced: "5.6.7" }, {}] });
  const offer = { smtpUtf8: true, eightBitMime: true };
  expect(ends({ utf8: true }, offer)).toMatchObject({
    send: "MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8" as never,
  });
  expect(ends({}, offer)).toMatchObject({ send: "MAIL FROM:<a@example.com>" as never });
});

test("an address with a line break or a bracket is never written", () => {
  for (const bad of ["b@x\r\nRCPT TO:<evil@x>", "b@x> SIZE=1", "b\0@x", "b c@x", ""])
    expect(ends({ to: [bad] }, {})).toMatchObject({ fates: [{ enhanced: "5.1.3" }] });
  expect(ends({ from: "a@x\nDATA" }, {})).toMatchObject({ fates: [{ enhanced: "5.1.7" }, {}] });
  expect(ends({ to: ['"b c>"@example.com'] }, {})).toMatchObject({ want: "reply" });
});

test("the null reverse-path is written as empty brackets", () => {
  expect(ends({ from: "" }, {})).toMatchObject({ send: "MAIL FROM:<>" as never });
});

const dsn = { notify: ["success", "delay"], ret: "headers", envid: "a+b=c" } as const;

test("notices are asked for only where DSN is offered", () => {
  const all = (offer: Partial<Offer>): string[] => {
    const first = transaction(
      { ...envelope, to: ["b+c@example.net"], dsn },
      { ...nothingOffered, pipelining: true, ...offer },
    ).next();
    return first.done !== true && first.value.want === "replies"
      ? first.value.send.map(String)
      : [];
  };
  expect(all({ dsn: true })).toEqual([
    "MAIL FROM:<a@example.com> RET=HDRS ENVID=a+2Bb+3Dc",
    "RCPT TO:<b+c@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+2Bc@example.net",
    "DATA",
  ]);
  expect(all({})).toEqual(["MAIL FROM:<a@example.com>", "RCPT TO:<b+c@example.net>", "DATA"]);
});

test("a message of unknown size says none and is no chunk", () => {
  const run = transaction(
    { ...envelope, sizeBytes: undefined },
    { ...nothingOffered, size: true, sizeMax: 10, chunking: true, pipelining: true },
  );
  expect(run.next().value).toMatchObject({
    send: [
      "MAIL FROM:<a@example.com>",
      "RCPT TO:<b@example.net>",
      "RCPT TO:<c@example.net>",
      "DATA",
    ],
  } as never);
});

test("behind a firewall that breaks ESMTP the dot goes alone", () => {
  const run = transaction(envelope, { ...nothingOffered, dotApart: true });
  let step = run.next();
  while (step.done !== true && step.value.want === "reply")
    step = run.next({ got: "reply", reply: replyOf(step.value.phase === "data" ? 354 : 250) });
  expect(step.value).toEqual({ want: "body", manner: "apart" });
});

/** One reply too many somewhere, and all that follow shifted by one. */
test("replies that are shifted by one bounce nobody but whom the server refused", () => {
  const outcomes = fc.array(fc.constantFrom(250, 450, 550), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(outcomes, fc.nat(), (codesOfRcpt, at) => {
      const someAccepted = codesOfRcpt.includes(250);
      const right = [250, ...codesOfRcpt, someAccepted ? 354 : 554];
      const said = right.toSpliced(at % right.length, 0, 250);
      const to = codesOfRcpt.map((_, i) => `r${i}@example.net`);
      const run = transaction({ ...envelope, to }, { ...nothingOffered, pipelining: true });
      const count = right.length;
      expect(run.next().value).toMatchObject({ want: "replies" });
      let step = run.next({
        got: "replies",
        replies: said.slice(0, count).map(replyOf),
        lost: null,
      });
      // The reply that is left over is heard as the answer to whatever comes next.
      while (step.done !== true) {
        expect(step.value).toMatchObject({ want: "reply", phase: "rset" });
        step = run.next({ got: "reply", reply: replyOf(said[count] ?? 0) });
      }
      step.value.fates.forEach((fate, i) => {
        if (fate.fate === "refused" && fate.reply.code >= 500) expect(codesOfRcpt[i]).toBe(550);
      });
    }),
    { numRuns: 500 },
  );
});
