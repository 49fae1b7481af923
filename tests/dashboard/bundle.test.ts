// The page as it is sent: light, the same from the same sources, and in need of nobody else.
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildPage } from "../../scripts/page.ts";

const BYTES_MAX = 60_000;
const folder = join(import.meta.dir, "..", "..", "dist", "ui");
const read = (name: string): string => readFileSync(join(folder, name), "utf8");

test("all of it together is under 60 KB as it is sent", async () => {
  const built = await buildPage();
  expect(built.map(({ file }) => file)).toEqual(["page.js", "page.css"]);
  expect(built.reduce((sum, { gzippedBytes }) => sum + gzippedBytes, 0)).toBeLessThan(BYTES_MAX);
});

test("the same sources give the same bytes, without a path of this machine", async () => {
  await buildPage();
  const before = [read("page.js"), read("page.css")];
  await buildPage();
  expect([read("page.js"), read("page.css")]).toEqual(before);
  for (const text of before) expect(text).not.toContain(join(import.meta.dir, "..", ".."));
});

test("nothing comes from elsewhere, and no text becomes markup or code", async () => {
  await buildPage();
  const [script, styles] = [read("page.js"), read("page.css")];
  // Names of XML's vocabularies are no addresses.
  const addresses = [...script.matchAll(/https?:\/\/[\w.-]+/g)].map(([address]) => address);
  expect(addresses.filter((address) => address !== "http://www.w3.org")).toEqual([]);
  expect(styles).not.toMatch(/url\(|@import/);
  expect(script).not.toMatch(/\beval\(|new Function|document\.write|insertAdjacentHTML/);
});
