import { expect, test } from "bun:test";
import { createLearned } from "../../src/deliver/learned.ts";
import { nothingOffered } from "../../src/smtp/extensions.ts";
import type { Fate } from "../../src/smtp/transaction.ts";

const DAY_MS = 86_400_000;
const offer = { ...nothingOffered, pipelining: true, chunking: true };

function create() {
  const clock = { nowMs: 0, monotonicMs: () => clock.nowMs };
  return { clock, learned: createLearned(clock) };
}

const lost = (phase: "mail" | "rcpt", why: "closed" | "timeout" | "protocol"): Fate => ({
  fate: "lost",
  phase,
  why,
  text: "",
  doubt: false,
});
const broke = (fate: Fate) => ({ broke: "pipelining", fates: [fate] }) as const;

test("what a host does not bear is left out for a day, and for that host only", () => {
  const { clock, learned } = create();
  expect(learned.fit("a", offer)).toBe(offer);
  expect(learned.note("a", broke(lost("rcpt", "closed")))).toBe(true);
  expect(learned.note("b", { broke: "chunking", fates: [lost("rcpt", "protocol")] })).toBe(true);
  expect(learned.fit("a", offer)).toMatchObject({ pipelining: false, chunking: true });
  expect(learned.fit("b", offer)).toMatchObject({ pipelining: true, chunking: false });
  expect(learned.fit("c", offer)).toBe(offer);
  clock.nowMs = DAY_MS + 1;
  expect(learned.fit("a", offer)).toBe(offer);
});

test("a host that has answered groups is only blamed for what is its own fault", () => {
  const { learned } = create();
  learned.worked("a");
  expect(learned.note("a", broke(lost("rcpt", "closed")))).toBe(false);
  expect(learned.note("a", broke(lost("mail", "timeout")))).toBe(false);
  expect(learned.note("a", { broke: null, fates: [] })).toBe(false);
  expect(learned.fit("a", offer)).toBe(offer);
  // Alive, and one reply short.
  expect(learned.note("a", broke(lost("rcpt", "timeout")))).toBe(true);
});

test("however many hosts are broken, only so many are remembered", () => {
  const { learned } = create();
  for (let i = 0; i < 1500; i++) learned.note(`h${i}`, broke(lost("rcpt", "closed")));
  expect(learned.fit("h0", offer).pipelining).toBe(true);
  expect(learned.fit("h1499", offer).pipelining).toBe(false);
});
