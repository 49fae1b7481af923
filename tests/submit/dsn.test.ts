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

const raw = "From: a@example.com\r\nTo: b@example.org\r\n\r\nhi\r\n";
const asRaw = { "content-type": "message/rfc822" };

test("a raw message asks by its parameters", async () => {
  const query = "?notify=success,delay&ret=full&envid=order-17";
  expect((await fixture.post(`/send${query}`, raw, asRaw)).status).toBe(202);
  expect(fixture.taken[0]?.head.dsn).toEqual({
    notify: ["success", "delay"],
    ret: "full",
    envid: "order-17",
  });
  await fixture.post("/send?to=b@example.org", raw, asRaw);
  expect(fixture.taken[1]?.head.dsn).toBeUndefined();
});

test("what a raw message asks wrongly is told by its parameter", async () => {
  const answer = await fixture.post("/send?notify=never,delay&ret=x&envid=a%20b", raw, asRaw);
  const problem = await problemOf(answer);
  expect(problem.errors?.map(({ pointer }) => pointer).sort()).toContain("?ret");
  expect(fixture.taken).toEqual([]);
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

test("a parameter of the query that is given twice is refused, since one of them would be lost", async () => {
  const answer = await fixture.post("/send?envid=a&envid=b&ret=full&ret=full", raw, asRaw);
  const { errors = [] } = await problemOf(answer);
  expect(errors.map(({ pointer, code }) => `${code} ${pointer}`)).toEqual([
    "too_many ?ret",
    "too_many ?envid",
  ]);
});
