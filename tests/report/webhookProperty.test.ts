// Receivers that fail in every way and a daemon that is killed at any moment: every event is taken at least once or has been given up after
// its last attempt, and nobody hears of event k + 1 of a message before k was taken or given up.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../../src/base/random.ts";
import { createRig, type Receive, webhook } from "./webhookRig.ts";

/** What is left then waits for an attempt that is further away, or is held back by a receiver that fails too often. */
const AFTERWARDS_MS = 600_000;

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("happen"), count: fc.nat(40) }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("run"), count: fc.oneof(fc.nat(60), fc.nat(900)) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash"), count: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("disk"), count: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("dead"), count: fc.nat(1) }) },
);

test("at least once and in order, whatever fails and whenever it is killed", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.nat(60),
      fc.array(step, { maxLength: 30 }),
      async (...given) => {
        const [seed, failsPercent, steps] = given;
        const random = seededRandom(seed);
        let isDead = false;
        const receive: Receive = () => {
          if (isDead)
            return { status: random.roll() < 0.5 ? 0 : 503, afterMs: random.roll() * 20_000 };
          const fails = random.roll() * 100 < failsPercent;
          // Some are so slow that much happens meanwhile.
          const afterMs = random.roll() * (random.roll() < 0.2 ? 4000 : 200);
          return { status: fails ? 500 : 200, afterMs };
        };
        const rig = createRig(receive, [webhook(1)]);
        const happened: { readonly id: number; readonly email: string }[] = [];
        for (const { kind, count } of steps) {
          if (kind === "happen")
            for (let i = 0; i < count; i++) {
              const email = `m${Math.floor(random.roll() * 12)}`;
              happened.push({ id: rig.happen(email), email });
            }
          else if (kind === "run") await rig.run(count * 10);
          else if (kind === "crash") rig.crash();
          else if (kind === "disk") rig.diskFails(count);
          else isDead = count === 1;
        }
        isDead = false;
        await rig.run(AFTERWARDS_MS);
        const rows = rig.rows.get(1);
        const cursor = rig.book.get(1)?.cursor ?? 0;
        const isOwed = (id: number): boolean => id > cursor || rows?.get(id)?.status === "pending";
        const taken = new Map<number, number>();
        rig.sent.forEach(({ event, status }, i) => {
          if (status === 200 && !taken.has(event)) taken.set(event, i);
        });
        for (const { id } of happened)
          expect([id, taken.has(id) || isOwed(id)]).toEqual([id, true]);
        const last = new Map<string, number>();
        for (const { id, email } of happened) {
          const at = taken.get(id);
          if (at === undefined) continue;
          const before = last.get(email) ?? -1;
          expect([id, at > before]).toEqual([id, true]);
          last.set(email, at);
          // Nothing was said of it before the one before it was taken.
          const first = rig.sent.findIndex(({ event }) => event === id);
          expect([id, first > before]).toEqual([id, true]);
        }
        expect(cursor).toBeLessThanOrEqual(happened.at(-1)?.id ?? 0);
        expect(rig.peak.inFlight).toBeLessThanOrEqual(16);
      },
    ),
    { numRuns: 40 },
  );
}, 30_000);
