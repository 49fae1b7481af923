// Dialogues told live: server-sent events, bounded for whoever reads too slowly, and over when nobody reads.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { TraceLine } from "../../src/mail/trace.ts";
import { uuidOf } from "../../src/mail/id.ts";
import { createFixture, type Fixture, tag } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

const line = (text: string): TraceLine => ({
  ...{ at: 1, session: "s", host: "mx", address: "192.0.2.1", who: "us", text },
});

async function readUntil(response: Response, end: string): Promise<string> {
  const reader = response.body!.getReader();
  let text = "";
  while (!text.includes(end)) text += new TextDecoder().decode((await reader.read()).value);
  await reader.cancel();
  return text;
}

test("lines are told as events until the reader goes", async () => {
  const response = await fixture.get("/trace?domain=Example.com");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const [look] = fixture.traces;
  expect(look?.wish).toEqual({ by: "domain", name: "example.com" });
  look?.hear([line("MAIL FROM:<>"), line("RCPT TO:<a@b>")], 0);
  const text = await readUntil(response, "RCPT");
  expect(text).toContain(`data: ${JSON.stringify(line("MAIL FROM:<>"))}\n\n`);
  expect(look?.closed).toBe(true);
});

test("a slow reader is told how much it missed, and holds no more than a bound", async () => {
  const response = await fixture.get(`/trace?id=${uuidOf(1_800_000_000_000 * 4096, tag)}`);
  const [look] = fixture.traces;
  look?.hear(
    Array.from({ length: 3000 }, (_, i) => line(`${i}`)),
    5,
  );
  const reader = response.body!.getReader();
  let events = 0;
  for (let i = 0; i < 1000; i++) {
    await reader.read();
    events++;
  }
  look?.hear([line("last")], 0);
  let text = "";
  while (!text.includes("last")) text += new TextDecoder().decode((await reader.read()).value);
  expect(Number(/event: missed\ndata: (\d+)/.exec(text)?.[1])).toBeGreaterThan(1900);
  expect(events).toBe(1000);
  await reader.cancel();
});

test("a look at nothing or at two things is refused", async () => {
  for (const [path, status] of [
    ["/trace", 422],
    ["/trace?id=x&domain=y", 422],
    ["/trace?domain=a%20b", 422],
    ["/trace?id=x", 404],
  ] as const)
    expect([path, (await fixture.get(path)).status]).toEqual([path, status]);
  expect(fixture.traces).toEqual([]);
});
