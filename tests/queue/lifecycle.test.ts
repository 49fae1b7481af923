// Every happening to every state: what follows, or that nothing does.
import { expect, test } from "bun:test";
import { isFinal, recipientStates, type StateName } from "../../src/mail/state.ts";
import {
  after,
  eventOf,
  type Happening,
  type HappeningKind,
  type RecipientState,
} from "../../src/queue/lifecycle.ts";

function stateOf(at: StateName): RecipientState {
  switch (at) {
    case "scheduled":
      return { at, dueAt: 10 };
    case "queued":
    case "deferred":
      return { at, dueAt: 10, attempts: 2 };
    case "held":
      return { at, attempts: 2 };
    case "sending":
      return { at, claim: 7, leaseUntil: 20, attempts: 2 };
    default:
      return { at, endedAt: 30, attempts: 2 };
  }
}

const happenings: Readonly<Record<HappeningKind, Happening>> = {
  claimed: { kind: "claimed", claim: 8, leaseUntil: 99 },
  renewed: { kind: "renewed", leaseUntil: 99 },
  delivered: { kind: "delivered", at: 50 },
  bounced: { kind: "bounced", at: 50 },
  deferred: { kind: "deferred", dueAt: 60, counted: true },
  returned: { kind: "returned", dueAt: 60 },
  lost: { kind: "lost", dueAt: 60 },
  expired: { kind: "expired", at: 50, counted: false },
  canceled: { kind: "canceled", at: 50 },
  suppressed: { kind: "suppressed", at: 50 },
  held: { kind: "held" },
  released: { kind: "released", dueAt: 60 },
  requeued: { kind: "requeued", dueAt: 60 },
};

test("the whole table of transitions reads as it should", () => {
  const table = Object.values(happenings).map((happening) => {
    const row = recipientStates.map((at) => after(stateOf(at), happening)?.at ?? "-");
    return `${happening.kind}: ${row.join(" ")}`;
  });
  expect(table).toEqual([
    "claimed: sending sending - - sending - - - - -",
    "renewed: - - - sending - - - - - -",
    "delivered: - - - delivered - - - - - -",
    "bounced: - - - bounced - - - - - -",
    "deferred: - - - deferred - - - - - -",
    "returned: - - - queued - - - - - -",
    "lost: - - - deferred - - - - - -",
    "expired: expired expired expired expired expired - - - - -",
    "canceled: canceled canceled canceled - canceled - - - - -",
    "suppressed: suppressed suppressed suppressed suppressed suppressed - - - - -",
    "held: held held - held held - - - - -",
    "released: - - queued - - - - - - -",
    "requeued: - - - - - queued queued queued queued queued",
  ]);
});

test("attempts are counted by what ended an attempt, and by nothing else", () => {
  const counts = Object.values(happenings).map((happening) => {
    const next = after(stateOf("sending"), happening);
    return next === null || next.at === "scheduled" ? null : next.attempts;
  });
  expect(counts).toEqual([null, 2, 3, 3, 3, 2, 3, 2, null, 2, 2, null, null]);
  const uncounted = after(stateOf("sending"), { kind: "deferred", dueAt: 60, counted: false });
  expect(uncounted).toEqual({ at: "deferred", dueAt: 60, attempts: 2 });
});

test("every happening that ends a recipient tells it", () => {
  for (const happening of Object.values(happenings)) {
    const next = after(stateOf("sending"), happening);
    if (next !== null && isFinal(next.at)) expect(eventOf[happening.kind]).not.toBeNull();
  }
});

test("a requeued recipient begins anew", () => {
  expect(after(stateOf("bounced"), { kind: "requeued", dueAt: 60 })).toEqual({
    at: "queued",
    dueAt: 60,
    attempts: 0,
  });
});
