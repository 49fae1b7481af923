// Whatever a remote server says, and however long, the batch that tells of it can be read by a decoder that is not ours, and says no more
// than it should.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { attemptSpans } from "../../src/report/attemptSpans.ts";
import { createEncoder } from "../../src/report/otlpEncode.ts";
import { rootOf } from "../../src/report/spanRoot.ts";
import { decodeSpans } from "../fixtures/otlp.ts";
import { attempt, CALLER, conversation, recipient, START, step, TAG } from "./spanStage.ts";

const encoder = createEncoder({ "service.name": "postrider" });
/** Lone surrogates, control characters, right-to-left marks, and addresses. */
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 700 }),
  fc.string({ unit: "grapheme", maxLength: 700 }),
  fc.constant("\ud800 \u202e \0 <secret.name+tag@victim.example> \udfff"),
  fc.string({ maxLength: 50 }).map((text) => `550 ${text} secret.name@victim.example refused`),
);
const ms = fc.integer({ min: 0, max: 100_000 });

test("hostile words arrive as text, cut, and without the address's local part", () => {
  fc.assert(
    fc.property(
      hostile,
      hostile,
      fc.array(fc.tuple(ms, ms, hostile)),
      fc.boolean(),
      (text, host, said, calls) => {
        const refused = { outcome: "failed", class: "policy", phase: "rcpt", code: 550 } as const;
        const lines = said.map(([sent, took, words]) => ["rcpt", sent, took, 550, words] as const);
        const spans = attemptSpans(
          attempt(
            { cameAt: 5, endedAt: 90 },
            [
              recipient(step(5, { ...refused, text, host }), {
                address: "secret.name@victim.example",
              }),
            ],
            [conversation(7, lines, { host })],
          ),
          rootOf(START, calls ? `${CALLER} a=1` : null, TAG),
          { tag: TAG, recipients: "domain" },
          { acceptance: undefined, before: undefined },
        );
        const read = decodeSpans(encoder.spans(spans)).spans;
        expect(read).toHaveLength(spans.length);
        for (const { message, attributes, startNs, endNs } of read) {
          expect(endNs >= startNs).toBe(true);
          expect(message.length).toBeLessThanOrEqual(220);
          const words = `${message} ${String(attributes["smtp.reply.text"])}`;
          expect(words).not.toContain("secret.name");
        }
      },
    ),
    { numRuns: 150 },
  );
});

test("a reply of rubbish to an export is no fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (body) => {
      try {
        const { rejected } = encoder.readReply(body);
        expect(rejected).toBeGreaterThanOrEqual(0);
      } catch (error) {
        // The caller takes it for an empty answer.
        expect(error).toBeInstanceOf(Error);
      }
    }),
    { numRuns: 500 },
  );
});
