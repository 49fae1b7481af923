// The judge of the fault table notices what it is there for.
import { expect, test } from "bun:test";
import type { Expect, FaultCase, Outcome, Seen, Told } from "./case.ts";
import { allCases } from "./rows/all.ts";
import { complaints } from "./judge.ts";
import type { MailServer } from "./mailServer.ts";
import { type Run, cellOf, markdown, totalsOf } from "./table.ts";

const to = "x@c.test";

function told(outcomes: readonly Outcome[], facts: Readonly<Record<string, unknown>> = {}): Told {
  const type = outcomes[0] === "delivered" ? "email.delivered" : "email.delivery_delayed";
  return { to, outcomes, events: [{ type, at: 0, postrider: facts }] };
}

/** A server that heard these lines and took so many copies. */
function server(lines: readonly string[], copies: number): MailServer {
  const one = { mailFrom: "", to: [to], content: "", secure: false, at: 0, session: 0 };
  return {
    ...{ name: "mx1.c.test", address: "198.18.0.1", sessions: [] },
    taken: () => Array.from({ length: copies }, () => one),
    lines: () => [...lines],
    close: async () => {},
  };
}

function judged(expected: Expect, seen: Pick<Seen, "told" | "servers">, queue = true): string[] {
  const one: FaultCase = { row: "R1", what: "a fault", expect: expected };
  const rest = { grownBytes: 0, log: "", sought: [], place: {} as Seen["place"] };
  return complaints(one, { ...rest, ...seen }, { queue });
}

const cases: readonly (readonly [string, Expect, Pick<Seen, "told" | "servers">, string])[] = [
  [
    "another outcome",
    { first: "deferred" },
    { told: [told(["bounced"])], servers: [] },
    "bounced instead of deferred",
  ],
  ["no outcome", { first: "deferred" }, { told: [told([])], servers: [] }, "nothing instead"],
  [
    "another end",
    { first: "deferred", then: "delivered" },
    { told: [told(["deferred", "deferred"])], servers: [] },
    "then deferred instead of delivered",
  ],
  [
    "another class",
    { first: "deferred", told: { class: "tls" } },
    { told: [told(["deferred"], { class: "network" })], servers: [] },
    "class network instead of tls",
  ],
  [
    "what others may come to",
    { first: ["deferred", "delivered"], ours: "delivered" },
    { told: [told(["deferred"])], servers: [] },
    "deferred instead of delivered",
  ],
  [
    "another class of one recipient",
    { first: { x: "deferred" }, toldOf: { x: { class: "tls" } } },
    { told: [told(["deferred"], { class: "network" })], servers: [] },
    "class network instead of tls",
  ],
  [
    "a second copy",
    { first: "delivered" },
    { told: [told(["delivered"])], servers: [server([], 2)] },
    "2 copies instead of 1",
  ],
  [
    "a line that must not be said",
    { first: "deferred", never: /^DATA/ },
    { told: [told(["deferred"])], servers: [server(["EHLO a", "DATA"], 0)] },
    "the server heard DATA",
  ],
  [
    "what only the case knows",
    { first: "deferred", check: () => "too late" },
    { told: [told(["deferred"])], servers: [] },
    "too late",
  ],
];

for (const [name, expected, seen, words] of cases)
  test(`a fault of the sender is told: ${name}`, () => {
    expect(judged(expected, seen).join("; ")).toContain(words);
  });

test("what is as it must be is not complained of", () => {
  const seen = { told: [told(["deferred", "delivered"])], servers: [server(["QUIT"], 1)] };
  expect(judged({ first: "deferred", then: "delivered", never: /^DATA/ }, seen)).toEqual([]);
});

test("a sender that keeps no queue is not asked what comes later", () => {
  const seen = { told: [{ to, outcomes: ["deferred"], events: [] } as Told], servers: [] };
  expect(judged({ first: "deferred", then: "delivered" }, seen, false)).toEqual([]);
});

test("a row passes when all of its cases do, and does not apply when none does", () => {
  const one = { row: "R1", sender: "A", what: "a", why: "" } as const;
  const run: Run = {
    revision: "",
    senders: ["A", "B"],
    results: [
      { ...one, mark: "pass" },
      { ...one, what: "b", mark: "fail", why: "late" },
      { ...one, row: "R2", mark: "pass" },
      { ...one, sender: "B", mark: "n.a.", why: "keeps no queue" },
    ],
  };
  expect(cellOf(run, "R1", "A")).toEqual({ mark: "fail", passed: 1, tried: 2, why: "late" });
  expect(totalsOf(run, "A")).toEqual({ pass: 1, fail: 1, "n.a.": 0 });
  expect(markdown(run)).toContain("| R1 | a; and 1 more | fail (1 of 2) | n.a. |");
});

test("every fault that keeps mail from us tells its class, and what we come to", () => {
  const isDelivered = (outcome: Outcome): boolean => outcome === "delivered";
  const lax = allCases.filter(({ expect: { first, ours, told, toldOf = {} } }) => {
    if (typeof first === "object" && !Array.isArray(first))
      return Object.entries(first).some(
        ([local, outcome]) => !isDelivered(outcome) && (told ?? toldOf[local])?.class === undefined,
      );
    const outcomes = ours === undefined ? [first].flat() : [ours];
    return !outcomes.every(isDelivered) && told?.class === undefined;
  });
  expect(lax.map(({ row, what }) => `${row}: ${what}`)).toEqual([]);
});
