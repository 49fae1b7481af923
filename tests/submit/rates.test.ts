import { afterEach, beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import { createRates, type RateLimits } from "../../src/submit/rates.ts";
import { createSimClock } from "../sim/time.ts";
import { message, type ProblemBody, problemOf } from "./doorFixture.ts";
import { createKeyStage, type KeyStage, START } from "./keyFixture.ts";

let stage: KeyStage;
beforeEach(() => void (stage = createKeyStage()));
afterEach(() => stage.close());

const send = (token?: string, body: unknown = message) =>
  stage.ask("POST", Array.isArray(body) ? "/send/batch" : "/send", body, token);
const limitOf = async (response: Response) => {
  const { status, name, limit } = (await problemOf(response)) as ProblemBody & { limit?: string };
  return [status, name, limit, response.headers.get("retry-after")];
};

test("a key may make its burst at once, and then what its rate gives back", async () => {
  const { token } = await stage.create({ rate: "60/m", burst: 3 });
  for (let i = 0; i < 3; i++) expect((await send(token)).status).toBe(202);
  expect(await limitOf(await send(token))).toEqual([429, "rate_limit_exceeded", "key_rate", "1"]);
  stage.pass(1000);
  expect((await send(token)).status).toBe(202);
  expect((await send(token)).status).toBe(429);
  stage.pass(3_600_000);
  for (let i = 0; i < 3; i++) expect((await send(token)).status).toBe(202);
  expect((await send(token)).status).toBe(429);
});

test("who is a moment too early waits its turn instead", async () => {
  const { token } = await stage.create({ rate: "20/s", burst: 1 });
  expect((await send(token)).status).toBe(202);
  const order: string[] = [];
  const second = send(token).then(({ status }) => order.push(`second ${status}`));
  const third = send(token).then(({ status }) => order.push(`third ${status}`));
  const fourth = send(token).then(({ status }) => order.push(`fourth ${status}`));
  await fourth;
  expect(order).toEqual(["fourth 429"]);
  stage.pass(50);
  await second;
  stage.pass(50);
  await third;
  expect(order).toEqual(["fourth 429", "second 202", "third 202"]);
});

test("a batch counts as its messages, on credit that is paid back before the next", async () => {
  const { token } = await stage.create({ rate: "10/s", burst: 5 });
  expect((await send(token, Array(20).fill(message))).status).toBe(202);
  expect(await limitOf(await send(token))).toEqual([429, "rate_limit_exceeded", "key_rate", "2"]);
  stage.pass(1_400);
  expect((await send(token)).status).toBe(429);
  stage.pass(200);
  expect((await send(token)).status).toBe(202);
});

test("answers tell a key with a limit what it may still do, and no other", async () => {
  const limited = await stage.create({ rate: "6/m", burst: 10, daily_quota: 50 });
  const { headers } = await send(limited.token);
  expect(Object.fromEntries([...headers].filter(([name]) => name.startsWith("ratelimit")))).toEqual(
    {
      "ratelimit-limit": "10",
      "ratelimit-remaining": "9",
      "ratelimit-reset": "10",
      "ratelimit-policy": '"key_rate";q=10;w=100, "daily_quota";q=50;w=86400',
      ratelimit: '"key_rate";r=9;t=10, "daily_quota";r=49;t=43200',
    },
  );
  const free = await stage.create({});
  expect((await send(free.token)).headers.has("ratelimit-limit")).toBe(false);
  expect((await send()).headers.has("ratelimit-limit")).toBe(false);
});

test("the settings' rate holds for the first key and for those without their own", async () => {
  const plain = await stage.create({});
  const own = await stage.create({ rate: "1000/s", burst: 1000 });
  stage.settings({ rate: { count: 1, perMs: 60_000 }, burst: 2 });
  for (const token of [undefined, plain.token]) {
    expect((await send(token)).status).toBe(202);
    expect((await send(token)).status).toBe(202);
    expect((await send(token)).status).toBe(429);
  }
  for (let i = 0; i < 5; i++) expect((await send(own.token)).status).toBe(202);
  stage.settings({ rate: null });
  expect((await send(plain.token)).status).toBe(202);
});

test("a reload and a change of the key give no burst anew", async () => {
  const { id, token } = await stage.create({ rate: "1/m", burst: 2 });
  await send(token);
  await send(token);
  stage.settings({ waitMs: 0 });
  expect((await send(token)).status).toBe(429);
  await stage.ask("PATCH", `/api-keys/${id}`, { rate: "2/m" });
  expect((await send(token)).status).toBe(429);
});

const four = { ...message, to: ["a@x.test", "b@x.test", "c@x.test", "d@x.test"] };

test("the quota counts recipients of the day in UTC", async () => {
  const { id, token } = await stage.create({ daily_quota: 10 });
  expect((await send(token, four)).status).toBe(202);
  expect((await send(token, [four, message])).status).toBe(202);
  const refused = await send(token, four);
  expect(await limitOf(refused)).toEqual([429, "daily_quota_exceeded", "daily_quota", "43200"]);
  expect((await send(token)).status).toBe(202);
  expect((await send(token)).status).toBe(429);
  const view = (await (await stage.ask("GET", `/api-keys/${id}`)).json()) as object;
  expect(view).toMatchObject({ daily_quota: 10, used_today: 10 });
  stage.pass(43_200_000);
  expect((await send(token, four)).status).toBe(202);
});

test("what the queue did not take, and what was sent before, does not count", async () => {
  const { token } = await stage.create({ daily_quota: 4 });
  stage.said = { kind: "refused", why: "queue_full", retryAfterS: 5 };
  for (let i = 0; i < 3; i++) expect((await send(token, four)).status).toBe(503);
  stage.said = { kind: "accepted" };
  expect((await send(token, four)).status).toBe(202);
  expect((await send(token)).status).toBe(429);
});

test("a quota survives an end in order to the letter, and a kill with at most a share too many", async () => {
  const { id, token } = await stage.create({ daily_quota: 1000 });
  const used = async () =>
    ((await (await stage.ask("GET", `/api-keys/${id}`)).json()) as { used_today: number })
      .used_today;
  for (let i = 0; i < 7; i++) await send(token, four);
  await stage.restart("stop");
  expect(await used()).toBe(28);
  for (let i = 0; i < 7; i++) await send(token, four);
  await stage.restart("kill");
  const after = await used();
  expect(after).toBeGreaterThanOrEqual(56);
  expect(after).toBeLessThanOrEqual(56 + 20);
  await stage.restart("kill");
  expect(await used()).toBe(after);
});

test("a clock that is set back gives no quota anew, and one set forward takes none for good", async () => {
  const { token } = await stage.create({ daily_quota: 4 });
  await send(token, four);
  stage.clock.jump(-2 * 86_400_000);
  expect((await send(token)).status).toBe(429);
  await stage.restart("kill");
  expect((await send(token)).status).toBe(429);
  stage.clock.jump(365 * 86_400_000);
  expect((await send(token, four)).status).toBe(202);
  stage.clock.jump(-365 * 86_400_000);
  stage.pass(86_400_000);
  expect((await send(token, four)).status).toBe(202);
});

test("a clock that goes back over midnight and over it again gives no quota anew", async () => {
  const { id, token } = await stage.create({ daily_quota: 4 });
  const view = async () => (await (await stage.ask("GET", `/api-keys/${id}`)).json()) as object;
  stage.pass(43_200_000);
  expect((await send(token, four)).status).toBe(202);
  stage.clock.jump(-60_000);
  expect((await send(token)).status).toBe(429);
  expect(await view()).toMatchObject({ used_today: 4 });
  stage.pass(120_000);
  expect((await send(token)).status).toBe(429);
  stage.pass(86_400_000);
  expect((await send(token, four)).status).toBe(202);
});

test("over any time a key gets no more than its burst and its rate", () => {
  const step = fc.record({
    passMs: fc.integer({ min: 0, max: 5_000 }),
    batch: fc.integer({ min: 1, max: 9 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = createSimClock(START);
      const limits: RateLimits = {
        ...{ burst: 5, dailyQuota: null, waitMs: 0 },
        rate: { count: 3, perMs: 1000 },
      };
      const used = { day: 0, dayUsed: 0 };
      const rates = createRates({ clock, limits, used, save: async () => true });
      let taken = 0;
      for (const { passMs, batch } of steps) {
        clock.step(clock.monotonicMs() + passMs);
        if (rates.enter() !== undefined) continue;
        taken++;
        if (rates.charge(batch - 1) === undefined) taken += batch - 1;
        // One batch may overdraw the bucket, by all but one of its messages.
        const most = 5 + (clock.monotonicMs() * 3) / 1000 + 8;
        expect(taken).toBeLessThanOrEqual(most + 1e-6);
      }
    }),
    { numRuns: 200 },
  );
});

test("a quota is never counted too low, and by a share too high for each kill at most", () => {
  const step = fc.record({
    what: fc.constantFrom("send", "send", "send", "refused", "kill", "stop"),
    recipients: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), fc.array(step), (dailyQuota, steps) => {
      const clock = createSimClock(START);
      const limits: RateLimits = { ...{ rate: null, burst: 1, waitMs: 0 }, dailyQuota };
      let disk = { day: 0, dayUsed: 0 };
      const open = () =>
        createRates({
          ...{ clock, limits, used: disk },
          save: async (use) => {
            disk = { ...use };
            return true;
          },
        });
      let rates = open();
      let [sent, kills] = [0, 0];
      for (const { what, recipients } of steps) {
        if (what === "kill" || what === "stop") {
          if (what === "stop") disk = rates.use(true);
          else kills++;
          rates = open();
        } else if (rates.spend(recipients) === undefined) {
          if (what === "send") sent += recipients;
          else rates.refund(recipients);
        }
        const { dayUsed } = rates.use(true);
        // What was refused just before a kill stays counted as well.
        const slack = kills * (Math.floor(dailyQuota / 50) + 60);
        expect(dayUsed).toBeGreaterThanOrEqual(sent);
        expect(dayUsed).toBeLessThanOrEqual(sent + slack);
        expect(sent).toBeLessThanOrEqual(dailyQuota);
      }
    }),
    { numRuns: 300 },
  );
});
