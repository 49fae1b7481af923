// /suppressions and /reports: what the door asks of the reader and of the queue, and how it tells what they say.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { ReportAbout } from "../../src/mail/report.ts";
import { createFixture, type Fixture } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

const row = {
  ...{ object: "suppression", id: "i", email: "ann@example.com", origin: "manual" },
  ...{ source_id: null, reason: null, created_at: "2026-01-01T00:00:00.000Z" },
};
const remove = async (path: string) =>
  fixture.door.fetch(
    new Request(`http://x${path}`, {
      method: "DELETE",
      headers: { authorization: "Bearer pr_test_key" },
    }),
    { caller: null, addressOf: () => null },
  );

test("an address is added in wire form, and whether it was there is told by the status", async () => {
  fixture.told = { kind: "done", value: [{ ...row, added: true }] };
  const response = await fixture.post("/suppressions", {
    email: "Ann@BÜCHER.example",
    reason: "r",
  });
  expect([response.status, await response.json()]).toEqual([201, { ...row, added: true }]);
  expect(fixture.ordered).toEqual([
    { do: "suppress.add", entries: [{ address: "Ann@xn--bcher-kva.example", reason: "r" }] },
  ]);
  fixture.told = { kind: "done", value: [{ ...row, added: false }] };
  expect((await fixture.post("/suppressions", { email: "ann@example.com" })).status).toBe(200);
});

test("what is no address, and what is no reason, is refused by its field", async () => {
  for (const [path, body, pointer] of [
    ["/suppressions", { email: "Ann <ann@example.com>" }, "/email"],
    ["/suppressions", { email: "ann@example.com\r\nX: y" }, "/email"],
    ["/suppressions", { email: 7 }, "/email"],
    ["/suppressions", { email: "a@b.example", reason: "a\nb" }, "/reason"],
    ["/suppressions", { email: "a@b.example", why: "x" }, "/why"],
    ["/suppressions/batch/add", { emails: [] }, "/emails"],
    ["/suppressions/batch/add", { emails: ["a@b.example", "x"] }, "/emails/1"],
    ["/suppressions/batch/add", { emails: Array(1001).fill("a@b.example") }, "/emails"],
    ["/suppressions/batch/remove", { emails: ["a@b.example"], ids: ["i"] }, "/emails"],
    ["/suppressions/batch/remove", { ids: [7] }, "/ids"],
  ] as const) {
    const response = await fixture.post(path, body);
    const { errors } = (await response.json()) as { errors: { pointer: string }[] };
    expect([path, response.status, errors[0]?.pointer]).toEqual([path, 422, pointer]);
  }
  expect(fixture.ordered).toEqual([]);
});

test("one is shown and removed by address or id, and what is not there is not found", async () => {
  fixture.reply = { kind: "found", view: row };
  expect(await (await fixture.get("/suppressions/ann%40example.com")).json()).toEqual(row);
  expect(fixture.asked).toEqual([{ ask: "suppression", which: "ann@example.com" }]);
  await fixture.get("/suppressions/Ann%40B%C3%BCcher.example");
  expect(fixture.asked[1]).toEqual({ ask: "suppression", which: "Ann@xn--bcher-kva.example" });
  fixture.told = { kind: "done", value: [row] };
  expect(await (await remove("/suppressions/ann%40example.com")).json()).toEqual({
    ...{ object: "suppression", id: "i", email: "ann@example.com", deleted: true },
  });
  fixture.told = { kind: "done", value: [null] };
  fixture.reply = { kind: "missing" };
  expect((await remove("/suppressions/x")).status).toBe(404);
  const missing = await fixture.get("/suppressions/x");
  expect(await missing.json()).toMatchObject({
    status: 404,
    detail: expect.stringContaining("not"),
  });
});

test("batches answer in Resend's shape, and what was not there is left out", async () => {
  fixture.told = { kind: "done", value: [{ ...row, added: true }] };
  const added = await fixture.post("/suppressions/batch/add", { emails: ["ann@example.com"] });
  expect([added.status, await added.json()]).toEqual([
    201,
    { data: [{ object: "suppression", id: "i", email: "ann@example.com", added: true }] },
  ]);
  fixture.told = { kind: "done", value: [row, null] };
  const gone = await fixture.post("/suppressions/batch/remove", { ids: ["i", "nothing"] });
  expect(await gone.json()).toEqual({
    data: [{ object: "suppression", id: "i", email: "ann@example.com", deleted: true }],
  });
  expect(fixture.ordered.at(-1)).toEqual({ do: "suppress.remove", which: ["i", "nothing"] });
});

