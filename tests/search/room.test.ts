// The index cannot grow: what that costs, and that it passes by itself.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { Log } from "../../src/base/log.ts";
import { createFollow, type Follow } from "../../src/search/follow.ts";
import { type Connection, openIndex, openStoreReadOnly } from "../../src/search/index-file.ts";
import { createStored } from "../../src/search/stored.ts";
import { createStage, NOW, type Stage } from "./stage.ts";

let stage: Stage;
let store: Connection;
let index: Connection;
let follow: Follow;
const lines: string[] = [];
const log: Log = (level, event) => void lines.push(`${level} ${event}`);

beforeEach(() => {
  stage = createStage();
  stage.reader.close();
  store = openStoreReadOnly(join(stage.dataDir, "postrider.db"));
  const stored = createStored(store);
  const tag = stored.tag();
  index = openIndex(join(stage.dataDir, "other.db"), { tag, lastSeq: 0, log: () => {} });
  follow = createFollow({ store, index, stored, tag, log });
  lines.length = 0;
});
afterEach(() => {
  index.close();
  store.close();
  stage.reopenReader();
  stage.remove();
});

const room = (pages: number): void => void index.db.run(`PRAGMA max_page_count = ${pages}`);
const rows = (): unknown => index.prepare("SELECT count(DISTINCT message) FROM term").values()[0];

test("a full disk stops the index, which says so once and goes on when there is room", () => {
  const count = 3000;
  stage.acceptAll(Array.from({ length: count }, (_, i) => ({ to: [`r${i}@example.com`] })));
  const later = NOW + 60_000;
  room(10);
  expect(follow.step(later)).toBe(false);
  follow.catchUp(later + 100);
  expect(follow.step(later + 20_000)).toBe(false);
  expect([follow.lag(), rows()]).toEqual([count, [0]]);
  expect(lines).toEqual(["warn search.stalled"]);

  room(100_000);
  // It is not tried again with each look, nor with each question.
  follow.catchUp(later + 20_100);
  expect(follow.lag()).toBe(count);
  follow.step(later + 40_000);
  expect([follow.lag(), rows()]).toEqual([0, [count]]);
  expect(lines).toEqual(["warn search.stalled", "info search.resumed"]);
});

test("what is no fault of the disk is a bug, and is thrown", () => {
  stage.accept();
  index.db.run("DROP TABLE term");
  expect(() => follow.step(NOW + 60_000)).toThrow("no such table");
  expect(lines).toEqual([]);
});
