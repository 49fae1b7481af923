// A job that waits too long behind others is given back, so that the queue decides anew what becomes of it.
import { afterEach, expect, test } from "bun:test";
import type { Deadlines } from "../../src/smtp/phases.ts";
import { rfcDeadlines } from "../../src/smtp/phases.ts";
import { defaultPolicy } from "../../src/queue/policy.ts";
import { LANE_WAIT_MAX_MS, SWEEP_MS } from "../../src/deliver/waiting.ts";
import { until } from "../fixtures/until.ts";
import type { Act } from "./fakeMx.ts";
import { createPushedClock, type PushedClock } from "./pushedClock.ts";
import { createRig, type Rig } from "./rig.ts";

const HOUR_MS = 3_600_000;

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

const patient = Object.fromEntries(
  Object.keys(rfcDeadlines).map((phase) => [phase, 1_000 * HOUR_MS]),
) as unknown as Deadlines;

interface Queue extends Rig {
  readonly clock: PushedClock;
  /** The server answers to MAIL from now on. */
  open(): void;
}

/** A site with one connection, whose server does not answer to MAIL yet. */
async function startHeld(): Promise<Queue> {
  const clock = createPushedClock();
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  const script = async (verb: string): Promise<Act> => {
    if (verb === "MAIL") await opened;
    return undefined;
  };
  const settings = { siteConnections: 1, deadlines: patient };
  const made = await createRig({ servers: [{ script }], settings, clock });
  rig = made;
  return { ...made, clock, open };
}

const atWork = (of: Rig) => (): boolean => of.sender.gauges().running === 1;

test("a job whose expiry passed while it waited is given back unsent, the others are sent", async () => {
  const held = await startHeld();
  held.send();
  await until("the first at work", atWork(held));
  held.send({ expiresAt: held.clock.now() + HOUR_MS });
  held.send({ expiresAt: held.clock.now() + 3 * HOUR_MS });
  held.clock.push(2 * HOUR_MS);
  held.open();
  const verdicts = await held.verdictsOf(3);
  const kinds = new Map(verdicts.map((one) => [one.message, one.kind]));
  expect([kinds.get(1), kinds.get(2), kinds.get(3)]).toEqual([
    "delivered",
    "interrupted",
    "delivered",
  ]);
  expect(held.servers[0]?.messages()).toHaveLength(2);
  expect(held.sender.gauges()).toMatchObject({ waiting: 0, running: 0 });
});

test("a job that came after its lifetime is sent: the queue grants it one last attempt", async () => {
  const held = await startHeld();
  held.open();
  held.send({ expiresAt: held.clock.now() - HOUR_MS });
  expect((await held.verdictsOf(1))[0]?.kind).toBe("delivered");
});

test("a job that waits for half a day is given back while it waits", async () => {
  const held = await startHeld();
  held.send();
  await until("the first at work", atWork(held));
  held.send({ priority: 2 });
  held.clock.push(6 * HOUR_MS);
  held.send();
  held.clock.push(LANE_WAIT_MAX_MS - 6 * HOUR_MS + SWEEP_MS);
  expect(held.verdicts).toMatchObject([{ message: 2, kind: "interrupted", doubt: false }]);
  expect(held.sender.gauges()).toMatchObject({ waiting: 1, running: 1 });
  held.clock.push(SWEEP_MS);
  held.clock.push(6 * HOUR_MS);
  expect(held.verdicts.map((one) => one.message)).toEqual([2, 3]);
});

test("the wait in a sender ends before the queue takes the lease back", () => {
  expect(LANE_WAIT_MAX_MS + SWEEP_MS).toBeLessThan(defaultPolicy.flightMaxMs);
});
