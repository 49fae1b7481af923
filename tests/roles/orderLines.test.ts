// What an operator did, as the log tells it.
import { expect, test } from "bun:test";
import type { LogFields } from "../../src/base/log.ts";
import { type CommandAnswer, done, type QueueVerb } from "../../src/mail/command.ts";
import { hostTag, uuidOf } from "../../src/mail/id.ts";
import { tellOrder } from "../../src/roles/handlers/orderLines.ts";

const tag = hostTag(new Uint8Array(8).fill(7));
const id = uuidOf(4096, tag);

function told(verb: QueueVerb, answer: CommandAnswer = done({})): [string, LogFields][] {
  const lines: [string, LogFields][] = [];
  tellOrder(verb, answer, (_, event, fields = {}) => void lines.push([event, fields]), tag);
  return lines;
}

test("a pause of a domain is an operator's, a message's cancelling may be a program's", () => {
  const span = { by: "domain", name: "a.example" } as const;
  expect(told({ do: "queue.pause", span })).toEqual([
    ["queue.order", { verb: "pause", ...span, answer: "done" }],
  ]);
  expect(told({ do: "queue.flush", which: { by: "all" } })).toEqual([
    ["queue.order", { verb: "flush", by: "all", name: "", answer: "done" }],
  ]);
  const late: CommandAnswer = { kind: "conflict", name: "not_cancelable", detail: "" };
  expect(told({ do: "queue.cancel", message: 4096 }, late)).toEqual([
    ["mail.order", { verb: "cancel", email_id: id, answer: "conflict" }],
  ]);
  const which = { by: "message", message: 4096 } as const;
  expect(told({ do: "queue.hold", which })).toEqual([
    ["mail.order", { verb: "hold", email_id: id, answer: "done" }],
  ]);
});

test("of suppressions only what has changed is told", () => {
  const row = (email: string, added?: boolean) => ({ email, origin: "manual", reason: "x", added });
  const entries = [{ address: "a@a.example", reason: "x" }];
  const add: QueueVerb = { do: "suppress.add", entries };
  expect(told(add, done([row("a@a.example", true), row("b@a.example", false)]))).toEqual([
    ["suppress.added", { address: "a@a.example", origin: "manual", reason: "x" }],
  ]);
  const remove: QueueVerb = { do: "suppress.remove", which: ["a@a.example", "c@a.example"] };
  expect(told(remove, done([row("a@a.example"), null]))).toHaveLength(1);
  const report: QueueVerb = {
    ...{ do: "suppress.report", message: 4096, n: 0, report: "complained", enhanced: "" },
    ...{ text: "spam", by: "", suppress: true },
  };
  expect(told(report, done({ result: "recorded", suppressed: true }))).toEqual([
    ["suppress.added", { email_id: id, origin: "complaint", reason: "spam" }],
  ]);
  expect(told(report, done({ result: "recorded", suppressed: false }))).toEqual([]);
});
