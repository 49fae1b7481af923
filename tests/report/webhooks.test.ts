// Webhooks in virtual time: receivers that are well, slow, dead, picky or gone.
import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { createRig, type Receive, type Rig, SECRET, START, webhook } from "./webhookRig.ts";

const S = 1000;
const M = 60 * S;
const H = 60 * M;

const fine: Receive = () => ({ status: 200, afterMs: 20 });
const dead: Receive = () => ({ status: 0, afterMs: 60 * S });
const taken = ({ sent }: Rig, to = "https://1.test/") =>
  sent.filter((one) => one.to === to && one.status === 200).map(({ event }) => event);
const since = ({ at }: { at: number }) => Math.round((at - START) / S);

test("what happens is told in order, and nothing of it twice", async () => {
  const rig = createRig(fine, [webhook(1)]);
  const ids = Array.from({ length: 300 }, (_, i) => rig.happen(`m${i % 100}`));
  await rig.run(5 * S);
  expect(taken(rig).sort((a, b) => a - b)).toEqual(ids);
  for (const email of ["m0", "m57"]) {
    const order = rig.sent.filter((one) => one.email === email).map(({ event }) => event);
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  }
  expect(rig.book.get(1)?.cursor).toBe(ids.at(-1) ?? 0);
  expect(rig.peak.inFlight).toBeLessThanOrEqual(16);
  expect(rig.gauges.at(-1)).toBe(0);
});

test("a request says who it is from and proves it", async () => {
  const rig = createRig(fine, [webhook(1)]);
  const id = rig.happen("m");
  await rig.run(S);
  const [one] = rig.sent;
  if (one === undefined) throw new Error("nothing was sent");
  const { headers, body } = one;
  expect(headers).toMatchObject({
    "Content-Type": "application/json",
    "User-Agent": "postrider/test",
    "webhook-id": `evt_${id}_8000000000000001`,
    "svix-id": `evt_${id}_8000000000000001`,
  });
  const signed = new Webhook(SECRET).sign(headers["webhook-id"] ?? "", new Date(one.at), body);
  expect(headers["webhook-signature"]).toBe(signed);
});

test("each request has a time and a result", async () => {
  const statuses = [200, 500, 0];
  const rig = createRig(() => ({ status: statuses.shift() ?? 200, afterMs: 40 }), [webhook(1)]);
  for (const email of ["a", "b", "c"]) rig.happen(email);
  await rig.run(2 * S);
  expect(
    rig.timings
      .slice(0, 3)
      .map(({ result }) => result)
      .sort(),
  ).toEqual(["failed", "refused", "taken"]);
  for (const { seconds } of rig.timings) expect(seconds).toBeCloseTo(0.04, 3);
});

test("an endpoint is told only what it asked for, and without one nothing is read", async () => {
  const rig = createRig(fine, [webhook(1, { events: ["email.bounced", "email.opened"] })]);
  rig.happen("a");
  const bounced = rig.happen("a", "email.bounced");
  await rig.run(S);
  expect(taken(rig)).toEqual([bounced]);
  const none = createRig(fine, []);
  none.happen("a");
  await none.run(H);
  expect([none.reads(), none.sent.length]).toEqual([0, 0]);
});

test("an event that fails is tried again on its schedule; its message waits, others do not", async () => {
  let fails = 3;
  const rig = createRig(
    ({ event }) => ({ status: event === 3 && fails-- > 0 ? 500 : 200, afterMs: 20 }),
    [webhook(1)],
  );
  const [first, other, second] = [rig.happen("m"), rig.happen("n"), rig.happen("m")];
  await rig.run(3 * S);
  expect(first).toBe(3);
  expect(taken(rig)).toEqual([other]);
  expect(rig.rows.get(1)?.get(second)).toMatchObject({ status: "pending", tries: 0 });
  expect(rig.gauges.at(-1)).toBe(2);
  await rig.run(H);
  expect(taken(rig)).toEqual([other, first, second]);
  const times = rig.sent.filter(({ event }) => event === first).map(since);
  expect(times[1]).toBeWithin(5, 7);
  expect(times[2]).toBeWithin(305, 340);
  expect(times[3]).toBeWithin(2105, 2330);
  expect(rig.rows.get(1)?.get(first)).toMatchObject({ status: "success", tries: 4 });
  expect(
    rig.rows
      .get(1)
      ?.get(first)
      ?.attempts.map(({ status }) => status),
  ).toEqual([500, 500, 500, 200]);
});

