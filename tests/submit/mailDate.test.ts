// The Date and the Message-ID that a caller gives.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createFixture, type Fixture, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

test("a Date is read as mail and RFC 3339 write it, and a Message-ID stays what it is", async () => {
  const sent = async (headers: Record<string, string>) => {
    const response = await fixture.post("/send", { ...message, headers });
    if (response.status === 422) return (await problemOf(response)).errors?.[0]?.pointer;
    return /^Date: (.*)\r$/m.exec(Buffer.from(fixture.taken.at(-1)?.body ?? []).toString())?.[1];
  };
  for (const [text, date] of [
    ["Sat, 28 Feb 2026 23:30:00 -0100", "Sun, 01 Mar 2026 00:30:00 +0000"],
    ["28 Feb 2026 23:30 +0000 (UTC)", "Sat, 28 Feb 2026 23:30:00 +0000"],
    ["Sat, 28 Feb 2026 23:30:00 GMT", "Sat, 28 Feb 2026 23:30:00 +0000"],
    ["2026-02-28T23:30:00Z", "Sat, 28 Feb 2026 23:30:00 +0000"],
    ["Sat,  28  Feb  2026 23:30:00  EST", "Sun, 01 Mar 2026 04:30:00 +0000"],
    ["sat , 28 feb 26 23:30:00 pdt", "Sun, 01 Mar 2026 06:30:00 +0000"],
    ["28 Feb 99 23:30 Z", "Sun, 28 Feb 1999 23:30:00 +0000"],
    ["31 Dec 2026 18:59:60 -0500", "Fri, 01 Jan 2027 00:00:00 +0000"],
    ["28 Feb 2026 23:59:60 +0000", "/headers/Date"],
    ["31 Dec 2026 23:59:60 -0500", "/headers/Date"],
    ["28 Feb 0026 23:30:00 +0000", "/headers/Date"],
    ["28 Feb 1899 23:30:00 +0000", "/headers/Date"],
    ["28 Feb 2026 23:30:00 +9999", "/headers/Date"],
    ["28 Feb 2026 23:30:00 +0060", "/headers/Date"],
    ["28 Feb 2026 24:00:00 +0000", "/headers/Date"],
    ["Fri, 28 Feb 2026 23:30:00 +0000", "/headers/Date"],
    ["28 Feb 2026 23:30:00 CET", "/headers/Date"],
    ["28 Feb 2026 23:30:00 A", "/headers/Date"],
    ["31 Dec 2026 23:59:60 CET", "/headers/Date"],
    ["5", "/headers/Date"],
    ["2026-02-30", "/headers/Date"],
    ["30 Feb 2026 10:00:00 +0000", "/headers/Date"],
    ["23 Nov 2026 10:00:00", "/headers/Date"],
  ] as const)
    expect([text, await sent({ Date: text })]).toEqual([text, date]);
  const spoken = await fixture.post("/send", {
    ...{
      ...message,
      headers: { Date: "Mon Nov 23 2026 10:00:00 GMT+0000 (Coordinated Universal Time)" },
    },
  });
  expect((await problemOf(spoken)).detail).toContain("as toUTCString() and toISOString()");
  for (const id of ["<ä@b.example>", `<${"a".repeat(300)}@b.example>`, "<a b@c>", '<"a b"@c>', "a"])
    expect([id, await sent({ "Message-ID": id })]).toEqual([id, "/headers/Message-ID"]);
});
