// The rules against replies of real servers, and against any reply at all.
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { judgeFate, judgeOpening, type Judgement } from "../../src/deliver/trouble.ts";
import { phases, type Phase } from "../../src/smtp/phases.ts";
import type { Reply } from "../../src/smtp/reply.ts";

/** The golden table; what its columns are stands in it. */
const rows = readFileSync(join(import.meta.dir, "replies.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => {
    const [mx = "", phase = "", judgement = "", ...reply] = line.split(" | ");
    const host = mx === "-" ? "" : mx;
    return { host, phase: phase as Phase, judgement, reply: reply.join(" | ") };
  });

/** `451 4.7.1 some words` as a reply. */
function replyOf(text: string): Reply {
  const [, code, enhanced = "", words = ""] =
    /^(\d+)(?:[ -](\d\.\d+\.\d+))?[ -]?(.*)$/.exec(text) ?? [];
  return { code: Number(code), enhanced, lines: [words] };
}

function judge(host: string, phase: Phase, text: string): Judgement {
  const reply = replyOf(text);
  const speaker = { host, alone: false };
  if (opening.has(phase)) return judgeOpening([{ end: "refused", phase, reply }], [host]);
  return judgeFate({ fate: "refused", phase, reply }, speaker);
}

const opening: ReadonlySet<Phase> = new Set(["greeting", "ehlo", "helo", "starttls", "auth"]);

function told(judged: Judgement): string {
  const { kind, scope, class: trouble, alert, pause, suppress, retryAfterMs } = judged;
  return [
    `${kind} ${scope} ${trouble}`,
    ...(alert === undefined ? [] : ["alert"]),
    ...(pause === undefined ? [] : ["pause"]),
    ...(suppress === undefined ? [] : ["suppress"]),
    ...(retryAfterMs === undefined ? [] : [`${retryAfterMs / 1000}s`]),
  ].join(" ");
}

describe("replies of real servers:", () => {
  test("there are enough of them", () => {
    expect(rows.length).toBeGreaterThan(150);
  });
  for (const { host, phase, reply, judgement } of rows)
    test(`${host === "" ? "anybody" : host}, ${phase}: ${reply.slice(0, 90)}`, () => {
      expect(told(judge(host, phase, reply))).toBe(judgement);
    });
});

const codes = fc.integer({ min: 400, max: 599 });
const enhanced = fc.oneof(
  fc.constant(""),
  fc
    .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 0, max: 999 }))
    .map(([subject, detail]) => `${subject}.${detail}`),
);
const allWords = rows.map(({ reply }) => reply);
const words = fc.oneof(fc.string({ maxLength: 300 }), fc.constantFrom(...allWords));
const hosts = fc.constantFrom("", ...new Set(rows.map(({ host }) => host)));
const anyPhase = fc.constantFrom(...(Object.keys(phases) as Phase[]));

interface Any {
  readonly code: number;
  readonly phase: Phase;
  readonly judged: Judgement;
}

const anything: fc.Arbitrary<Any> = fc
  .record({
    code: codes,
    status: enhanced,
    text: words,
    host: hosts,
    phase: anyPhase,
    alone: fc.boolean(),
  })
  .map(({ code, status, text, host, phase, alone }) => {
    const digit = Math.floor(code / 100);
    const reply = { code, enhanced: status === "" ? "" : `${digit}.${status}`, lines: [text] };
    const judged = judgeFate({ fate: "refused", phase, reply }, { host, alone });
    return { code, phase, judged };
  });

const holds = (property: (any: Any) => void): void =>
  fc.assert(fc.property(anything, property), { numRuns: 2000 });

describe("whatever a server says,", () => {
  test("only its 5xx to the envelope or the message bounces", () => {
    holds(({ code, phase, judged }) => {
      if (judged.kind !== "failed") return;
      expect(code).toBeGreaterThanOrEqual(500);
      expect(["mail", "rcpt", "data", "body", "dot"]).toContain(phase);
      expect(["recipient", "message"]).toContain(judged.scope);
    });
  });

  test("only a mailbox that is no good is suppressed, and never with what is ours to mend", () => {
    holds(({ judged }) => {
      if (judged.suppress === undefined) return;
      expect([judged.kind, judged.class]).toEqual(["failed", "mailbox"]);
      expect(judged.alert).toBeUndefined();
    });
  });

  test("authentication, blocklists and a relay's login are told to an operator", () => {
    holds(({ judged }) => {
      if (judged.class === "authentication" || judged.class === "relay")
        expect(judged.alert).toBeString();
    });
  });

  test("a hint is within its bounds, and a bounce has none", () => {
    holds(({ judged }) => {
      const { retryAfterMs } = judged;
      if (retryAfterMs === undefined) return;
      expect(judged.kind).toBe("deferred");
      expect(retryAfterMs).toBeWithin(10_000, 3_600_001);
    });
  });
});

test("a huge reply is looked at only so far", () => {
  const text = `${"gray list in 1 ".repeat(50_000)}spamhaus`;
  const judged = judgeFate({
    fate: "refused",
    phase: "rcpt",
    reply: { code: 550, enhanced: "", lines: [text] },
  });
  expect(judged.text.length).toBeLessThanOrEqual(1024);
  expect(judged.class).toBe("greylist");
});

test("of several hosts that failed, the one that spoke decides", () => {
  const silent = { kind: "failure", why: "timeout", text: "no connection" } as const;
  const spoke = { end: "refused", phase: "greeting", reply: replyOf("421 4.7.0 busy") } as const;
  expect(judgeOpening([spoke, silent]).code).toBe(421);
  expect(judgeOpening([silent, silent])).toMatchObject({ class: "network", unreached: true });
  expect(judgeOpening([spoke, silent]).unreached).toBeUndefined();
});

test("want of descriptors is our own trouble", () => {
  const judged = judgeOpening([{ kind: "failure", why: "local", text: "no descriptor" }]);
  expect(judged).toMatchObject({ kind: "deferred", class: "local" });
  expect(judged.unreached).toBeUndefined();
});

test("a damaged message is held, and one whose file could not be opened just now is tried again", () => {
  const spoiled = (text: string) => judgeFate({ fate: "spoiled", text });
  expect(spoiled("the stored message is damaged")).toMatchObject({ kind: "deferred", hold: true });
  expect(
    spoiled("the spool file cannot be read: EMFILE: too many open files").hold,
  ).toBeUndefined();
});
