import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Conversation, isLost, unpackConversations } from "../../src/mail/dialogue.ts";
import { packed } from "../fixtures/dialogue.ts";

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

test("what ended without a reply is lost, and what has none of its own is not", () => {
  const said = (phase: string, reply: string, code: number | null = null): boolean =>
    isLost({ phase, reply, code });
  expect(said("connect", "connected to 192.0.2.1")).toBe(false);
  expect(said("tls", "TLSv1.3 TLS_AES_256_GCM_SHA384, verified")).toBe(false);
  expect(said("body", "")).toBe(false);
  expect(said("rcpt", "5.1.1 Nobody", 550)).toBe(false);
  expect(said("connect", "network: connect ECONNREFUSED 192.0.2.1:25")).toBe(true);
  expect(said("tls", "tls: alert 40")).toBe(true);
  expect(said("body", "closed: by the server", 0)).toBe(true);
  expect(said("rcpt", "no answer")).toBe(true);
});

test("what was said comes back as it was packed", () => {
  fc.assert(
    fc.property(fc.array(conversation), (said) => {
      expect(unpackConversations(packed(said))).toEqual(said);
    }),
  );
});
