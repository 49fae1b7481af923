// SQLite against memory: whatever is asked of both, in whatever order, with kills between and within transactions, they answer
// the same and hold the same.
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Suppression } from "../../src/mail/suppression.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import type { QueueStore, Settlement } from "../../src/queue/store.ts";
import type { StoreHome } from "./store.homes.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";
import { byStateAndPriority, idAt, message, NOW, recount } from "./store.messages.ts";

const RUNS = 40;
const MESSAGES = 12;
/** A loaded machine, not a slow test. */
const TEST_MS = 60_000;

const dueAt = fc.integer({ min: NOW - 3, max: NOW + 3 });
const attempts = fc.integer({ min: 0, max: 3 });
/** Sending states get their claim from the store when they are used. */
const state: fc.Arbitrary<RecipientState> = fc.oneof(
  fc.record({ at: fc.constant("scheduled" as const), dueAt }),
  fc.record({ at: fc.constantFrom("queued" as const, "deferred" as const), dueAt, attempts }),
  fc.record({ at: fc.constant("held" as const), attempts }),
  fc.record({
    at: fc.constant("sending" as const),
    claim: fc.constant(1),
    leaseUntil: dueAt,
    attempts,
  }),
  fc.record({
    at: fc.constantFrom("delivered" as const, "bounced" as const, "suppressed" as const),
    endedAt: dueAt,
    attempts,
  }),
);
const which = fc.integer({ min: 0, max: MESSAGES - 1 });
const priority = fc.constantFrom(0 as const, 1 as const, 2 as const);
const site = fc.integer({ min: 0, max: 2 });

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("accept" as const),
      which,
      states: fc.array(state, { minLength: 1, maxLength: 3 }),
      site,
      priority,
      size: fc.integer({ min: 1, max: 6000 }),
      spool: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      site,
      priority,
      limit: fc.integer({ min: 1, max: 4 }),
      bytesMax: fc.integer({ min: 1, max: 9000 }),
      leaseUntil: dueAt,
      park: fc.boolean(),
    }),
  },
  fc.record({
    do: fc.constant("reopen" as const),
    which,
    n: fc.integer({ min: 0, max: 2 }),
    dueAt,
  }),
  fc.record({ do: fc.constant("fade" as const), before: dueAt, limit: fc.constantFrom(1, 9) }),
  fc.record({
    do: fc.constantFrom("pause" as const, "resume" as const),
    kind: fc.constantFrom("domain" as const, "site" as const),
    name: fc.constantFrom("a", "b"),
  }),
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      which,
      n: fc.integer({ min: 0, max: 2 }),
      /** The lease that is there, none, or one that is lost. */
      lease: fc.constantFrom("held" as const, "none" as const, "lost" as const),
      next: state,
      site: fc.option(site, { nil: undefined }),
      step: fc.constantFrom(null, '["n"]', '["a",1]'),
      event: fc.constantFrom(null, "email.delivered" as const, "email.bounced" as const),
    }),
  },
  fc.record({
    do: fc.constant("forget" as const),
    before: fc.integer({ min: NOW, max: NOW + MESSAGES }),
    limit: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    do: fc.constant("once" as const),
    key: fc.constantFrom("k", "l", "m"),
    request: fc.constantFrom("r", "s"),
    at: fc.constantFrom(NOW, NOW + 1, NOW + 3 * 86_400_000),
    suppress: fc.boolean(),
  }),
  fc.record({
    do: fc.constant("trim" as const),
    before: fc.integer({ min: NOW, max: NOW + 2 }),
    limit: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({
    do: fc.constantFrom("suppress" as const, "unsuppress" as const),
    address: fc.constantFrom("a@x", "b@x", "c@x"),
    origin: fc.constantFrom("bounce" as const, "manual" as const),
  }),
  fc.record({
    do: fc.constant("annotate" as const),
    which,
    n: fc.integer({ min: 0, max: 2 }),
    event: fc.constantFrom("email.bounced" as const, "email.complained" as const),
  }),
  fc.record({ do: fc.constant("site" as const), name: fc.constantFrom("a", "b", "c") }),
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** One transaction: it commits, is undone by a bug in the midst, or dies with the process. */
const turn = fc.record({
  actions: fc.array(action, { minLength: 1, maxLength: 5 }),
  end: fc.constantFrom(
    "commit" as const,
    "commit" as const,
    "commit" as const,
    "throw" as const,
    "kill" as const,
  ),
  after: fc.constantFrom("go on" as const, "go on" as const, "reopen" as const, "kill" as const),
});
type Turn = typeof turn extends fc.Arbitrary<infer T> ? T : never;

const undone = new Error("undone on purpose");

test(
  "SQLite and memory answer the same and hold the same",
  () => {
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 12 }), (turns) => {
        const homes = [memoryHome(), sqliteHome({ ringFewest: 2 })];
        try {
          const [memory, sqlite] = homes.map((home) => play(home, turns));
          expect(sqlite).toEqual(memory as typeof sqlite);
        } finally {
          for (const home of homes) home.remove();
        }
      }),
      { numRuns: RUNS },
    );
  },
  TEST_MS,
);

