// Calls with idempotency keys, for the tests of the engine.
import type { AcceptAnswer, Once, Submission } from "../../src/mail/submission.ts";
import { type Bench, START } from "./bench.ts";

export const once = (key: string, request = "r"): Once => ({
  key,
  request,
  answer: `first of ${key}`,
});

let ids = START * 4096;
export function letter(to: readonly string[] = ["a@example.com"], spool?: string): Submission {
  const body = new TextEncoder().encode("Subject: Hi\r\n\r\nText\r\n");
  return {
    head: {
      id: ++ids,
      acceptedAt: START,
      from: "sender@example.org",
      recipients: to,
      priority: 1,
      dueAt: START,
      expiresAt: null,
      sizeBytes: body.length,
      sha256: "",
      eightBit: false,
      utf8: false,
      facts: "{}",
      body:
        spool === undefined
          ? { kind: "inline", length: body.length }
          : { kind: "spool", file: spool },
    },
    body: spool === undefined ? body : null,
  };
}

export function hand(bench: Bench, messages: readonly Submission[], key?: Once) {
  const told: { answer?: AcceptAnswer } = {};
  bench.queue.accept(messages, (answer) => void (told.answer = answer), key);
  return told;
}
