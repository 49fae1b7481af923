// What is told of a message's texts is what was handed in, whatever encoding they travel in.
import { expect, test } from "bun:test";
import PostalMime from "postal-mime";
import { composeMessage } from "../../src/mail/compose/compose.ts";
import { textsOf } from "../../src/search/texts.ts";
import { draft } from "../mail/build.ts";

const read = async (text: string, html: string | null) =>
  textsOf(await PostalMime.parse(new Uint8Array(composeMessage(draft({ text, html })).bytes)));

const texts = [
  "t",
  "t\n",
  "t\n\n",
  "two\nlines",
  "Grüße\n",
  "Grüße",
  "日本語\n日本語\n",
  "a=3D\t\n",
];

test.each(texts)("%j beside html comes back as it was", async (text) => {
  const html = `<p>${text}</p>`;
  expect(await read(text, html)).toEqual({ text, html });
  expect(await read("t", text)).toEqual({ text: "t", html: text });
});

test.each(texts)("%j alone ends with a line end at most, as every message does", async (text) => {
  const { text: told } = await read(text, null);
  expect([text, `${text}\n`]).toContain(told ?? "");
});