/** All answers, and what is there after each transaction. */
function play(home: StoreHome, turns: readonly Turn[]): unknown[] {
  const seen: unknown[] = [];
  const open = (): QueueStore => {
    const opened = home.open();
    opened.keep({ deadMs: 1, all: false });
    return opened;
  };
  let store = open();
  for (const { actions, end, after } of turns) {
    let killed = false;
    try {
      const result = store.transaction(() => {
        for (const one of actions) seen.push(perform(store, one));
        if (end === "kill") {
          home.kill();
          killed = true;
        }
        if (end !== "commit") throw undone;
      });
      seen.push(result.kind);
    } catch (error) {
      if (error !== undone) throw error;
    }
    if (killed) {
      store = open();
    } else if (after === "reopen") {
      store.close();
      store = open();
    } else if (after === "kill") {
      home.kill();
      store = open();
    }
    seen.push(contents(store));
    expect([...store.tally()].sort(byStateAndPriority)).toEqual(recount(store, allIds));
  }
  store.close();
  return seen;
}

const allIds = Array.from({ length: MESSAGES }, (_, i) => idAt(NOW + i));

function perform(store: QueueStore, one: Action): unknown {
  switch (one.do) {
    case "accept": {
      const id = allIds[one.which] ?? 0;
      if (store.recipients(id).length > 0) return "there already";
      const states = one.states.map((next) => withClaim(store, next));
      const body = new Uint8Array(one.size).fill(one.which);
      const spool = one.spool ? { spool: `${one.which}.eml` } : {};
      store.accept(message({ id, states, body, site: one.site, priority: one.priority, ...spool }));
      return "accepted";
    }
    case "claim": {
      const parked = new Map([["example.com", 1]]);
      return store.claim({ ...one, now: NOW, ...(one.park ? { parked } : {}) });
    }
    case "reopen": {
      const { which, n, dueAt } = one;
      const times = { dueAt, expiresAt: NOW + 9, at: NOW };
      return store.reopen({ message: allIds[which] ?? 0, n, ...times, step: '["n"]' });
    }
    case "fade":
      return store.fade(one.before, one.limit);
    case "pause":
      return store.pause({ kind: one.kind, name: one.name, at: NOW });
    case "resume":
      return store.resume(one);
    case "settle": {
      const id = allIds[one.which] ?? 0;
      return store.settle({
        ...{ message: id, n: one.n, step: one.step, event: one.event, at: NOW },
        claim: claimFor(store, id, one.n, one.lease),
        next: withClaim(store, one.next),
        ...(one.site === undefined ? {} : { site: one.site }),
      } satisfies Settlement);
    }
    case "once": {
      const { key, request, at, suppress } = one;
      const kept = store.noteOnce({ key, request, answer: `${key} ${at}` }, at);
      if (suppress) store.suppressOnce(key, [{ message: 0, n: 1 }]);
      return kept;
    }
    case "trim":
      return store.trimOnces({ before: one.before, now: NOW, bytesMax: 1e9, limit: one.limit });
    case "suppress": {
      const { address, origin } = one;
      return listed(store.suppress({ address, origin, source: null, reason: "r", at: NOW }));
    }
    case "unsuppress":
      return listed(store.unsuppress(one.address));
    case "annotate": {
      const { which, n, event } = one;
      return store.annotate({ message: allIds[which] ?? 0, n, step: '["r"]', event, at: NOW });
    }
    case "forget":
      return store.forget(one.before, one.limit);
    default:
      return store.siteId(one.name);
  }
}

/** Numbers of the list only grow; which they are is each store's own. */
function listed(entry: Suppression | undefined): unknown {
  return entry === undefined ? undefined : { ...entry, id: 0 };
}

function withClaim(store: QueueStore, next: RecipientState): RecipientState {
  return next.at === "sending" ? { ...next, claim: store.nextClaim() } : next;
}

function claimFor(store: QueueStore, id: number, n: number, lease: "held" | "none" | "lost") {
  if (lease === "none") return null;
  const held = store.recipients(id).find((one) => one.n === n)?.state;
  const claim = held?.at === "sending" ? held.claim : 1;
  return lease === "held" ? claim : claim + 1;
}

function contents(store: QueueStore): unknown {
  const { lastId, claimBase, unclean, faults } = store.facts;
  return {
    facts: { lastId, claimBase, unclean, faults },
    recipients: allIds.map((id) => store.recipients(id)),
    bodies: allIds.map((id) => store.body(id)?.length),
    events: store.events(0, 999),
    tally: store.tally(),
    pending: store.size().pendingBytes,
    kept: store.size().keptBytes,
    pauses: store.pauses(),
    onces: ["k", "l", "m"].map(store.findOnce),
    suppressed: ["a@x", "b@x", "c@x"].map((one) => listed(store.suppression(one))),
    anySuppressed: store.anySuppressed(),
    lastEvent: store.lastEvent(),
    waiting: store.walk("waiting", { after: null, limit: 99 }),
    held: store.walk("held", { after: null, limit: 99 }).map(({ message, n }) => [message, n]),
    spooled: [...store.spooled()],
    dropped: store.takeDropped(),
    leases: store.leases({ claimMax: claimBase, now: NOW, limit: 9 }),
    sites: store.sitesWaiting().map((id) => [id, store.siteName(id), store.nextDue(id, 1)]),
  };
}
