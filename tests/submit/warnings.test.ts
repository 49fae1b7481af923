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

test("a batch tells each warning once, with the messages that earned it", async () => {
  const other = { ...message, from: "a@other.example" };
  const response = await fixture.post(
    "/send/batch",
    [{ ...message, to: "nobody" }, message, other, { ...other, priority: "p2" }],
    { "x-batch-validation": "permissive" },
  );
  const body = (await response.json()) as { data: unknown[]; warnings: unknown[] };
  expect(body.data).toHaveLength(3);
  expect(body.warnings).toEqual([
    { code: "from_not_aligned", detail: warnings.from_not_aligned, indexes: [1, 2] },
    { code: "no_one_click_unsubscribe", detail: warnings.no_one_click_unsubscribe, indexes: [2] },
  ]);
  const quiet = await fixture.post("/send/batch", [message]);
  expect(Object.keys((await quiet.json()) as object)).toEqual(["data"]);
});

test("a message that lies in the spool is judged alike", async () => {
  const text = "a line that is long\n".repeat(20_000);
  expect(await codesOf({ from: "a@other.example", text })).toEqual(["from_not_aligned"]);
});

test("raw mail that says too little of itself, small or large", async () => {
  const head = "From: a@example.com\r\nTo: b@example.org\r\nSubject: x\r\n";
  const said = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
  const raw = async (source: string): Promise<readonly string[]> => {
    const response = await fixture.post("/send", Buffer.from(source), {
      "content-type": "message/rfc822",
    });
    const body = (await response.json()) as { warnings: { code: string }[] };
    const facts = JSON.parse(fixture.taken.at(-1)?.head.facts ?? "{}") as MessageFacts;
    const codes = body.warnings.map(({ code }) => code);
    expect([...(facts.warnings ?? [])]).toEqual(codes as never);
    return codes;
  };
  const [small, large] = ["Grüße\r\n", "Grüße\r\n".repeat(60_000)];
  for (const body of [small, large]) {
    expect(await raw(`${head}${said}\r\n${body}`)).toEqual([]);
    expect((await raw(`${head}\r\n${body}`)).toSorted()).toEqual([
      "no_transfer_encoding",
      "undeclared_8bit",
    ]);
  }
  const bulk = `X-Postrider-Priority: p2\r\n${head}`;
  expect(await raw(`${bulk}\r\nhello\r\n`)).toEqual(["no_one_click_unsubscribe"]);
  const list = Object.entries(oneClick).map(([name, value]) => `${name}: ${value}\r\n`);
  expect(await raw(`${bulk}${list.join("")}\r\nhello\r\n`)).toEqual([]);
  expect(await raw(`${head.replace("example.com", "other.example")}\r\nhello\r\n`)).toEqual([
    "from_not_aligned",
  ]);
});
