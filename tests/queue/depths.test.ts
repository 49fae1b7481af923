// What the keys with a limit owe, through the engine and over an end of the process.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import type { KeyRecord } from "../../src/mail/apiKey.ts";
import type { Submission } from "../../src/mail/submission.ts";
import { createKeyDepths, type KeyDepths } from "../../src/queue/depths.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import { UNROUTED } from "../../src/queue/store.ts";

const key = (number: number, queueMax: number | null): KeyRecord => ({
  ...{ number, queueMax, id: `${number}`, name: "", digest: "", scopes: [], domains: null },
  ...{ rate: null, burst: null, dailyQuota: null, expiresAt: null, capture: false },
  ...{ createdAt: 0, lastUsedAt: null, day: 0, dayUsed: 0 },
});

let folder: string;
let opened: ReturnType<typeof open>;
let depths: KeyDepths;
let lastId = 0;

function open() {
  const result = openSqliteStore({ dataDir: folder, random: seededRandom(1), ballastBytes: 0 });
  if (result.kind === "refused") throw new Error(result.text);
  return result.store;
}

function submission(number: number | undefined, recipients: number): Submission {
  return {
    head: {
      ...{
        id: ++lastId,
        acceptedAt: 1,
        from: "a@one.test",
        priority: 1,
        dueAt: 1,
        expiresAt: null,
      },
      recipients: Array.from({ length: recipients }, (_, n) => `r${n}@two.test`),
      ...{ sizeBytes: 1, sha256: "", eightBit: false, utf8: false, facts: "{}", key: number },
      body: { kind: "inline", length: 1 },
    },
    body: new Uint8Array(1),
  };
}

function take({ head, body }: Submission, state: RecipientState = waiting): number {
  const { store } = depths;
  const recipients = head.recipients.map((address, n) => ({ n, address, site: UNROUTED, state }));
  store.transaction(() => store.accept({ head, body, recipients }));
  return head.id;
}

const waiting: RecipientState = { at: "queued", dueAt: 1, attempts: 0 };

function end(message: number, n: number): void {
  const next: RecipientState = { at: "canceled", endedAt: 2, attempts: 0 };
  depths.store.transaction(() =>
    depths.store.settle({ message, n, claim: null, next, step: null, event: null, at: 2 }),
  );
}

const room = (number: number): number => {
  for (let recipients = 1; ; recipients++)
    if (depths.isFull([submission(number, recipients)])) return recipients - 1;
};

function begin(...keys: KeyRecord[]): void {
  opened = open();
  depths = createKeyDepths(opened);
  depths.limit(keys);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-depths-"));
  begin(key(1, 10), key(2, 5), key(3, null));
});
afterEach(() => {
  opened.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a key fills its own share and nobody else's, and gets it back as its mail ends", () => {
  const id = take(submission(1, 8));
  take(submission(3, 50));
  expect([room(1), room(2)]).toEqual([2, 5]);
  expect(depths.isFull([submission(3, 1000)])).toBe(false);
  expect(depths.isFull([submission(undefined, 1000)])).toBe(false);
  expect(depths.isFull([submission(1, 1), submission(1, 2)])).toBe(true);
  end(id, 0);
  end(id, 0);
  expect(room(1)).toBe(3);
  for (let n = 1; n < 8; n++) end(id, n);
  expect(room(1)).toBe(10);
});

test("what was not committed does not count", () => {
  const { head, body } = submission(1, 4);
  const { store } = depths;
  expect(() =>
    store.transaction(() => {
      store.accept({ head, body, recipients: [{ n: 0, address: "a@b", site: 0, state: waiting }] });
      throw new Error("a bug");
    }),
  ).toThrow("a bug");
  take(submission(2, 1));
  expect([room(1), room(2)]).toEqual([10, 4]);
});

test("what is final from the first does not count", () => {
  take(submission(1, 4), { at: "suppressed", endedAt: 1, attempts: 0 });
  expect(room(1)).toBe(10);
});

test("after a restart it is counted again, in steps, while mail goes on", () => {
  const ids = Array.from({ length: 500 }, () => take(submission(1, 2)));
  take(submission(2, 3));
  take(submission(1, 1), { at: "held", attempts: 0 });
  opened.close();
  begin(key(1, 2000), key(2, 5));
  expect(room(2)).toBe(5);
  expect(depths.count()).toBe(true);
  end(ids[0] ?? 0, 0);
  const late = take(submission(2, 1));
  while (depths.count());
  expect([room(1), room(2)]).toEqual([2000 - 1000, 1]);
  end(late, 0);
  end(ids[499] ?? 0, 1);
  expect([room(1), room(2)]).toEqual([1001, 2]);
});

test("a key that is limited later is counted from then on, and one that no longer is not", () => {
  take(submission(3, 6));
  take(submission(1, 6));
  depths.limit([key(3, 10)]);
  while (depths.count());
  expect(room(3)).toBe(4);
  expect(depths.isFull([submission(1, 1000)])).toBe(false);
});