test("an event that is never taken is given up after ten attempts, and what is behind it goes", async () => {
  const rig = createRig(
    ({ event }) => ({ status: event === 3 ? 400 : 200, afterMs: 5 }),
    [webhook(1)],
    M,
  );
  const [poison, behind] = [rig.happen("m"), rig.happen("m")];
  // Others are taken all the time, so that the endpoint is well.
  for (let hour = 0; hour < 100; hour++) {
    rig.happen(`other${hour}`);
    await rig.run(H);
  }
  expect(rig.sent.filter(({ event }) => event === poison)).toHaveLength(10);
  expect(rig.rows.get(1)?.get(poison)).toMatchObject({ status: "failed", tries: 10 });
  expect(taken(rig)).toContain(behind);
  expect(rig.book.get(1)?.enabled).toBe(true);
});

describe("a dead receiver", () => {
  test("holds few events and no others, and its backlog comes when it is back", async () => {
    let isDead = true;
    const rig = createRig(
      (one) => (one.to === "https://1.test/" && isDead ? dead(one) : fine(one)),
      [webhook(1), webhook(2)],
    );
    const ids = Array.from({ length: 2000 }, (_, i) => rig.happen(`m${i}`));
    await rig.run(M);
    expect(taken(rig, "https://2.test/")).toHaveLength(2000);
    const pending = [...(rig.rows.get(1)?.values() ?? [])];
    expect(pending.length).toBeLessThanOrEqual(16);
    expect(rig.sent.filter(({ to }) => to === "https://1.test/").length).toBeLessThan(20);
    expect(rig.gauges.at(-1)).toBeGreaterThan(900);
    await rig.run(12 * H);
    isDead = false;
    await rig.run(10 * M);
    expect(new Set(taken(rig))).toEqual(new Set(ids));
    expect(rig.book.get(1)).toMatchObject({ enabled: true, failingSince: null });
  });

  test("is switched off after days, says so in its log, and loses nothing when it is switched on", async () => {
    let isDead = true;
    const rig = createRig((one) => (isDead ? dead(one) : fine(one)), [webhook(1)], M);
    const ids = Array.from({ length: 50 }, (_, i) => rig.happen(`m${i}`));
    await rig.run(110 * H);
    const off = rig.book.get(1);
    expect(off).toMatchObject({ enabled: false });
    expect(off?.disabledWhy).toStartWith("Nothing was taken since 20");
    const remarks = [...(rig.rows.get(1)?.values() ?? [])].filter(({ event }) => event < 0);
    expect(remarks.map(({ type }) => type)).toEqual(["webhook.endpoint_disabled"]);
    const before = rig.sent.length;
    rig.happen("late");
    await rig.run(H);
    expect(rig.sent).toHaveLength(before);
    isDead = false;
    if (off !== undefined)
      rig.change({ ...off, enabled: true, disabledWhy: null, failingSince: null });
    await rig.run(10 * M);
    expect(new Set(taken(rig))).toEqual(new Set([...ids, (ids.at(-1) ?? 0) + 2]));
  });

  test("with one rare event has ten attempts before it is switched off", async () => {
    const rig = createRig(dead, [webhook(1)], M);
    rig.happen("m");
    await rig.run(200 * H);
    expect(rig.sent.length).toBe(10);
    expect(rig.book.get(1)?.enabled).toBe(false);
  });
});

test("one that is given another address is asked there at once, whatever the old one said", async () => {
  const rig = createRig(
    ({ to }) => ({
      status: to === "https://new.test/" ? 200 : 503,
      afterMs: 5,
      retryAfter: "7200",
    }),
    [webhook(1)],
  );
  const ids = Array.from({ length: 30 }, (_, i) => rig.happen(`m${i}`));
  await rig.run(H);
  expect(rig.book.get(1)?.failingSince).not.toBeNull();
  rig.change({ ...(rig.book.get(1) ?? webhook(1)), endpoint: "https://new.test/" });
  await rig.run(5 * S);
  expect(taken(rig, "https://new.test/").toSorted((a, b) => a - b)).toEqual(ids);
  expect(rig.book.get(1)?.failingSince).toBeNull();
});

test("no more may be asked for again than a start reads, but what waits already", async () => {
  const rig = createRig(dead, [webhook(1)]);
  const ids = Array.from({ length: 700 }, (_, i) => rig.happen(`m${i}`));
  const hooks = rig.hooks();
  const asked = ids.filter((event, i) => {
    if (!hooks.mayReplay(1, event)) return false;
    hooks.replay(1, { event, type: "email.sent", email: `m${i}`, dueAt: 0, tries: 0 });
    return true;
  });
  expect(asked).toHaveLength(500);
  expect([hooks.mayReplay(1, ids[0] ?? 0), hooks.mayReplay(1, ids[600] ?? 0)]).toEqual([
    true,
    false,
  ]);
});

test("410 switches it off at once, and what it did not take is kept", async () => {
  const rig = createRig(() => ({ status: 410, afterMs: 5 }), [webhook(1)]);
  const id = rig.happen("m");
  await rig.run(M);
  expect(rig.sent).toHaveLength(1);
  expect(rig.book.get(1)?.disabledWhy).toContain("410");
  expect(rig.rows.get(1)?.get(id)?.status).toBe("pending");
});

