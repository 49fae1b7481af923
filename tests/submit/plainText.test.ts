// The text part that is made of html: what it says, when there is none, and that hostile html costs bounded time.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { simpleParser } from "mailparser";
import { systemClock } from "../../src/base/clock.ts";
import { createPlainText } from "../../src/submit/plainText.ts";
import { createFixture, type Fixture, message } from "./doorFixture.ts";

const plainText = createPlainText(systemClock);

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

const { text: _, ...bare } = message;

async function sent(fields: object) {
  const response = await fixture.post("/send", { ...bare, ...fields });
  const { warnings } = (await response.json()) as { warnings: { code: string }[] };
  const source = Buffer.from(fixture.taken.at(-1)?.body ?? []);
  const mail = await simpleParser(source, { skipHtmlToText: true, skipTextToHtml: true });
  return { text: mail.text, html: mail.html, codes: warnings.map(({ code }) => code) };
}

test("headings, paragraphs, links, lists and pictures as text", async () => {
  const html = `<html><head><title>T</title><style>p{color:red}</style></head><body>
    <h1>Your order</h1><p>It is <b>on</b> its <a href="https://s.example/17">way</a>.</p>
    <ul><li>one<li>two</ul><img src="https://s.example/x.gif"><img src="y" alt="Our logo">
    <p>Grüße, 你好 &amp; <a href="https://s.example">https://s.example</a></p></body></html>`;
  expect(await plainText(html)).toBe(
    [
      "Your order",
      "",
      "It is on its way <https://s.example/17>.",
      "",
      " * one",
      " * two",
      "",
      "Our logo",
      "",
      "Grüße, 你好 & https://s.example",
      "",
    ].join("\n"),
  );
});

test("rows are lines and cells are words of them, whatever tables are within tables", async () => {
  const row = (...cells: readonly string[]) =>
    `<tr>${cells.map((one) => `<td>${one}</td>`).join("")}</tr>`;
  const inner = `<table>${row("Price", "5 EUR")}${row("Sum", "7 EUR")}</table>`;
  const html = `<style>p{}</style><table>${row("<p>Good day</p>", "")}${row(inner)}</table><title>T</title>`;
  expect(await plainText(html)).toBe("Good day\n\nPrice 5 EUR\nSum 7 EUR\n");
});

test("much html lets others have their turn in between", async () => {
  await plainText("<p>loads the reader</p>");
  const html = `<p>${"a ".repeat(40_000)}</p>`;
  const texts = Array.from({ length: 5 }, () => plainText(html));
  expect(texts.map((one) => one instanceof Promise)).toEqual([false, true, true, true, true]);
  const order: string[] = [];
  setImmediate(() => order.push("another"));
  await Promise.all(texts.map(async (one, i) => order.push(`${i} ${(await one)?.length}`)));
  expect(order.indexOf("another")).toBeLessThan(order.length - 1);
});

test("a message with html alone gets both parts", async () => {
  const mail = await sent({ html: "<p>Good <i>day</i></p>" });
  expect(mail).toEqual({ text: "Good day\n", html: "<p>Good <i>day</i></p>", codes: [] });
});

test("a text that is given is left as it is", async () => {
  expect((await sent({ html: "<p>x</p>", text: "y" })).text).toBe("y");
});

test('text: "" says that no text part is wanted', async () => {
  const mail = await sent({ html: "<p>x</p>", text: "" });
  expect([mail.text ?? "", String(mail.html).trim(), mail.codes]).toEqual(["", "<p>x</p>", []]);
});

describe("where none can be derived, the message goes without and says so", () => {
  test.each([
    ["a picture without a name", '<img src="https://s.example/a.png">'],
    ["nothing", ""],
    ["more tags than are looked at", "<br>".repeat(10_001)],
    ["more html than is looked at", `<p>${"a ".repeat(70_000)}</p>`],
  ])("%s", async (_, html) => {
    expect((await sent({ html })).codes).toEqual(["no_text_part"]);
  });
});

describe("hostile html", () => {
  test.each([
    ["nested", "<div>".repeat(10_000)],
    ["nested inline", "<b>".repeat(10_000)],
    ["nested tables", "<table><tr><td>".repeat(3_300)],
    ["nested lists", "<ul><li>".repeat(5_000)],
    ["unclosed", "<".repeat(10_000)],
    ["attributes", `<a ${"x=1 ".repeat(30_000)}>`],
    ["entities", "&".repeat(130_000)],
    ["a comment", `<!--${"-".repeat(130_000)}`],
    ["a wide table", '<table><tr><td colspan="1000000000" rowspan="1000000000">x'],
    ["a megabyte", "<p>x</p>".repeat(130_000)],
  ])("%s ends", async (_, html) => {
    const text = await plainText(html);
    expect((text ?? "").length).toBeLessThan(1_000_000);
  });

  test("whatever the tags are, it ends in a text or in none", async () => {
    const tags = "div b a p table tr td ul ol li h1 br img pre script style title svg math".split(
      " ",
    );
    const piece = fc.oneof(
      fc.constantFrom(...tags).map((tag) => `<${tag}>`),
      fc.constantFrom(...tags).map((tag) => `</${tag}>`),
      fc.constantFrom(
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<",
        ">",
        "&#0;",
        "&#x110000;",
        '<a href="',
        '"',
      ),
      fc.string({ unit: "binary", maxLength: 10 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 200 }), async (pieces) => {
        const text = await plainText(pieces.join(""));
        expect(text === null || text.endsWith("\n")).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});
