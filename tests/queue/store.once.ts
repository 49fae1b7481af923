// What every queue store must do with idempotency keys.
import { describe, expect, test } from "bun:test";
import type { Once } from "../../src/mail/submission.ts";
import type { StoreHome } from "./store.homes.ts";
import { idAt, message, NOW, queued } from "./store.messages.ts";
import { createStage } from "./store.stage.ts";

const DAY_MS = 86_400_000;
const once = (key: string, request = "r"): Once => ({ key, request, answer: `answer to ${key}` });

export function onceConformance(name: string, makeHome: () => StoreHome): void {
  describe(name, () => {
    const { store, act, killAndReopen } = createStage(makeHome);
    const trim = (change: object = {}): number =>
      act(() => store.trimOnces({ before: NOW, now: NOW, bytesMax: 1e9, limit: 100, ...change }));

    test("a request is known by its key, also after a kill, and what was noted first stands", () => {
      expect(act(() => store.noteOnce(once("k"), NOW))).toBeUndefined();
      killAndReopen();
      expect(store.findOnce("k")).toEqual({ request: "r", answer: "answer to k" });
      expect(store.findOnce("other")).toBeUndefined();
      expect(act(() => store.noteOnce(once("k", "another"), NOW + 1))).toMatchObject({
        request: "r",
      });
      expect(store.findOnce("k")).toMatchObject({ request: "r" });
    });

    test("within one transaction the second request finds the first", () => {
      const seen = act(() => [store.noteOnce(once("k"), NOW), store.noteOnce(once("k"), NOW)]);
      expect(seen).toEqual([undefined, { request: "r", answer: "answer to k" }]);
    });

    test("the key goes with its message when the transaction does", () => {
      const attempt = (): unknown =>
        store.transaction(() => {
          store.noteOnce(once("k"), NOW);
          store.accept(message({ id: idAt(NOW), states: [queued()] }));
          throw new Error("a bug");
        });
      expect(attempt).toThrow("a bug");
      expect(store.findOnce("k")).toBeUndefined();
      expect(act(() => store.noteOnce(once("k"), NOW))).toBeUndefined();
    });

    test("recipients that were suppressed are kept with the answer", () => {
      const suppressed = [{ message: 0, n: 2 }];
      act(() => {
        store.noteOnce(once("k"), NOW);
        store.suppressOnce("k", suppressed);
      });
      expect(store.findOnce("k")).toEqual({ request: "r", answer: "answer to k", suppressed });
    });

    test("requests are forgotten oldest first, in steps, and young ones stay", () => {
      act(() => {
        for (let i = 0; i < 5; i++) store.noteOnce(once(`k${i}`), NOW + i);
      });
      expect(trim()).toBe(0);
      expect(trim({ before: NOW + 3, limit: 2 })).toBe(2);
      expect(trim({ before: NOW + 3, limit: 2 })).toBe(1);
      expect(trim({ before: NOW + 3 })).toBe(0);
      const known = [0, 1, 2, 3, 4].filter((i) => store.findOnce(`k${i}`) !== undefined);
      expect(known).toEqual([3, 4]);
      expect(act(() => store.noteOnce(once("k0"), NOW + 9))).toBeUndefined();
    });

    test("what a wrong clock noted is forgotten a day after the clock was right again", () => {
      act(() => store.noteOnce(once("future"), NOW + 365 * DAY_MS));
      act(() => store.noteOnce(once("k"), NOW));
      expect(trim()).toBe(0);
      expect(trim({ before: NOW + 1, now: NOW + 1 + DAY_MS })).toBe(2);
    });
  });
}
