// A site's health as a pure state: what pauses it, for how long, and what ends that.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { blamesSite, praisesSite, slowsSite, stopsSite } from "../../src/mail/blame.ts";
import { type TroubleClass, troubleClasses, type Verdict } from "../../src/mail/verdict.ts";
import {
  type Health,
  healthy,
  learnFrom,
  PAUSE_MAX_MS,
  providerPause,
  siteBackoff,
} from "../../src/queue/pace.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

function verdict(change: Partial<Verdict>): Verdict {
  const step = "";
  const base = { message: 1, n: 0, claim: 1, doubt: false, step };
  return { ...base, kind: "deferred", scope: "recipient", class: "other", ...change };
}

const throttled = verdict({ class: "rate", pause: { rule: "google.rate" } });
const unreachable = verdict({ scope: "site", class: "network" });
const delivered = verdict({ kind: "delivered", class: "none" });

function tell(health: Health, said: Verdict, at: number, probe = false): string | null {
  const now = { wall: at, due: at, mono: at };
  return learnFrom(health, said, { alone: false, probe, now, roll: () => 0 });
}

describe("what a provider asks for", () => {
  test("is a quarter of an hour, doubling to four hours", () => {
    const minutes = [0, 1, 2, 3, 4, 5, 50].map((strikes) => providerPause(strikes, undefined, 0));
    expect(minutes.map((ms) => ms / MINUTE)).toEqual([15, 30, 60, 120, 240, 240, 240]);
  });

  test("is what it says in words, within reason", () => {
    expect(providerPause(0, 20 * MINUTE, 0)).toBe(20 * MINUTE);
    expect(providerPause(5, 20 * MINUTE, 0)).toBe(20 * MINUTE);
    expect(providerPause(0, 1, 0)).toBe(MINUTE);
    expect(providerPause(0, 100 * HOUR, 0)).toBe(4 * HOUR);
  });

  test("never ends before its step, nor after its bound", () => {
    const strikes = fc.nat({ max: 1000 });
    const words = fc.option(fc.nat({ max: 1e9 }), { nil: undefined });
    const roll = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(strikes, words, roll, (count, forMs, draw) => {
        const pauseMs = providerPause(count, forMs, draw);
        expect(pauseMs).toBeGreaterThanOrEqual(providerPause(count, forMs, 0));
        expect(pauseMs).toBeLessThanOrEqual(PAUSE_MAX_MS);
        expect(siteBackoff(count, forMs, draw)).toBeLessThanOrEqual(PAUSE_MAX_MS);
      }),
    );
  });

  test("pauses at once, though it was said to one recipient, and doubles while it goes on", () => {
    const health = healthy();
    expect(tell(health, throttled, 0)).toBe("paused");
    expect(health).toMatchObject({ pausedUntil: 15 * MINUTE, rule: "google.rate" });
    // The other jobs that were under way hear the same.
    expect(tell(health, throttled, 5 * SECOND)).toBeNull();
    expect(health.pausedUntil).toBe(15 * MINUTE);
    expect(tell(health, throttled, 15 * MINUTE, true)).toBe("paused");
    expect(health.pausedUntil).toBe(45 * MINUTE);
  });

  test("is not ended by mail that was taken before it was said", () => {
    const health = healthy();
    tell(health, throttled, 0);
    expect(tell(health, delivered, SECOND)).toBeNull();
    expect(health.pausedUntil).toBe(15 * MINUTE);
    expect(tell(health, delivered, 15 * MINUTE, true)).toBe("resumed");
    expect(health).toMatchObject({ pausedUntil: 0, level: 0, rule: "" });
  });

  test("is remembered for a day after it ended", () => {
    const health = healthy();
    tell(health, throttled, 0);
    tell(health, delivered, 15 * MINUTE, true);
    tell(health, throttled, HOUR);
    expect(health.pausedUntil).toBe(HOUR + 30 * MINUTE);
    tell(health, delivered, 2 * HOUR, true);
    tell(health, throttled, 30 * HOUR);
    expect(health.pausedUntil).toBe(30 * HOUR + 15 * MINUTE);
  });

  test("outlasts our own patience that was running", () => {
    const health = healthy();
    tell(health, unreachable, 0);
    expect(health.pausedUntil).toBe(15 * SECOND);
    expect(tell(health, throttled, SECOND)).toBe("paused");
    expect(health.pausedUntil).toBe(SECOND + 15 * MINUTE);
    // And is not shortened by it.
    tell(health, unreachable, 2 * SECOND);
    expect(health.pausedUntil).toBe(SECOND + 15 * MINUTE);
  });
});

describe("a verdict", () => {
  const kinds = ["delivered", "deferred", "failed", "interrupted"] as const;
  const scopes = ["recipient", "message", "host", "site"] as const;
  const every = kinds.flatMap((kind) =>
    scopes.flatMap((scope) =>
      troubleClasses.flatMap((one: TroubleClass) => [
        verdict({ kind, scope, class: one }),
        verdict({ kind, scope, class: one, pause: { rule: "x" } }),
      ]),
    ),
  );

  test("never praises and blames at once, and what stops a site blames it", () => {
    for (const one of every) {
      expect(praisesSite(one) && blamesSite(one)).toBe(false);
      if (stopsSite(one)) expect(blamesSite(one)).toBe(true);
      if (blamesSite(one)) expect(slowsSite(one)).toBe(true);
    }
  });

  test("about ourselves, the DNS or a stop says nothing against a site", () => {
    for (const one of every) {
      if (one.pause !== undefined) continue;
      const isOurs = one.class === "local" || one.class === "dns" || one.kind === "interrupted";
      if (isOurs) expect(blamesSite(one) || stopsSite(one)).toBe(false);
    }
  });

  test("of a recipient or a message never pauses", () => {
    for (const one of every) {
      if (one.pause !== undefined || one.scope === "host" || one.scope === "site") continue;
      expect(tell(healthy(), one, 0)).toBeNull();
    }
  });
});

test("whatever is heard, a pause is bounded, and a probe that comes back leaves none out", () => {
  const said = fc.constantFrom(throttled, unreachable, delivered, verdict({ scope: "host" }));
  const steps = fc.array(fc.tuple(said, fc.nat({ max: 6 * HOUR }), fc.boolean()));
  fc.assert(
    fc.property(steps, (list) => {
      const health = healthy();
      let now = 0;
      for (const [one, later, probe] of list) {
        now += later;
        if (probe) health.probing = true;
        tell(health, one, now, probe);
        expect(health.pausedUntil).toBeLessThanOrEqual(now + PAUSE_MAX_MS);
        if (probe) expect(health.probing).toBe(false);
        expect(health.level > 0).toBe(health.pausedUntil > 0);
      }
    }),
  );
});
