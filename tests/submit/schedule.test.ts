// When mail is to be sent: instants and words, and what is neither.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { systemClock } from "../../src/base/clock.ts";
import { readInstant, readWhen, whenReady } from "../../src/submit/schedule.ts";
import { createFixture, type Fixture, KEY, message, network, problemOf } from "./doorFixture.ts";

/** A Monday. */
const NOW = Date.parse("2026-11-23T11:00:00Z");

let fixture: Fixture;
beforeAll(async () => {
  fixture = createFixture({ clock: { ...systemClock, now: () => NOW } });
  await whenReady({ scheduled_at: "in 10 min" });
});
afterAll(() => fixture.close());

describe("what is understood", () => {
  test.each([
    ["2026-12-31T18:30:00Z", "2026-12-31T18:30:00.000Z"],
    ["2026-12-31t18:30:00.123456+02:00", "2026-12-31T16:30:00.123Z"],
    ["2026-12-31 18:30", "2026-12-31T18:30:00.000Z"],
    ["2026-12-31T18:30:00.123456", "2026-12-31T18:30:00.123Z"],
    ["2026-12-31", "2026-12-31T00:00:00.000Z"],
    ["in 10 min", "2026-11-23T11:10:00.000Z"],
    [" In 1 Hour ", "2026-11-23T12:00:00.000Z"],
    ["in 30 days", "2026-12-23T11:00:00.000Z"],
    ["tomorrow at 9am", "2026-11-24T09:00:00.000Z"],
    ["Monday at 9am", "2026-11-30T09:00:00.000Z"],
    ["2026-12-31T18:30:00+0100", "2026-12-31T17:30:00.000Z"],
    ["2026-12-31T18:30:00-23:59", "2027-01-01T18:29:00.000Z"],
    ["noon 2026-12-25", "2026-12-25T12:00:00.000Z"],
    ["10am on 2026-12-31", "2026-12-31T10:00:00.000Z"],
    ["Friday at 3pm ET", "2026-11-27T20:00:00.000Z"],
    ["next week", "2026-11-30T11:00:00.000Z"],
    ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00.000Z"],
  ])("%s", (text, at) => {
    expect(readWhen(text, NOW)).toEqual({ kind: "at", at: Date.parse(at) });
  });
});

describe("what is refused", () => {
  test.each([
    "",
    "soon",
    "9999",
    "-1",
    "in -5 min",
    "not in 5 min",
    "in 5 min and in 10 min",
    "from 3pm to 5pm",
    "yesterday",
    "last Friday",
    "past monday at 9am",
    "10 minutes ago",
    "2026-12-31T18:30:00+24:00",
    "2026-12-31T18:30:00+14:60",
    "2026-12-31T18:30:00-0160",
    "1970-01-01T00:00:00Z",
    "2026-11-22T10:59:59Z",
    "9999-12-31T23:59:59Z",
    "2027-11-25T00:00:00Z",
    "in 2 years",
    "in 99999999999999 min",
    "2026-02-30T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-12-31T25:00:00Z",
    "in 10 min".padEnd(200, "!"),
    "in 10 min\u0000",
  ])("%j", async (text) => {
    expect(readWhen(text, NOW).kind).toBe("fault");
    const response = await fixture.post("/send", { ...message, scheduled_at: text });
    const problem = await problemOf(response);
    expect([response.status, problem.name]).toEqual([422, "validation_error"]);
    expect(problem.errors).toMatchObject([{ pointer: "/scheduled_at", code: "invalid_time" }]);
  });
});

test("whatever is written, what is understood lies within the bounds", () => {
  const word = fc.constantFrom(
    ..."in at next last 5 10 -1 1.5 min hours days weeks years am pm noon friday tomorrow ago".split(
      " ",
    ),
  );
  const text = fc.oneof(
    fc.array(word, { maxLength: 6 }).map((words) => words.join(" ")),
    fc.string({ maxLength: 40 }),
  );
  fc.assert(
    fc.property(text, (given) => {
      const when = readWhen(given, NOW);
      if (when.kind === "fault") return;
      expect(when.at).toBeGreaterThanOrEqual(NOW - 86_400_000);
      expect(when.at).toBeLessThanOrEqual(NOW + 366 * 86_400_000);
    }),
    { numRuns: 300 },
  );
});

test("every instant that JavaScript writes is read as it was meant", () => {
  const date = fc.date({ noInvalidDate: true, min: new Date(0), max: new Date("2100-01-01") });
  fc.assert(
    fc.property(date, (at) => expect(readInstant(at.toISOString())).toBe(at.getTime())),
    { numRuns: 200 },
  );
});

test("a message in words waits until then, and its Date is that of its release", async () => {
  const response = await fixture.post("/send", { ...message, scheduled_at: "in 10 min" });
  expect(await response.json()).toMatchObject({ status: "scheduled" });
  const taken = fixture.taken.at(-1);
  expect(taken?.head.dueAt).toBe(NOW + 600_000);
  expect(Buffer.from(taken?.body ?? []).toString()).toContain("Mon, 23 Nov 2026 11:10:00 +0000");
});

test("a batch and a change of time take words too", async () => {
  const later = { ...message, scheduled_at: "in 1 hour" };
  await fixture.post("/send/batch", [message, later]);
  expect(fixture.taken.at(-1)?.head.dueAt).toBe(NOW + 3_600_000);
  const id = "00000000-0000-7000-8707-070707070707";
  const change = new Request(`http://door.test/emails/${id}`, {
    method: "PATCH",
    headers: { authorization: `Bearer ${KEY}` },
    body: JSON.stringify({ scheduled_at: "tomorrow at 9am" }),
  });
  await fixture.door.fetch(change, network);
  expect(fixture.ordered.at(-1)).toMatchObject({
    do: "queue.reschedule",
    dueAt: Date.parse("2026-11-24T09:00:00Z"),
  });
});

test("a limit counts from the release, and one before it is refused", async () => {
  await fixture.post("/send", { ...message, scheduled_at: "in 1 hour", expires_in: "10m" });
  expect(fixture.taken.at(-1)?.head.expiresAt).toBe(NOW + 4_200_000);
  const expires_at = "2026-11-23T11:30:00Z";
  const early = await fixture.post("/send", { ...message, scheduled_at: "in 1 hour", expires_at });
  expect((await problemOf(early)).errors).toMatchObject([{ pointer: "/expires_at" }]);
});
