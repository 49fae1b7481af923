// What a reply means, as a table: kind, scope and class of trouble.
import { expect, test } from "bun:test";
import type { Reply } from "../../src/smtp/reply.ts";
import type { Phase } from "../../src/smtp/phases.ts";
import { judgeFate, judgeOpening } from "../../src/deliver/trouble.ts";

/** `451 4.7.1 some words` as a reply. */
function replyOf(text: string): Reply {
  const [, code, enhanced = "", words = ""] = /^(\d+)(?: (\d\.\d+\.\d+))? ?(.*)$/.exec(text) ?? [];
  return { code: Number(code), enhanced, lines: [words] };
}

function judged(phase: Phase, text: string) {
  const one = judgeFate({ fate: "refused", phase, reply: replyOf(text) });
  return `${one.kind} ${one.scope} ${one.class}`;
}

const table: readonly (readonly [phase: Phase, reply: string, judgement: string])[] = [
  ["rcpt", "550 5.1.1 no such user", "failed recipient mailbox"],
  ["rcpt", "550 unknown user", "failed recipient mailbox"],
  ["rcpt", "552 5.2.2 over quota", "failed recipient full"],
  ["rcpt", "452 4.2.2 over quota", "deferred recipient full"],
  ["rcpt", "450 4.2.0 greylisted", "deferred recipient greylist"],
  ["rcpt", "450 too many messages", "deferred recipient rate"],
  ["rcpt", "550 5.7.1 blocked", "failed recipient policy"],
  ["rcpt", "421 4.3.2 closing", "deferred host other"],
  ["mail", "530 5.7.0 authenticate first", "deferred site relay"],
  ["dot", "550 5.7.26 no SPF and no DKIM", "failed message authentication"],
  ["dot", "450 4.7.26 no SPF and no DKIM", "deferred message authentication"],
  // Gmail: "an unusual rate of unsolicited mail".
  ["dot", "450 4.7.28 unusual rate", "deferred message rate"],
  ["dot", "550 5.7.28 unusual rate", "failed message spam"],
  ["dot", "552 5.3.4 too big", "failed message size"],
  ["dot", "552 too big", "failed message size"],
  ["data", "250 2.0.0 ok", "deferred host protocol"],
  ["greeting", "554 5.7.1 no service", "deferred host policy"],
];

for (const [phase, reply, judgement] of table)
  test(`${reply}, to ${phase}: ${judgement}`, () => {
    expect(judged(phase, reply)).toBe(judgement);
  });

test("a server's hint is kept within bounds, and only where the mail is tried again", () => {
  const hintOf = (text: string) =>
    judgeFate({ fate: "refused", phase: "rcpt", reply: replyOf(text) }).retryAfterMs;
  expect(hintOf("450 greylisted, try again in 5 minutes")).toBe(300_000);
  expect(hintOf("450 come back in 1 second")).toBe(10_000);
  expect(hintOf("450 retry after 99999 minutes")).toBe(3_600_000);
  expect(hintOf("450 not now")).toBeUndefined();
  expect(hintOf("550 try again in 5 minutes")).toBeUndefined();
});

test("a 521 greeting bounces only when every address of the route says it", () => {
  const says = (text: string) =>
    ({ end: "refused", phase: "greeting", reply: replyOf(text) }) as const;
  expect(judgeOpening([says("521 no mail"), says("521 no mail")]).kind).toBe("failed");
  expect(judgeOpening([says("421 busy"), says("521 no mail")]).kind).toBe("deferred");
});
