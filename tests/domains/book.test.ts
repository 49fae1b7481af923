import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BookedDomain, openBook } from "../../src/domains/book.ts";

const root = mkdtempSync(join(tmpdir(), "postrider-book-"));
afterAll(() => rmSync(root, { recursive: true }));
let folders = 0;
const freshFolder = (): string => join(root, String(folders++));

const shop: BookedDomain = {
  id: "0199aa00-0000-7000-8000-000000000000",
  name: "shop.example",
  createdAt: "2026-11-23T07:00:00.000Z",
  keys: [
    { selector: "s1", pem: "first\n" },
    { selector: "s1-ed", pem: "second\n" },
  ],
};
const other: BookedDomain = { ...shop, name: "a.example" };

/** What a start finds, and what it complains about. */
async function found(folder: string): Promise<[readonly BookedDomain[], string[]]> {
  const damaged: string[] = [];
  const book = await openBook(folder, (text) => damaged.push(text));
  return [book.list(), damaged];
}

describe("the book of domains", () => {
  test("holds after a start what was added before, and no more what was removed", async () => {
    const folder = freshFolder();
    const book = await openBook(folder, () => {});
    await book.add(shop);
    await book.add(other);
    expect(await found(folder)).toEqual([[other, shop], []]);
    await book.remove(other.name);
    expect(book.list()).toEqual([shop]);
    expect(await found(folder)).toEqual([[shop], []]);
    expect(readdirSync(folder)).toEqual(["shop.example"]);
  });

  test("lets nobody else read the keys", async () => {
    const folder = freshFolder();
    await (await openBook(folder, () => {})).add(shop);
    const modeOf = (path: string): number => statSync(join(folder, path)).mode & 0o777;
    expect(modeOf("")).toBe(0o700);
    expect(modeOf("shop.example")).toBe(0o700);
    for (const file of readdirSync(join(folder, "shop.example")))
      expect(modeOf(join("shop.example", file))).toBe(0o600);
  });

  test("begins anew what a crash left unfinished, in either direction", async () => {
    const folder = freshFolder();
    for (const name of [".new-shop.example", ".old-a.example"]) {
      mkdirSync(join(folder, name), { recursive: true });
      writeFileSync(join(folder, name, "s1.pem"), "half");
    }
    expect(await found(folder)).toEqual([[], []]);
    expect(readdirSync(folder)).toEqual([]);
    const book = await openBook(folder, () => {});
    mkdirSync(join(folder, ".new-shop.example"));
    await book.add(shop);
    expect(await found(folder)).toEqual([[shop], []]);
  });

  test("leaves alone what it cannot read, and says so", async () => {
    const folder = freshFolder();
    await (await openBook(folder, () => {})).add(shop);
    mkdirSync(join(folder, "empty.example"));
    mkdirSync(join(folder, "false.example"));
    writeFileSync(join(folder, "false.example", "domain.json"), '{"name":"shop.example"}');
    rmSync(join(folder, "shop.example", "s1.pem"));
    const [domains, damaged] = await found(folder);
    expect(domains).toEqual([]);
    expect(damaged).toHaveLength(3);
    expect(existsSync(join(folder, "shop.example", "s1-ed.pem"))).toBe(true);
  });

  test("changes nothing in memory when the disk fails", async () => {
    const folder = freshFolder();
    const book = await openBook(folder, () => {});
    rmSync(folder, { recursive: true });
    await expect(book.add(shop)).rejects.toThrow();
    expect(book.list()).toEqual([]);
  });
});