test("slow ones take no places from the others", async () => {
  const slow = Array.from({ length: 49 }, (_, i) => webhook(i + 2));
  const rig = createRig(
    (one) => (one.to === "https://1.test/" ? fine(one) : { status: 200, afterMs: 14 * S }),
    [...slow, webhook(1)],
  );
  for (let i = 0; i < 500; i++) rig.happen(`m${i}`);
  await rig.run(30 * S);
  expect(taken(rig)).toHaveLength(500);
  expect(rig.peak.inFlight).toBeLessThanOrEqual(164);
});

test("a reader that cannot answer is not asked without pause, and nothing is lost by it", async () => {
  let well = false;
  const rig = createRig(() => ({ status: well ? 200 : 500, afterMs: 5 }), [webhook(1)]);
  const ids = Array.from({ length: 40 }, (_, i) => rig.happen(`m${i}`));
  await rig.run(S);
  well = true;
  rig.readerIs("busy");
  const before = rig.reads();
  await rig.run(20 * M);
  expect(rig.reads() - before).toBeLessThan(10 * 20 * 60);
  rig.readerIs("free");
  await rig.run(10 * M);
  expect(new Set(taken(rig))).toEqual(new Set(ids));
});

test("what history has lost is told, and the rest goes on", async () => {
  const rig = createRig(fine, [webhook(1)]);
  const ids = Array.from({ length: 10 }, (_, i) => rig.happen(`m${i}`));
  rig.forget(ids[4] ?? 0);
  await rig.run(S);
  expect(taken(rig)).toEqual(ids.slice(5));
  const [remark] = [...(rig.rows.get(1)?.values() ?? [])].filter(({ event }) => event < 0);
  expect(remark?.type).toBe("webhook.events_skipped");
});

test("what cannot be written now is written later, and nothing is told twice for it", async () => {
  const rig = createRig(fine, [webhook(1)]);
  rig.diskFails(20);
  const ids = [rig.happen("a"), rig.happen("b")];
  await rig.run(2 * S);
  expect(rig.book.get(1)?.cursor).toBe(0);
  await rig.run(10 * S);
  expect(rig.book.get(1)?.cursor).toBe(ids[1] ?? 0);
  expect(taken(rig)).toEqual(ids);
  expect(rig.rows.get(1)?.get(ids[0] ?? 0)?.attempts).toHaveLength(1);
});

test("a secret, an address and a filter hold from the next request on; a removed one hears no more", async () => {
  const rig = createRig(fine, [webhook(1)]);
  rig.happen("a");
  await rig.run(S);
  const moved = { endpoint: "https://moved.test/", events: ["email.bounced"] };
  rig.change({ ...(rig.book.get(1) ?? webhook(1)), ...moved });
  rig.happen("b");
  const bounced = rig.happen("b", "email.bounced");
  await rig.run(S);
  expect(taken(rig, "https://moved.test/")).toEqual([bounced]);
  rig.remove(1);
  rig.happen("c", "email.bounced");
  await rig.run(M);
  expect(rig.sent).toHaveLength(2);
});

test("what waits for its time is sent then, and once, though a daemon was killed meanwhile", async () => {
  let fails = 1;
  const rig = createRig(
    ({ email }) =>
      email === "a"
        ? { status: 200, afterMs: 10 * S }
        : { status: fails-- > 0 ? 500 : 200, afterMs: 5 },
    [webhook(1)],
  );
  const [slow, waits] = [rig.happen("a"), rig.happen("b")];
  await rig.run(2 * S);
  const tries = () => rig.sent.filter(({ event }) => event === waits).length;
  expect([rig.book.get(1)?.cursor, tries()]).toEqual([slow - 1, 1]);
  rig.crash();
  await rig.run(2 * S);
  expect(tries()).toBe(1);
  await rig.run(60 * S);
  expect([tries(), taken(rig)]).toEqual([2, [slow, waits]]);
});

test("an event is sent again when it is asked for, also one that waits", async () => {
  let well = true;
  const rig = createRig(() => ({ status: well ? 200 : 500, afterMs: 5 }), [webhook(1)]);
  const id = rig.happen("m");
  await rig.run(S);
  const again = { event: id, type: "email.sent", email: "m", dueAt: 0, tries: 0 };
  rig.hooks().replay(1, again);
  await rig.run(S);
  expect(taken(rig)).toEqual([id, id]);
  well = false;
  const waits = rig.happen("n");
  await rig.run(10 * S);
  well = true;
  rig.hooks().replay(1, { ...again, event: waits, email: "n" });
  await rig.run(S);
  expect(taken(rig)).toEqual([id, id, waits]);
});
