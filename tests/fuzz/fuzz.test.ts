// A slice of `scripts/fuzz` in every run of the tests, and that its judge notices what it is for.
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Submission } from "../../src/mail/submission.ts";
import { createFixture, message } from "../submit/doorFixture.ts";
import { composedFault, readBackFault, soundFault } from "./oracle.ts";
import { rawFault } from "./rawOracle.ts";
import { runFuzz } from "./run.ts";

test("no hostile body makes the door fail, hang, or write what its sender did not mean", async () => {
  const tally = await runFuzz({ seed: 20_261_123, from: 0, count: 3000, readBackOf: 5 });
  expect(tally.failures).toEqual([]);
  // Else nothing would be judged.
  expect(tally.accepted).toBeGreaterThan(400);
}, 60_000);

test("a body can be had again by its seed and its number", async () => {
  const run = (from: number, count: number) => runFuzz({ seed: 7, from, count, readBackOf: 1 });
  const all = await run(0, 40);
  const [head, tail] = [await run(0, 25), await run(25, 15)];
  const sum: Record<string, number> = { ...head.statuses };
  for (const [status, count] of Object.entries(tail.statuses))
    sum[status] = (sum[status] ?? 0) + count;
  expect(sum).toEqual(all.statuses);
});

describe("the judge notices", () => {
  const meant = { ...message, bcc: ["b@example.net"], headers: { "X-Order": "17" } };

  async function taken(): Promise<{ submission: Submission; body: string }> {
    const fixture = createFixture();
    try {
      await fixture.post("/send", meant);
      const [submission] = fixture.taken;
      if (submission === undefined) throw new Error("a good message is taken");
      return { submission, body: Buffer.from(submission.body ?? []).toString("latin1") };
    } finally {
      fixture.close();
    }
  }

  type Planted = readonly [string, (body: string) => string, object?];
  const planted: readonly Planted[] = [
    ["a field that nobody wrote", (body) => `X-Evil: 1\r\n${body}`],
    ["a recipient that nobody may see", (body) => `Bcc: b@example.net\r\n${body}`],
    ["a bare line feed", (body) => body.replace("way.", "way.\n")],
    ["a bare carriage return", (body) => body.replace("way.", "way.\r.")],
    ["another value", (body) => body.replace("X-Order: 17", "X-Order: 18")],
    [
      "a recipient too many",
      (body) => body,
      { recipients: ["ada@example.org", "b@example.net", "x@y.z"] },
    ],
    ["a recipient too few", (body) => body, { recipients: [] }],
    ["another recipient", (body) => body, { recipients: ["ada@example.org", "c@example.net"] }],
    ["two commands in one", (body) => body, { recipients: ["a@b.c>\r\nRCPT TO:<d@e.f"] }],
  ];
  test.each(planted)("%s", async (_, change, head = {}) => {
    const { submission, body } = await taken();
    const bytes = Buffer.from(change(body), "latin1");
    const sha256 = createHash("sha256").update(bytes).digest("base64url");
    const whole = { ...submission.head, sizeBytes: bytes.length, sha256, ...head };
    const changed: Submission = { ...submission, head: whole };
    const good = Buffer.from(body, "latin1");
    expect(soundFault(submission, good) ?? composedFault(submission, good, meant)).toBeUndefined();
    expect(soundFault(changed, bytes) ?? composedFault(changed, bytes, meant)).toBeDefined();
  });

  test("a text, a subject or a file that others read differently", async () => {
    const { body } = await taken();
    const bytes = Buffer.from(body, "latin1");
    expect(await readBackFault(bytes, meant)).toBeUndefined();
    expect(await readBackFault(bytes, { ...meant, text: "Another." })).toBeDefined();
    expect(await readBackFault(bytes, { ...meant, subject: "Another" })).toBeDefined();
    expect(
      await readBackFault(bytes, { ...meant, attachments: [{ content: "aGk=" }] }),
    ).toBeDefined();
  });

  test("raw mail that was changed", () => {
    const given = "From: a@b.c\nBcc: x@y.z\nDate: d\nMessage-ID: <m>\n\nHello\n";
    const top = "Received: by mail.example.com\r\n";
    const out = `${top}From: a@b.c\r\nDate: d\r\nMessage-ID: <m>\r\n\r\nHello\r\n`;
    expect(rawFault(given, out)).toBeUndefined();
    expect(rawFault(given, out.replace("Hello", "Hallo"))).toBeDefined();
    expect(rawFault(given, out.replace("Date", "Bcc: x@y.z\r\nDate"))).toBeDefined();
    expect(rawFault(given, out.replace("From: a@b.c\r\n", ""))).toBeDefined();
    expect(rawFault(given, out.replace(top, ""))).toBeDefined();
  });
});
