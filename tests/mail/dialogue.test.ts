import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Conversation,
  packConversations,
  unpackConversations,
} from "../../src/mail/dialogue.ts";

const exchange = fc.record({
  phase: fc.string(),
  sentMs: fc.nat(),
  tookMs: fc.nat(),
  sent: fc.string(),
  code: fc.integer({ min: 0, max: 599 }),
  reply: fc.string(),
});

const conversation: fc.Arbitrary<Conversation> = fc.record({
  session: fc.string(),
  host: fc.string(),
  address: fc.ipV4(),
  source: fc.string(),
  at: fc.nat(),
  reused: fc.boolean(),
  exchanges: fc.array(exchange),
  dropped: fc.nat(),
});

test("what was said comes back as it was packed", () => {
  fc.assert(
    fc.property(fc.array(conversation), (said) => {
      expect(unpackConversations(packConversations(said))).toEqual(said);
    }),
  );
});
