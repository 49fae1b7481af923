// What every queue store must do for the list of addresses that get no mail, and for what a report adds to mail that has ended.
import { describe, expect, test } from "bun:test";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import type { NewMessage } from "../../src/queue/store.ts";
import type { StoreHome } from "./store.homes.ts";
import { delivered, idAt, message, NOW, queued } from "./store.messages.ts";
import { createStage } from "./store.stage.ts";

export function suppressConformance(name: string, makeHome: () => StoreHome): void {
  describe(name, () => {
    const { store, act, killAndReopen } = createStage(makeHome);
    const id = idAt(NOW, 7);
    const entry = {
      ...{ address: "gone@example.com", source: id, reason: "550 no such user", at: NOW },
      origin: "bounce",
    } as const;

    test("an address that is listed is found after a kill, and not after it is removed", () => {
      expect(store.anySuppressed()).toBe(false);
      expect(act(() => store.suppress(entry))).toBeUndefined();
      killAndReopen();
      expect(store.anySuppressed()).toBe(true);
      const found = store.suppression("gone@example.com");
      expect(found).toMatchObject(entry);
      expect(store.suppressionById(found?.id ?? 0)).toEqual(found);
      expect(act(() => store.unsuppress("gone@example.com"))).toEqual(found);
      expect(act(() => store.unsuppress("gone@example.com"))).toBeUndefined();
      killAndReopen();
      expect(store.anySuppressed()).toBe(false);
      expect(store.suppression("gone@example.com")).toBeUndefined();
      expect(store.suppressionById(found?.id ?? 0)).toBeUndefined();
    });

    test("who stands on the list already stays there as it was, and numbers only grow", () => {
      act(() => store.suppress(entry));
      const first = store.suppression("gone@example.com");
      expect(act(() => store.suppress({ ...entry, origin: "manual", at: NOW + 5 }))).toEqual(first);
      expect(store.suppression("gone@example.com")).toEqual(first);
      act(() => store.suppress({ ...entry, address: "other@example.com" }));
      expect(store.suppression("other@example.com")?.id).toBeGreaterThan(first?.id ?? Infinity);
    });

    test("what a transaction did to the list goes with it", () => {
      const fails = (run: () => void): void =>
        expect(() =>
          store.transaction(() => {
            run();
            throw new Error("a bug");
          }),
        ).toThrow("a bug");
      fails(() => store.suppress(entry));
      expect(store.anySuppressed()).toBe(false);
      act(() => store.suppress(entry));
      fails(() => store.unsuppress("gone@example.com"));
      expect(store.anySuppressed()).toBe(true);
      expect(store.suppression("gone@example.com")).toMatchObject(entry);
    });

    const suppressed: RecipientState = { at: "suppressed", endedAt: NOW, attempts: 0 };
    const withStep = (given: NewMessage): NewMessage => ({
      ...given,
      recipients: given.recipients.map((one) =>
        one.state.at === "suppressed" ? { ...one, step: '["n",1]' } : one,
      ),
    });

    test("a recipient that is suppressed from the beginning says why, and its event leads there", () => {
      act(() => store.accept(withStep(message({ id, states: [suppressed, queued()] }))));
      killAndReopen();
      expect(store.recipients(id).map(({ state, timeline }) => [state.at, timeline])).toEqual([
        ["suppressed", '["n",1]'],
        ["queued", ""],
      ]);
      expect(store.events(0, 9).map(({ n, type, step }) => [n, type, step])).toEqual([
        [-1, "email.sent", -1],
        [0, "email.suppressed", 0],
      ]);
      expect(store.body(id)).not.toBeNull();
    });

    test("a message of nobody but suppressed recipients keeps no bytes", () => {
      act(() => store.accept(withStep(message({ id, states: [suppressed, suppressed] }))));
      expect(store.body(id)).toBeNull();
      expect(store.size().pendingBytes).toBe(0);
      expect(store.lastEvent()).toBe(3);
    });

    test("a report is noted behind the end of a recipient, whose state stays", () => {
      const claim = store.nextClaim();
      const state: RecipientState = { at: "sending", claim, leaseUntil: NOW + 9, attempts: 0 };
      act(() => store.accept(message({ id, states: [state, queued()] })));
      const annotation = {
        ...{ message: id, n: 0, step: '["r",2]', at: NOW + 9 },
        event: "email.complained",
      } as const;
      const early = act(() => store.annotate(annotation));
      act(() => store.settle(delivered(id, 0, claim)));
      const before = store.recipients(id)[0];
      expect(early).toBe(false);
      expect(act(() => store.annotate(annotation))).toBe(true);
      expect(act(() => store.annotate({ ...annotation, n: 1 }))).toBe(false);
      expect(act(() => store.annotate({ ...annotation, n: 2 }))).toBe(false);
      killAndReopen();
      const [row] = store.recipients(id);
      expect(row?.state).toEqual(before?.state as RecipientState);
      expect(row?.timeline).toBe(`${before?.timeline},["r",2]`);
      const last = store.events(0, 9).at(-1);
      const step = JSON.parse(`[${before?.timeline}]`).length as number;
      expect(last).toMatchObject({ n: 0, type: "email.complained", at: NOW + 9, step });
      expect(store.lastEvent()).toBe(last?.seq ?? 0);
    });
  });
}
