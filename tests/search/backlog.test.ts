// What waits for each site, counted within a bound over all of them, however many and however large they are.
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { SiteBacklog } from "../../src/mail/query.ts";
import { createQueueView } from "../../src/search/queue-view.ts";
import type { Stored } from "../../src/search/stored.ts";

let db: Database;
beforeEach(() => {
  db = new Database(":memory:");
  db.run(`CREATE TABLE recipient (message INTEGER, n INTEGER, state INTEGER, priority INTEGER, site INTEGER, due INTEGER,
    timeline TEXT, PRIMARY KEY (message, n)) WITHOUT ROWID`);
  db.run(`CREATE INDEX ready ON recipient (site, priority, due) WHERE state IN (0, 1, 4)`);
  db.run("CREATE TABLE site (id INTEGER PRIMARY KEY, name TEXT)");
  db.run("CREATE TABLE pause (kind TEXT, name TEXT, at INTEGER)");
  db.run("CREATE TABLE message (id INTEGER PRIMARY KEY, due INTEGER)");
  db.run("CREATE TABLE term (key BLOB, message INTEGER)");
});
afterEach(() => db.close());

const NOW = 1_800_000_000_000;

/** Sites by their number of waiting recipients; a fifth of them was tried before. */
function backlogOf(sizes: readonly number[], countedMax: number): SiteBacklog[] {
  const site = db.prepare("INSERT INTO site VALUES (?1, ?2)");
  const recipient = db.prepare("INSERT INTO recipient VALUES (?1, 0, ?2, 1, ?3, ?4, '')");
  let message = NOW * 4096;
  sizes.forEach((size, i) => {
    site.run(i + 1, `site-${i}`);
    for (let k = 0; k < size; k++) recipient.run(message++, k % 5 === 0 ? 4 : 1, i + 1, NOW + k);
  });
  const connection = { prepare: (sql: string) => db.prepare(sql) };
  const stored = { tally: () => [], stateBits: () => 0 } as unknown as Stored;
  const deps = { store: connection, index: connection, stored, lag: () => 0, countedMax };
  return createQueueView(deps as unknown as Parameters<typeof createQueueView>[0]).backlog(NOW);
}

const shown = (sites: readonly SiteBacklog[]): string[] =>
  sites.map(({ waiting, at_least: more }) => `${waiting}${more ? "+" : ""}`);

describe("the count of what waits", () => {
  test("is whole, with its states, where there is room for all", () => {
    const sites = backlogOf([5, 10, 60], 100);
    expect(shown(sites)).toEqual(["5", "10", "60"]);
    expect(sites[2]?.states).toEqual({ scheduled: 0, queued: 48, deferred: 12 });
  });

  test("gives what small sites leave to the large ones, and says where there may be more", () => {
    const sites = backlogOf([5, 5, 80, 80], 100);
    // A share of 25 each; the 40 that the small ones leave are for the two others.
    expect(shown(sites)).toEqual(["5", "5", "45+", "45+"]);
    expect(sites[3]?.states).toBeNull();
  });

  test("is bounded over all sites together", () => {
    const sites = backlogOf(new Array<number>(50).fill(40), 500);
    expect(shown(sites)).toEqual(new Array<string>(50).fill("10+"));
  });

  test("of one site goes as far as it may", () => {
    expect(shown(backlogOf([600], 500))).toEqual(["500+"]);
  });

  test("of nothing is nothing", () => {
    expect(backlogOf([], 500)).toEqual([]);
  });
});
