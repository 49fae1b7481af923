// What every queue store must do with what is over: it goes oldest first, and nothing of what is owed goes with it. A part of the suite in
// store.conformance.ts.
import { describe, expect, test } from "bun:test";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import type { StoreHome } from "./store.homes.ts";
import { delivered, idAt, message, NOW, queued } from "./store.messages.ts";
import { createStage } from "./store.stage.ts";

export function historyConformance(name: string, makeHome: () => StoreHome): void {
  describe(name, () => {
    const { store, act, reopen, killAndReopen } = createStage(makeHome);

    test("history goes oldest first, what is not final stays with its events, and the numbers go on", () => {
      act(() => {
        for (let i = 0; i < 6; i++) {
          const states = [
            i === 1 ? queued() : ({ at: "canceled", endedAt: NOW, attempts: 0 } as const),
          ];
          store.accept(message({ id: idAt(NOW + i), states }));
        }
      });
      expect(act(() => store.forget(NOW + 5, 2).messages)).toBe(2);
      expect(store.recipients(idAt(NOW))).toEqual([]);
      expect(store.recipients(idAt(NOW + 1))).toHaveLength(1);
      expect(act(() => store.forget(NOW + 5, 10).messages)).toBe(2);
      expect(act(() => store.forget(NOW + 5, 10).messages)).toBe(0);
      expect(store.recipients(idAt(NOW + 5))).toHaveLength(1);
      act(() => store.forget(NOW + 99, 10));
      reopen();
      act(() => store.accept(message({ id: idAt(NOW + 100), states: [queued()] })));
      expect(store.events(0, 99).map((one) => one.seq)).toEqual([2, 6, 7]);
    });

    test("mail that ended a moment ago is no history, however long ago it was accepted", () => {
      const [long, short] = [idAt(NOW - 40 * 86_400_000), idAt(NOW - 9)];
      const sending = (): RecipientState => ({
        ...{ at: "sending", claim: store.nextClaim(), leaseUntil: NOW + 9, attempts: 0 },
      });
      const claims = [long, short].map((id) => {
        const state = sending();
        act(() => store.accept(message({ id, states: [state] })));
        return state.at === "sending" ? state.claim : 0;
      });
      act(() => store.settle({ ...delivered(short, 0, claims[1] ?? 0), at: NOW - 8 }));
      act(() => store.settle({ ...delivered(long, 0, claims[0] ?? 0), at: NOW }));
      expect(act(() => store.forget(NOW - 30 * 86_400_000, 10).messages)).toBe(0);
      const kept = (): number[] => [long, short].map((id) => store.recipients(id).length);
      expect(kept()).toEqual([1, 1]);
      // Too much of it: what ended first goes first, and what is left keeps all its events.
      expect(act(() => store.forget(Infinity, 1).messages)).toBe(1);
      expect(kept()).toEqual([1, 0]);
      killAndReopen();
      expect(store.facts.faults).toEqual([]);
      expect(store.events(0, 99).map(({ seq }) => seq)).toEqual([1, 4]);
      expect(act(() => store.forget(NOW + 1, 10).messages)).toBe(1);
      expect(kept()).toEqual([0, 0]);
    });

    test("where all must go, mail of a clock that was a year ahead goes too, and what came behind it", () => {
      const over = { at: "canceled", endedAt: NOW, attempts: 0 } as const;
      const ahead = NOW + 365 * 86_400_000;
      act(() => {
        store.accept(message({ id: idAt(ahead), states: [over] }));
        // Ids only grow, while the clock by which things are dated was set right.
        for (let i = 1; i < 4; i++) {
          const one = message({ id: idAt(ahead, i), states: [over] });
          store.accept({ ...one, head: { ...one.head, acceptedAt: NOW + i } });
        }
      });
      expect(act(() => store.forget(Infinity, 10).messages)).toBe(4);
      expect(store.events(0, 99).map(({ seq }) => seq)).toEqual([4]);
      reopen();
      expect(store.facts.faults).toEqual([]);
    });

    test("a call that has met all that it may says that there is more, whether or not something went", () => {
      const over = { at: "canceled", endedAt: NOW, attempts: 0 } as const;
      const sending = (): RecipientState => ({
        ...{ at: "sending", claim: store.nextClaim(), leaseUntil: NOW + 9, attempts: 0 },
      });
      const states = Array.from({ length: 20 }, sending);
      act(() => store.accept(message({ id: idAt(NOW), states })));
      act(() =>
        states.forEach((state, n) => {
          const claim = state.at === "sending" ? state.claim : 0;
          store.settle({ ...delivered(idAt(NOW), n, claim), at: NOW });
        }),
      );
      act(() => store.accept(message({ id: idAt(NOW + 1), states: [over] })));
      const forget = (before: number) => act(() => store.forget(before, 1));
      // Eight events each.
      expect(forget(NOW)).toEqual({ messages: 0, more: false });
      expect(forget(NOW + 1)).toEqual({ messages: 0, more: true });
      expect(forget(NOW + 1)).toEqual({ messages: 0, more: true });
      expect(forget(NOW + 1)).toEqual({ messages: 1, more: true });
      expect(forget(NOW + 1)).toEqual({ messages: 0, more: false });
      expect(forget(Infinity)).toEqual({ messages: 1, more: true });
      expect(forget(Infinity)).toEqual({ messages: 0, more: false });
    });

    test("what was said is kept with its event, through a kill, and goes with it", () => {
      const settle = (n: number, dialogue?: string): void => {
        const claim = store.nextClaim();
        const state: RecipientState = { at: "sending", claim, leaseUntil: NOW + 9, attempts: 0 };
        act(() => store.accept(message({ id: idAt(NOW + n), states: [state] })));
        act(() => store.settle({ ...delivered(idAt(NOW + n), 0, claim), at: NOW + n, dialogue }));
      };
      settle(0, '[["first"]]');
      settle(1);
      settle(2, '[["third"]]');
      const kept = (): unknown[] => [1, 2, 3, 4, 5, 6, 7].map((seq) => store.dialogue(seq));
      const whole = [null, '[["first"]]', null, null, null, '[["third"]]', null];
      expect(kept()).toEqual(whole);
      killAndReopen();
      expect(kept()).toEqual(whole);
      expect(() =>
        store.transaction(() => {
          store.forget(NOW + 99, 10);
          throw new Error("undone");
        }),
      ).toThrow("undone");
      expect(kept()).toEqual(whole);
      act(() => store.forget(NOW + 1, 10));
      expect(kept()).toEqual([...whole.fill(null, 0, 2)]);
      act(() => store.forget(NOW + 99, 10));
      // The last event stays, so that the numbering goes on.
      expect(kept().filter((one) => one !== null)).toEqual(['[["third"]]']);
    });

    test("what is still owed keeps its events and what was said, until it goes as a whole", () => {
      const owed = idAt(NOW);
      const deferred: RecipientState = { at: "deferred", dueAt: NOW + 9, attempts: 1 };
      act(() => {
        store.accept(message({ id: owed, states: [queued()] }));
        const tried = { claim: null, next: deferred, step: '["a"]', dialogue: '[["later"]]' };
        const event = "email.delivery_delayed" as const;
        store.settle({ message: owed, n: 0, ...tried, event, at: NOW });
        for (let i = 1; i < 5; i++) {
          const over = { at: "canceled", endedAt: NOW, attempts: 0 } as const;
          store.accept(message({ id: idAt(NOW + i), states: [over] }));
        }
      });
      const kept = (): number[] => store.events(0, 99).map(({ seq }) => seq);
      expect(kept()).toEqual([1, 2, 3, 4, 5, 6]);
      for (let i = 0; i < 3; i++) act(() => store.forget(NOW + 99, 10));
      expect(kept()).toEqual([1, 2, 6]);
      expect(store.dialogue(2)).toBe('[["later"]]');
      expect(store.events(1, 1).map(({ seq }) => seq)).toEqual([2]);
      killAndReopen();
      expect(store.facts.faults).toEqual([]);
      const over = { at: "delivered", endedAt: NOW + 9, attempts: 2 } as const;
      act(() => store.settle({ ...delivered(owed, 0, 0), claim: null, next: over }));
      expect(kept()).toEqual([1, 2, 6, 7]);
      act(() => store.forget(NOW + 99, 10));
      expect(kept()).toEqual([7]);
      expect(store.dialogue(2)).toBeNull();
      reopen();
      expect(store.facts.faults).toEqual([]);
    });
  });
}
