// No question walks through a whole table: what SQLite plans for each statement, on a folder as the store and the reader make it.
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { walkSql } from "../../src/queue/sqlite-walk.ts";
import { agesSql } from "../../src/search/ages.ts";
import { feedSql } from "../../src/search/feed.ts";
import { followSql } from "../../src/search/follow.ts";
import { listSql } from "../../src/search/list.ts";
import { queueSql } from "../../src/search/queue-view.ts";
import { shapeSql } from "../../src/search/shape.ts";
import { storedSql } from "../../src/search/stored.ts";
import { stretchSql } from "../../src/search/stretches.ts";
import { suppressionSql } from "../../src/search/suppressions.ts";
import { webhookSql } from "../../src/search/webhooks.ts";
import { createStage, type Stage } from "./stage.ts";

let stage: Stage;
let store: Database;
let index: Database;
beforeAll(() => {
  stage = createStage();
  store = new Database(join(stage.dataDir, "postrider.db"), { readonly: true });
  index = new Database(join(stage.dataDir, "search.db"), { readonly: true });
});
afterAll(() => {
  store.close();
  index.close();
  stage.remove();
});

/** 30 rows, rows of the statement itself, and those that were asked for. */
const SMALL_TABLES = /SCAN (tally|CONSTANT ROW|\d+-ROW VALUES CLAUSE|json_each|\(subquery-1\))/;

function plan(db: Database, sql: string): string[] {
  const statement = db.prepare(`EXPLAIN QUERY PLAN ${sql}`);
  const rows = statement.values().map((row) => String(row[3]));
  statement.finalize();
  return rows;
}

const { open, ...queueStatements } = queueSql;
const cases: readonly (readonly [string, () => Database, Record<string, string>])[] = [
  ["stored", () => store, storedSql],
  ["stretch", () => store, stretchSql],
  ["queue", () => store, queueStatements],
  ["feed", () => store, feedSql],
  ["suppressions", () => store, suppressionSql],
  ["webhooks", () => store, webhookSql],
  ["walk", () => store, walkSql],
  ["ages", () => index, agesSql],
  ["list", () => index, listSql],
  ["follow", () => index, followSql],
  ["queue", () => index, { open }],
  ["shape", () => index, { open: shapeSql.open }],
  ["shape", () => store, { recipients: shapeSql.recipients }],
];

for (const [name, db, statements] of cases) {
  for (const [key, sql] of Object.entries(statements)) {
    test(`${name}.${key} goes by a key and sorts nothing`, () => {
      const steps = plan(db(), sql);
      const bad = steps.filter((step) => /SCAN|TEMP B-TREE/.test(step) && !SMALL_TABLES.test(step));
      expect(bad).toEqual([]);
    });
  }
}