test("a list is filtered and paged, and a parameter that means nothing is refused", async () => {
  fixture.reply = { kind: "found", view: { object: "list", has_more: false, data: [row] } };
  await fixture.get("/suppressions?origin=bounce&limit=5&after=a");
  expect(fixture.asked).toEqual([
    { ask: "suppressions", filter: { origin: "bounce", limit: 5, after: "a" } },
  ]);
  for (const query of ["origin=spam", "limit=0", "limit=101", "orign=bounce"])
    expect((await fixture.get(`/suppressions?${query}`)).status).toBe(422);
});

const about: ReportAbout = {
  ...{ message: 7, email_id: "m", n: 1, recipient: "ann@example.com", report: "bounced" },
  ...{ enhanced: "5.1.1", text: "no such user", by: "mx.example.com", suppress: true },
};
const rfc822 = { "content-type": "message/rfc822" };
const report = (): Promise<Response> =>
  fixture.post("/reports?to=b%40s.example", new TextEncoder().encode("Subject: x\r\n\r\n"), rfc822);
const counted = (): string[] =>
  fixture.meter
    .drain()
    .filter(({ name }) => name === "postrider_reports_total")
    .map(({ labels }) => Object.values(labels ?? {}).join(" "));

test("a report that was matched becomes an order, and is counted by what came of it", async () => {
  fixture.reply = {
    kind: "found",
    view: { kind: "dsn", findings: [{ outcome: "matched", about }] },
  };
  fixture.told = { kind: "done", value: { result: "recorded", suppressed: true } };
  expect(await (await report()).json()).toEqual({
    object: "report",
    kind: "dsn",
    results: [
      { recipient: "ann@example.com", email_id: "m", result: "recorded", suppressed: true },
    ],
  });
  const { email_id: _, recipient: __, ...rest } = about;
  expect(fixture.ordered).toEqual([{ do: "suppress.report", ...rest }]);
  expect(fixture.asked).toMatchObject([{ ask: "report", to: ["b@s.example"] }]);
  expect(counted()).toEqual(["dsn recorded"]);
});

test("the address that it came back to may stand in the query as a script has it", async () => {
  fixture.reply = { kind: "found", view: { kind: "dsn", findings: [] } };
  for (const to of ["bounces+7@s.example", "bounces%2B7%40s.example"])
    await fixture.post(`/reports?to=${to}`, new TextEncoder().encode("Subject: x\r\n\r\n"), rfc822);
  const named = { ask: "report", to: ["bounces+7@s.example"] };
  expect(fixture.asked).toMatchObject([named, named]);
});

test("what is forged or unmatched is counted, and changes nothing", async () => {
  for (const outcome of ["forged", "unmatched", "ignored"] as const) {
    const findings = [{ outcome, recipient: null }];
    fixture.reply = { kind: "found", view: { kind: "arf", findings } };
    const response = await report();
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ results: [{ result: outcome }] });
    expect(counted()).toEqual([`arf ${outcome}`]);
  }
  expect(fixture.ordered).toEqual([]);
});

test("a message that went meanwhile is unmatched, and a full disk is told as such", async () => {
  fixture.reply = {
    kind: "found",
    view: { kind: "dsn", findings: [{ outcome: "matched", about }] },
  };
  fixture.told = { kind: "missing", detail: "gone" };
  expect(await (await report()).json()).toMatchObject({ results: [{ result: "unmatched" }] });
  fixture.told = { kind: "later", why: "disk_low" };
  expect((await report()).status).toBe(503);
});

test("a report is bounded, and comes as the mail that it is", async () => {
  expect((await fixture.post("/reports", {})).status).toBe(415);
  const large = await fixture.post("/reports", new Uint8Array(2_000_001), rfc822);
  expect(large.status).toBe(413);
  const many = Array.from({ length: 11 }, () => "to=a").join("&");
  expect((await fixture.post(`/reports?${many}`, new Uint8Array(1), rfc822)).status).toBe(422);
  fixture.reply = { kind: "busy" };
  expect((await report()).status).toBe(503);
});
