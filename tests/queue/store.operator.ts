// What every queue store must do for an operator: dead letters, pauses, walks. The second half of the suite in store.conformance.ts.
import { describe, expect, test } from "bun:test";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import type { Settlement, WalkPlace } from "../../src/queue/store.ts";
import type { StoreHome } from "./store.homes.ts";
import { delivered, idAt, message, NOW, queued, recount } from "./store.messages.ts";
import { createStage, everything } from "./store.stage.ts";

const DAY_MS = 86_400_000;
const bounced: RecipientState = { at: "bounced", endedAt: NOW, attempts: 1 };

export function operatorConformance(name: string, makeHome: () => StoreHome): void {
  describe(name, () => {
    const { store, act, claimAll, kill, open, killAndReopen } = createStage(makeHome, (opened) =>
      opened.keep({ deadMs: DAY_MS, all: false }),
    );
    const id = idAt(NOW, 7);
    const body = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
    const bounce = (claim: number, n = 0): Settlement => ({
      ...delivered(id, n, claim),
      next: bounced,
      event: "email.bounced",
    });
    const reopening = {
      ...{ message: id, n: 0, dueAt: NOW + 5, expiresAt: NOW + DAY_MS, step: '["n"]', at: NOW + 5 },
    };
    /** Accepted already leased, as on the hot path, and bounced. */
    const acceptAndBounce = (more: readonly RecipientState[] = []): void => {
      const claim = store.nextClaim();
      const state: RecipientState = { at: "sending", claim, leaseUntil: NOW + 9, attempts: 0 };
      act(() => store.accept(message({ id, states: [state, ...more], body })));
      act(() => store.settle(bounce(claim)));
    };

    test("the bytes of a bounced message stay, and no longer count as owed", () => {
      acceptAndBounce();
      expect(store.body(id)).toEqual(body);
      expect(store.size()).toMatchObject({ pendingBytes: 0, keptBytes: 3000 });
      killAndReopen();
      expect(store.body(id)).toEqual(body);
      expect(store.size()).toMatchObject({ pendingBytes: 0, keptBytes: 3000 });
      expect(store.facts.faults).toEqual([]);
    });

    test("the bytes of delivered and canceled mail go at once", () => {
      act(() => store.accept(message({ id, states: [queued(), queued(NOW + 9)], body })));
      const [first] = claimAll();
      act(() => store.settle(delivered(id, 0, first?.claim ?? 0)));
      const next: RecipientState = { at: "canceled", endedAt: NOW, attempts: 0 };
      act(() => store.settle({ ...delivered(id, 1, null), next, event: "email.canceled" }));
      expect(store.body(id)).toBeNull();
      expect(store.size()).toMatchObject({ pendingBytes: 0, keptBytes: 0 });
    });

    test("a message of which one recipient bounced keeps its bytes, whoever ends last", () => {
      acceptAndBounce([queued()]);
      expect(store.size()).toMatchObject({ pendingBytes: 3000, keptBytes: 0 });
      const [second] = claimAll();
      act(() => store.settle(delivered(id, 1, second?.claim ?? 0)));
      expect(store.body(id)).toEqual(body);
      expect(store.size()).toMatchObject({ pendingBytes: 0, keptBytes: 3000 });
    });

    test("a dead letter is reopened: a new generation, with its event and a new end of life", () => {
      acceptAndBounce();
      expect(act(() => store.reopen(reopening))).toBe(true);
      killAndReopen();
      expect(store.recipients(id)[0]).toMatchObject({
        state: { at: "queued", dueAt: NOW + 5, attempts: 0 },
        timeline: '["a"],["n"]',
      });
      expect(store.events(0, 9).at(-1)).toEqual({
        ...{ seq: 3, message: id, n: 0, type: "email.requeued", at: NOW + 5, step: 1 },
      });
      expect(store.size()).toMatchObject({ pendingBytes: 3000, keptBytes: 0 });
      const [again] = claimAll(NOW + 5);
      expect(again).toMatchObject({ attempts: 0, expiresAt: NOW + DAY_MS });
      expect(store.expiresAt(id)).toBe(NOW + DAY_MS);
      expect(store.expiresAt(id + 1)).toBeNull();
      expect(store.body(id)).toEqual(body);
      act(() => store.settle(delivered(id, 0, again?.claim ?? 0)));
      expect(store.body(id)).toBeNull();
      expect(store.tally()).toEqual(recount(store, [id]));
    });

    test("nothing is reopened that did not give up, or whose bytes are gone", () => {
      act(() => store.accept(message({ id, states: [queued(), queued(NOW + 9)], body })));
      expect(act(() => store.reopen(reopening))).toBe(false);
      const [first] = claimAll();
      act(() => store.settle(delivered(id, 0, first?.claim ?? 0)));
      expect(act(() => store.reopen(reopening))).toBe(false);
      expect(act(() => store.reopen({ ...reopening, message: id + 1 }))).toBe(false);
      const [second] = claimAll(NOW + 9);
      act(() => store.settle(bounce(second?.claim ?? 0, 1)));
      expect(act(() => store.fade(NOW + 2 * DAY_MS, 10))).toBe(1);
      expect(act(() => store.reopen({ ...reopening, n: 1 }))).toBe(false);
      expect(store.size()).toMatchObject({ pendingBytes: 0, keptBytes: 0 });
    });

    test("dead letters fade when their time is up, oldest first, spool files too", () => {
      const letters = [1, 2, 3].map((i) => ({ message: idAt(NOW, 100 + i), spool: `${i}.eml` }));
      act(() => {
        for (const { message: one, spool } of letters)
          store.accept(message({ id: one, states: [queued()], spool, body }));
      });
      claimAll().forEach(({ claim, message: one }, i) =>
        act(() => store.settle({ ...bounce(claim), message: one, at: NOW + i })),
      );
      expect([...store.spooled()]).toEqual(["1.eml", "2.eml", "3.eml"]);
      expect(act(() => store.fade(NOW + DAY_MS, 10))).toBe(0);
      expect(act(() => store.fade(NOW + DAY_MS + 3, 2))).toBe(2);
      expect(store.takeDropped()).toEqual(["1.eml", "2.eml"]);
      expect([...store.spooled()]).toEqual(["3.eml"]);
      expect(store.size().keptBytes).toBe(3000);
    });

    test("forgotten history takes what was kept of it along", () => {
      acceptAndBounce();
      expect(act(() => store.forget(Infinity, 10).messages)).toBe(1);
      expect(store.body(id)).toBeNull();
      expect(store.size()).toMatchObject({ pendingBytes: 0, keptBytes: 0 });
      expect(act(() => store.fade(NOW + 9 * DAY_MS, 10))).toBe(0);
    });

    test("all bytes stay where that is wanted, as long as the history", () => {
      store.keep({ deadMs: 0, all: true });
      act(() => store.accept(message({ id, states: [queued()], spool: "a.eml" })));
      const [claimed] = claimAll();
      act(() => store.settle(delivered(id, 0, claimed?.claim ?? 0)));
      expect([...store.spooled()]).toEqual(["a.eml"]);
      expect(act(() => store.fade(NOW + 999 * DAY_MS, 10))).toBe(0);
      expect(store.size().keptBytes).toBe(10);
      act(() => store.accept(message({ id: id + 1, states: [queued()] })));
      const [second] = claimAll();
      act(() => store.settle({ ...delivered(id, 0, second?.claim ?? 0), message: id + 1 }));
      expect(act(() => store.fade(Infinity, 1))).toBe(1);
      expect(store.takeDropped()).toEqual(["a.eml"]);
      expect(store.body(id + 1)).not.toBeNull();
      act(() => store.forget(Infinity, 10));
      expect(store.body(id + 1)).toBeNull();
    });

    test("pauses survive a kill, and a resumed one is gone", () => {
      act(() => {
        store.pause({ kind: "site", name: "mx.example", at: NOW });
        store.pause({ kind: "domain", name: "b.example", at: NOW });
        store.pause({ kind: "domain", name: "b.example", at: NOW + 1 });
        store.pause({ kind: "all", name: "", at: NOW });
      });
      act(() => store.resume({ kind: "site", name: "mx.example" }));
      killAndReopen();
      expect(store.pauses()).toEqual([
        { kind: "all", name: "", at: NOW },
        { kind: "domain", name: "b.example", at: NOW + 1 },
      ]);
    });

    test("a claim moves recipients of parked domains to their own line, as they are", () => {
      const line = act(() => store.siteId("domain:example.com"));
      act(() => store.accept(message({ id, states: [queued(NOW, 2), queued()] })));
      const parked = new Map([["example.com", line]]);
      const request = { ...everything, now: NOW, leaseUntil: NOW + 9, parked };
      expect(act(() => store.claim(request))).toEqual([]);
      expect(store.sitesWaiting()).toEqual([line]);
      expect(store.recipients(id)[0]).toMatchObject({ state: queued(NOW, 2), site: line });
      expect(act(() => store.claim({ ...request, site: line }))).toHaveLength(2);
    });

    test("a walk comes by everything that waits once, in pieces of any size", () => {
      const site = act(() => store.siteId("mx.example"));
      const states: RecipientState[] = [
        queued(NOW + 5),
        { at: "deferred", dueAt: NOW - 5, attempts: 1 },
        { at: "held", attempts: 0 },
        { at: "scheduled", dueAt: NOW + 60 },
        bounced,
      ];
      act(() => {
        store.accept(message({ id, states, site }));
        store.accept(message({ id: id + 1, states, priority: 0 }));
      });
      for (const [which, wanted] of [
        ["waiting", 6],
        ["held", 2],
      ] as const)
        for (const limit of [1, 2, 100]) {
          const seen: string[] = [];
          for (let after: WalkPlace | null = null; ;) {
            const rows = store.walk(which, { after, limit });
            seen.push(...rows.map((row) => `${row.message} ${row.n}`));
            if (rows.length < limit) break;
            after = rows.at(-1) ?? null;
          }
          expect(new Set(seen).size).toBe(seen.length);
          expect(seen).toHaveLength(wanted);
        }
      expect(store.walk("waiting", { after: null, limit: 9 }).map((row) => row.site)).toEqual([
        0, 0, 0, 1, 1, 1,
      ]);
    });

    test("a scheduled message gets another time", () => {
      act(() => store.accept(message({ id, states: [{ at: "scheduled", dueAt: NOW + 9 }] })));
      act(() => {
        store.reschedule(id, NOW + 99);
        const next: RecipientState = { at: "scheduled", dueAt: NOW + 99 };
        store.settle({ ...delivered(id, 0, null, null), next, event: "email.scheduled" });
      });
      expect(store.nextDue(0, 1)).toBe(NOW + 99);
    });

    test("the Date that was written for the old time is that of the new one, its sum too", () => {
      const source = (at: number, own = ""): Uint8Array =>
        Buffer.from(`${own}Date: ${new Date(at).toUTCString().slice(0, -3)}+0000\r\nX: y\r\n\r\nz`);
      const accept = (id: number, body: Uint8Array): void => {
        const dueAt = NOW + DAY_MS;
        const made = message({ id, body, states: [{ at: "scheduled", dueAt }] });
        act(() => store.accept({ ...made, head: { ...made.head, dueAt } }));
      };
      accept(id, source(NOW + DAY_MS));
      // The caller's own, and words of a text.
      const own = [source(NOW + 5000), source(NOW + DAY_MS, "X: y\r\n\r\n")] as const;
      own.forEach((body, i) => accept(id + 1 + i, body));
      act(() => {
        for (let i = 0; i < 3; i++) store.reschedule(id + i, NOW + 3 * DAY_MS);
      });
      expect(Buffer.from(store.body(id) ?? [])).toEqual(Buffer.from(source(NOW + 3 * DAY_MS)));
      own.forEach((body, i) =>
        expect(Buffer.from(store.body(id + 1 + i) ?? [])).toEqual(Buffer.from(body)),
      );
    });

    test("a verb that is undone, or killed before its commit, leaves nothing", () => {
      acceptAndBounce();
      const undone = new Error("undone");
      const verbs = (): never => {
        store.reopen(reopening);
        store.pause({ kind: "all", name: "", at: NOW });
        throw undone;
      };
      expect(() => store.transaction(verbs)).toThrow(undone);
      expect(store.size()).toMatchObject({ pendingBytes: 0, keptBytes: 3000 });
      const killed = (): never => {
        store.reopen(reopening);
        store.fade(NOW + 9 * DAY_MS, 9);
        kill();
        throw undone;
      };
      expect(() => store.transaction(killed)).toThrow(undone);
      open();
      expect(store.recipients(id)[0]?.state).toEqual(bounced);
      expect(store.body(id)).toEqual(body);
      expect(store.pauses()).toEqual([]);
      expect(store.facts.faults).toEqual([]);
    });
  });
}
