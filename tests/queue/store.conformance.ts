// What every queue store must do. A store is tested through a folder that outlives it: opened, closed, killed, opened again.
import { describe, expect, test } from "bun:test";
import { isFinal } from "../../src/mail/state.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import { CLAIMS_PER_OPENING, type Settlement } from "../../src/queue/store.ts";
import {
  byStateAndPriority,
  delivered,
  idAt,
  message,
  NOW,
  queued,
  recount,
} from "./store.messages.ts";
import type { StoreHome } from "./store.homes.ts";
import { createStage, everything } from "./store.stage.ts";

export function conformance(name: string, makeHome: () => StoreHome): void {
  describe(name, () => {
    const { store, act, claimAll, reopen, kill, open, killAndReopen } = createStage(makeHome);
    const id = idAt(NOW, 7);

    test("a new store knows nothing, and its tag is kept", () => {
      const { tag, lastId, unclean } = store.facts;
      expect({ lastId, unclean, tag: tag.length }).toEqual({ lastId: 0, unclean: false, tag: 16 });
      expect(store.tally()).toEqual([]);
      reopen();
      expect(store.facts.tag).toBe(tag);
      expect(store.facts.unclean).toBe(false);
    });

    test("an accepted message is there after a kill, with its bytes and its event", () => {
      const body = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
      act(() => store.accept(message({ id, states: [queued(), queued(NOW + 5)], body })));
      killAndReopen();
      expect(store.facts).toMatchObject({ lastId: id, unclean: true, faults: [] });
      expect(store.body(id)).toEqual(body);
      expect(store.recipients(id).map((one) => one.address)).toEqual([
        "user0@example.com",
        "user1@example.com",
      ]);
      expect(store.events(0, 10)).toEqual([
        { seq: 1, message: id, n: -1, type: "email.sent", at: NOW, step: -1 },
      ]);
      expect(store.size().pendingBytes).toBe(5000);
    });

    test("a transaction that throws leaves nothing behind", () => {
      const attempt = (): unknown =>
        store.transaction(() => {
          store.accept(message({ id, states: [queued()] }));
          store.siteId("mx.example.com");
          throw new Error("a bug");
        });
      expect(attempt).toThrow("a bug");
      expect(store.recipients(id)).toEqual([]);
      expect(store.tally()).toEqual([]);
      expect(store.size().pendingBytes).toBe(0);
      act(() => store.accept(message({ id, states: [queued()] })));
      expect(store.events(0, 10).map((one) => one.seq)).toEqual([1]);
      expect(act(() => store.siteId("other.example"))).toBe(1);
      expect(store.siteName(1)).toBe("other.example");
    });

    test("a claim takes what is due, earliest first, and only once", () => {
      const late = idAt(NOW, 1);
      const soon = idAt(NOW, 2);
      act(() => {
        store.accept(message({ id: late, states: [queued(NOW - 1), queued(NOW + 60_000)] }));
        store.accept(message({ id: soon, states: [queued(NOW - 9)] }));
      });
      const claimed = claimAll();
      expect(claimed.map(({ message, n }) => [message, n])).toEqual([
        [soon, 0],
        [late, 0],
      ]);
      expect(claimed[0]).toMatchObject({ from: "sender@s.example", eightBit: true, utf8: false });
      expect(claimed[0]?.acceptedAt).toBe(NOW);
      expect(claimAll()).toEqual([]);
      expect(store.nextDue(0, 1)).toBe(NOW + 60_000);
      expect(store.nextDue(0, 0)).toBeUndefined();
    });

    test("a claim stops at its limit of recipients and at its bytes", () => {
      const body = new Uint8Array(100);
      act(() => {
        for (let i = 0; i < 6; i++) store.accept(message({ id: id + i, states: [queued()], body }));
      });
      const request = { ...everything, now: NOW, leaseUntil: NOW + 1 };
      expect(act(() => store.claim({ ...request, limit: 2 }))).toHaveLength(2);
      expect(act(() => store.claim({ ...request, bytesMax: 150 }))).toHaveLength(2);
      expect(act(() => store.claim({ ...request, bytesMax: 100 }))).toHaveLength(1);
    });

    test("a claim is of one site and one lane", () => {
      const site = act(() => store.siteId("mx.example.com"));
      act(() => {
        store.accept(message({ id, states: [queued()], site, priority: 2 }));
        store.accept(message({ id: id + 1, states: [queued()], site, priority: 0 }));
        store.accept(message({ id: id + 2, states: [queued()] }));
      });
      expect(store.sitesWaiting()).toEqual([0, site]);
      const request = { ...everything, site, now: NOW, leaseUntil: NOW + 1 };
      const p0 = act(() => store.claim({ ...request, priority: 0 }));
      expect(p0.map((one) => one.message)).toEqual([id + 1]);
      expect(act(() => store.claim({ ...request, priority: 1 }))).toEqual([]);
      expect(store.siteName(site)).toBe("mx.example.com");
    });

    test("the last recipient's end drops the body, and not before", () => {
      act(() => store.accept(message({ id, states: [queued(), queued()] })));
      const [first, second] = claimAll();
      act(() => store.settle(delivered(id, 0, first?.claim ?? 0)));
      expect(store.body(id)).not.toBeNull();
      act(() => store.settle(delivered(id, 1, second?.claim ?? 0)));
      expect(store.body(id)).toBeNull();
      expect(store.size().pendingBytes).toBe(0);
    });

    test("a recipient inserted already leased is settled without a claim of its own", () => {
      const claim = store.nextClaim();
      const state: RecipientState = { at: "sending", claim, leaseUntil: NOW + 9, attempts: 0 };
      act(() => store.accept(message({ id, states: [state] })));
      expect(store.sitesWaiting()).toEqual([]);
      expect(act(() => store.settle(delivered(id, 0, claim, '["a",1]')))).toBe(true);
      expect(store.recipients(id)[0]).toMatchObject({
        state: { at: "delivered", endedAt: NOW + 1, attempts: 1 },
        timeline: '["a",1]',
      });
      expect(store.timeline(id, 0)).toBe('["a",1]');
      expect(store.timeline(id, 1)).toBe("");
      expect(store.events(1, 10)).toEqual([
        { seq: 2, message: id, n: 0, type: "email.delivered", at: NOW + 1, step: 0 },
      ]);
    });

    test("a verdict of a lost lease changes nothing", () => {
      act(() => store.accept(message({ id, states: [queued()] })));
      const [lost] = claimAll();
      const claim = lost?.claim ?? 0;
      const back: Settlement = {
        ...delivered(id, 0, claim, '["n"]'),
        next: queued(NOW, 1),
        event: null,
      };
      expect(act(() => store.settle(back))).toBe(true);
      const [held] = claimAll();
      const before = store.recipients(id);
      expect(act(() => store.settle(delivered(id, 0, claim)))).toBe(false);
      expect(act(() => store.settle(delivered(id, 0, claim + 999)))).toBe(false);
      expect(act(() => store.settle(delivered(id, 0, null)))).toBe(false);
      expect(act(() => store.settle(delivered(id + 1, 0, held?.claim ?? 0)))).toBe(false);
      expect(store.recipients(id)).toEqual(before);
      expect(store.events(0, 10)).toHaveLength(1);
      expect(act(() => store.settle(delivered(id, 0, held?.claim ?? 0)))).toBe(true);
      expect(act(() => store.settle(delivered(id, 0, held?.claim ?? 0)))).toBe(false);
    });

    test("a change without a lease reaches a waiting recipient, and no final one", () => {
      act(() => store.accept(message({ id, states: [{ at: "held", attempts: 2 }] })));
      const site = act(() => store.siteId("mx.example.com"));
      const release = { ...delivered(id, 0, null, null), next: queued(NOW, 2), event: null, site };
      expect(act(() => store.settle(release))).toBe(true);
      expect(store.recipients(id)[0]).toMatchObject({ state: queued(NOW, 2), site, timeline: "" });
      expect(act(() => store.settle(delivered(id, 0, null)))).toBe(true);
      expect(act(() => store.settle(delivered(id, 0, null)))).toBe(false);
    });

    test("a failed attempt's lease is kept by its number through a rollback", () => {
      act(() => store.accept(message({ id, states: [queued()] })));
      const claim = claimAll()[0]?.claim ?? 0;
      const attempt = (): unknown =>
        store.transaction(() => {
          store.settle(delivered(id, 0, claim));
          throw new Error("undo");
        });
      expect(attempt).toThrow("undo");
      expect(store.body(id)).not.toBeNull();
      expect(act(() => store.settle(delivered(id, 0, claim)))).toBe(true);
      expect(store.recipients(id)[0]?.timeline).toBe('["a"]');
    });

    test("steps are joined by commas and named by their place", () => {
      act(() => store.accept(message({ id, states: [queued()] })));
      for (const attempt of [1, 2, 3]) {
        const claim = claimAll()[0]?.claim ?? 0;
        const next: RecipientState = { at: "deferred", dueAt: NOW, attempts: attempt };
        const event = "email.delivery_delayed";
        const step = `["a",${attempt}]`;
        act(() => store.settle({ message: id, n: 0, claim, next, step, event, at: NOW }));
      }
      expect(store.recipients(id)[0]?.timeline).toBe('["a",1],["a",2],["a",3]');
      expect(store.events(1, 10).map((one) => one.step)).toEqual([0, 1, 2]);
    });

    test("leases of a dead process are found, in order of message, and settle still", () => {
      act(() => {
        store.accept(message({ id: id + 1, states: [queued(NOW - 5)] }));
        store.accept(message({ id, states: [queued(NOW - 1), queued(NOW - 2)] }));
      });
      claimAll();
      killAndReopen();
      const { claimBase } = store.facts;
      const leases = store.leases({ claimMax: claimBase, now: NOW, limit: 10 });
      expect(leases.map((one) => [one.message, one.n])).toEqual([
        [id, 0],
        [id, 1],
        [id + 1, 0],
      ]);
      for (const { message, n, claim } of leases) {
        expect(act(() => store.settle(delivered(message, n, claim)))).toBe(true);
      }
      expect(store.nextClaim()).toBeGreaterThan(claimBase);
      expect(store.leases({ claimMax: claimBase, now: NOW, limit: 10 })).toEqual([]);
      expect(store.size().pendingBytes).toBe(0);
    });

    test("a lease of a process that gave more claims than its block holds is known for a dead one's", () => {
      const claim = store.facts.claimBase + 3 * CLAIMS_PER_OPENING;
      const state = { at: "sending", claim, leaseUntil: NOW + 60_000, attempts: 0 } as const;
      act(() => store.accept(message({ id, states: [state] })));
      killAndReopen();
      const { claimBase } = store.facts;
      expect(store.leases({ claimMax: claimBase, now: 0, limit: 10 })).toMatchObject([{ claim }]);
      expect(store.nextClaim()).toBeGreaterThan(claim);
    });

    test("leases that ran out are found by the time", () => {
      act(() => store.accept(message({ id, states: [queued()] })));
      claimAll();
      const { claimBase } = store.facts;
      expect(store.leases({ claimMax: claimBase, now: NOW + 60_000, limit: 10 })).toEqual([]);
      const found = store.leases({ claimMax: claimBase, now: NOW + 60_001, limit: 10 });
      expect(found).toMatchObject([{ message: id, leaseUntil: NOW + 60_000, attempts: 0 }]);
    });

    test("a kill within a transaction leaves what was committed before", () => {
      act(() => store.accept(message({ id, states: [queued()] })));
      const killed = new Error("killed");
      const attempt = (): unknown =>
        store.transaction(() => {
          store.accept(message({ id: id + 1, states: [queued()] }));
          kill();
          throw killed;
        });
      expect(attempt).toThrow(killed);
      open();
      expect(store.recipients(id + 1)).toEqual([]);
      expect(store.recipients(id)).toHaveLength(1);
      expect(store.tally()).toEqual([{ state: "queued", priority: 1, recipients: 1 }]);
      expect(store.facts.faults).toEqual([]);
    });

    test("a spool file is named once, after the commit that made it needless", () => {
      act(() => store.accept(message({ id, states: [queued(), queued()], spool: "a.eml" })));
      expect([...store.spooled()]).toEqual(["a.eml"]);
      expect(store.body(id)).toBeNull();
      const [first, second] = claimAll();
      expect(first?.spool).toBe("a.eml");
      act(() => store.settle(delivered(id, 0, first?.claim ?? 0)));
      expect(store.takeDropped()).toEqual([]);
      act(() => {
        store.settle(delivered(id, 1, second?.claim ?? 0));
        expect(store.takeDropped()).toEqual([]);
      });
      expect(store.takeDropped()).toEqual(["a.eml"]);
      expect(store.takeDropped()).toEqual([]);
      expect([...store.spooled()]).toEqual([]);
    });

    test("a message whose recipients are all suppressed is final at once", () => {
      const state: RecipientState = { at: "suppressed", endedAt: NOW, attempts: 0 };
      act(() => store.accept(message({ id, states: [state] })));
      expect(store.body(id)).toBeNull();
      expect(store.size().pendingBytes).toBe(0);
      expect(store.events(0, 9).map((one) => one.type)).toEqual(["email.sent", "email.suppressed"]);
    });

    test("counts and sites survive, and agree with a recount", () => {
      act(() => {
        store.siteId("one.example");
        store.siteId("two.example");
        store.accept(message({ id, states: [queued(), queued(), { at: "held", attempts: 0 }] }));
        store.accept(message({ id: id + 1, states: [queued()], priority: 0 }));
      });
      claimAll();
      reopen();
      expect([...store.tally()].sort(byStateAndPriority)).toEqual(recount(store, [id, id + 1]));
      expect(store.siteName(2)).toBe("two.example");
      expect(act(() => store.siteId("two.example"))).toBe(2);
      expect(store.tally().some((one) => isFinal(one.state))).toBe(false);
    });

    test("kept answers survive and the newer one stands", () => {
      const first = { key: "MX example.com", answer: "a", expiresAt: NOW };
      act(() => store.remember([first, { ...first, key: "MX a.example" }]));
      act(() => store.remember([{ ...first, answer: "b" }]));
      killAndReopen();
      expect([...store.recall()]).toEqual([
        { key: "MX a.example", answer: "a", expiresAt: NOW },
        { key: "MX example.com", answer: "b", expiresAt: NOW },
      ]);
      expect(store.recallOne("MX example.com")?.answer).toBe("b");
      expect(store.recallOne("MX b.example")).toBeUndefined();
    });
  });
}
