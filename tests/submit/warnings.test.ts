// What a sender is told of a message that was taken all the same: in the answer, and kept with the message.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { MessageFacts } from "../../src/mail/message.ts";
import { warnings } from "../../src/mail/warning.ts";
import { createFixture, type Fixture, message } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => {
  fixture = createFixture({ signs: (domain) => domain === "example.com" });
});
afterEach(() => fixture.close());

async function codesOf(fields: object): Promise<readonly string[]> {
  const response = await fixture.post("/send", { ...message, ...fields });
  expect(response.status).toBe(202);
  const body = (await response.json()) as { warnings: { code: string; detail: string }[] };
  for (const { code, detail } of body.warnings)
    expect(detail).toBe(warnings[code as keyof typeof warnings]);
  const codes = body.warnings.map(({ code }) => code);
  // The same with the message, for whoever looks later.
  const facts = JSON.parse(fixture.taken.at(-1)?.head.facts ?? "{}") as MessageFacts;
  expect([...(facts.warnings ?? [])]).toEqual(codes as never);
  return codes;
}

const oneClick = {
  "List-Unsubscribe": "<mailto:stop@example.com>, <https://example.com/stop?u=1>",
  "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
};

test("From that no key covers", async () => {
  expect(await codesOf({})).toEqual([]);
  expect(await codesOf({ from: "a@other.example" })).toEqual(["from_not_aligned"]);
});

test("bulk mail that cannot be left with one click", async () => {
  const wanted = ["no_one_click_unsubscribe"];
  expect(await codesOf({ priority: "p2" })).toEqual(wanted);
  expect(await codesOf({ priority: "p1" })).toEqual([]);
  const { "List-Unsubscribe-Post": _, ...half } = oneClick;
  expect(await codesOf({ priority: "p2", headers: half })).toEqual(wanted);
  const mailto = { ...oneClick, "List-Unsubscribe": "<mailto:stop@example.com>" };
  expect(await codesOf({ priority: "p2", headers: mailto })).toEqual(wanted);
  expect(await codesOf({ priority: "p2", headers: oneClick })).toEqual([]);
});

test("all of them at once", async () => {
  const { text: _, ...rest } = message;
  const response = await fixture.post("/send", {
    ...rest,
    from: "a@other.example",
    html: "<img src=x>",
    priority: "p2",
  });
  const body = (await response.json()) as { warnings: { code: string }[] };
  expect(body.warnings.map(({ code }) => code)).toEqual([
    "from_not_aligned",
    "no_one_click_unsubscribe",
    "no_text_part",
  ]);
});

test("a message that lies in the spool is judged alike", async () => {
  const text = "a line that is long\n".repeat(20_000);
  expect(await codesOf({ from: "a@other.example", text })).toEqual(["from_not_aligned"]);
});
