// A million names that nobody asks for twice must leave the memory as it was (fault catalogue D21).
import { expect, test } from "bun:test";
import { parseHosts } from "../../src/dns/servers.ts";
import { createResolver } from "../../src/dns/resolver.ts";
import type { Outcome } from "../../src/dns/upstream.ts";
import { handClock } from "./lab.ts";

const NAMES = 150_000;
const HEAP_MAX = 24_000_000;

function heapBytes(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}

test("the memory is as full after ten times its entries as after one time", async () => {
  const reply: Outcome = {
    kind: "reply",
    reply: {
      rcode: 0,
      secure: false,
      negativeTtlS: undefined,
      referral: false,
      records: [],
    },
  };
  const resolver = createResolver({
    clock: handClock(),
    hosts: parseHosts(""),
    entriesMax: 10_000,
    ask: ({ type, name }) =>
      Promise.resolve({
        ...reply,
        reply: {
          ...reply.reply,
          records: [{ type: "A", owner: name, ttlS: 60, value: `192.0.2.${type.length}` }],
        },
      }),
  });
  for (let i = 0; i < 10_000; i++) await resolver.lookup("A", `first${i}.flood.test`);
  const before = heapBytes();
  for (let i = 0; i < NAMES; i++) await resolver.lookup("A", `n${i}.flood.test`);
  expect(heapBytes() - before).toBeLessThan(HEAP_MAX);
});
