// Pauses that receivers ask for, and clocks that are set back: neither keeps an event for longer than is meant.
import { describe, expect, test } from "bun:test";
import { createRig, type Receive, type Rig, webhook } from "./webhookRig.ts";

const S = 1000;
const M = 60 * S;
const H = 60 * M;

const dead: Receive = () => ({ status: 0, afterMs: 60 * S });
const taken = ({ sent }: Rig) =>
  sent.filter(({ status }) => status === 200).map(({ event }) => event);

test("one that asks for a pause is left alone that long", async () => {
  let busy = true;
  const rig = createRig(
    () => ({ status: busy ? 429 : 200, afterMs: 5, retryAfter: "3600" }),
    [webhook(1)],
  );
  for (let i = 0; i < 20; i++) rig.happen(`m${i}`);
  await rig.run(59 * M);
  expect(rig.sent.length).toBeLessThanOrEqual(2);
  busy = false;
  await rig.run(10 * M);
  expect(new Set(taken(rig)).size).toBe(20);
});

for (const retryAfter of ["999999999", "99999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
  test(`one that asks for a pause without end, ${retryAfter}, is asked again after a day`, async () => {
    let busy = true;
    const rig = createRig(
      () => ({ status: busy ? 503 : 200, afterMs: 5, retryAfter }),
      [webhook(1)],
      M,
    );
    const first = rig.happen("a");
    await rig.run(H);
    busy = false;
    const second = rig.happen("b");
    await rig.run(26 * H);
    expect(taken(rig).toSorted((a, b) => a - b)).toEqual([first, second]);
  });

describe("a clock that is set back", () => {
  const YEAR = 365 * 24 * H;
  for (const [what, backMs] of [
    ["a day", 24 * H],
    ["a year", YEAR],
  ] as const)
    test(`by ${what} keeps no event from its next attempt, also over a kill`, async () => {
      let fails = 2;
      const rig = createRig(
        ({ email }) => ({ status: email === "a" && fails-- > 0 ? 500 : 200, afterMs: 5 }),
        [webhook(1)],
      );
      const waits = rig.happen("a");
      await rig.run(10 * S);
      expect(rig.sent).toHaveLength(2);
      rig.clock.jump(-backMs);
      await rig.run(S);
      rig.crash();
      await rig.run(10 * M);
      expect(taken(rig)).toEqual([waits]);
    });

  test("prolongs no pause that a receiver asked for", async () => {
    let busy = true;
    const rig = createRig(
      () => ({ status: busy ? 429 : 200, afterMs: 5, retryAfter: "60" }),
      [webhook(1)],
    );
    const first = rig.happen("a");
    await rig.run(S);
    busy = false;
    rig.clock.jump(-YEAR);
    const second = rig.happen("b");
    await rig.run(2 * M);
    expect(taken(rig).toSorted((a, b) => a - b)).toEqual([first, second]);
  });

  test("while no daemon ran leaves an event waiting for no longer than its longest step", async () => {
    let fails = 2;
    const rig = createRig(() => ({ status: fails-- > 0 ? 500 : 200, afterMs: 5 }), [webhook(1)], M);
    const waits = rig.happen("a");
    await rig.run(2 * M);
    rig.clock.jump(-YEAR);
    rig.crash();
    await rig.run(27 * H);
    expect(taken(rig)).toEqual([waits]);
  });

  test("lets an endpoint that is dead be given up as before", async () => {
    const rig = createRig(dead, [webhook(1)], M);
    rig.happen("a");
    await rig.run(H);
    rig.clock.jump(-YEAR);
    await rig.run(80 * H);
    expect(rig.book.get(1)?.enabled).toBe(false);
  });
});
