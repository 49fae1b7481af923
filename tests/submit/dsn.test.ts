// The field `dsn`: what the queue is handed, and what is refused.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type Fixture, createFixture, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

test("what a sender wants to be told of travels with the message", async () => {
  const dsn = { notify: ["success", "failure"], ret: "headers", envid: "order-17" } as const;
  expect((await fixture.post("/send", { ...message, dsn })).status).toBe(202);
  expect(fixture.taken[0]?.head.dsn).toEqual(dsn);
});

test("a message that asks for nothing carries nothing", async () => {
  await fixture.post("/send", message);
  expect(JSON.stringify(fixture.taken[0]?.head)).not.toContain("dsn");
});

for (const [dsn, fault] of [
  [{ notify: ["never", "delay"] }, "/dsn/notify conflict"],
  [{ notify: ["always"] }, "/dsn/notify/0 invalid_value"],
  [{ ret: "body" }, "/dsn/ret invalid_value"],
  [{ envid: "a b" }, "/dsn/envid invalid_value"],
  [{ envid: "x".repeat(101) }, "/dsn/envid too_long"],
  [{ orcpt: "x" }, "/dsn/orcpt unknown_field"],
] as const)
  test(`${JSON.stringify(dsn).slice(0, 40)} is refused: ${fault}`, async () => {
    const problem = await problemOf(await fixture.post("/send", { ...message, dsn }));
    expect(problem.errors?.map(({ pointer, code }) => `${pointer} ${code}`)).toEqual([fault]);
  });
