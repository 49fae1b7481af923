// A data folder with a long history, made once with SQL alone and copied for each run: what a daemon looks like after a month.
import { Database } from "bun:sqlite";
import {
  closeSync,
  cpSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "../../src/base/random.ts";
import { IDS_PER_MS } from "../../src/mail/id.ts";
import { SCHEMA_VERSION } from "../../src/queue/migrations.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";

/** The first instant of the made-up history. */
export const HISTORY_START = 1_780_000_000_000;
/** Messages a millisecond is too fine: one each 100 ms. */
const SPACING_MS = 100;

export interface HistorySketch {
  /** Finished messages, each delivered at once. */
  readonly finished: number;
  /** Messages that wait, 5 KB each, due at once, in one site. */
  readonly queued: number;
}

export const SAMPLE_FACTS = JSON.stringify({
  message_id: "<0190a1b2-c3d4-7000-8000-0123456789ab@mail.example.com>",
  from: "Example Shop <orders@shop.example>",
  to: ["Some Customer <customer@example.com>"],
  cc: null,
  bcc: null,
  reply_to: null,
  subject: "Your order 4711 has been sent",
  tags: [{ name: "category", value: "order" }],
  metadata: null,
  reference: "4711",
});

export const SAMPLE_STEP = JSON.stringify([
  "a",
  HISTORY_START,
  23,
  "delivered",
  "none",
  0,
  "mx",
  "example.com",
  "mx1.example.com",
  "192.0.2.25",
  "198.51.100.7",
  "s1f",
  "dot",
  250,
  "2.0.0",
  "2.0.0 Ok: queued as 4F3A21C0D7",
  ["TLSv1.3", "TLS_AES_256_GCM_SHA384", 0, 1, 7],
]);

const BODY_BYTES = 5000;

/** Copies the cached folder for this sketch to `target`, after building it if this machine has none yet. */
export function placeHistory(sketch: HistorySketch, target: string): void {
  const cache = join(tmpdir(), "postrider-bench");
  const name = `history-v${SCHEMA_VERSION}-${sketch.finished}-${sketch.queued}`;
  const kept = join(cache, name);
  if (!existsSync(kept)) {
    const making = `${kept}.making`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(cache, { recursive: true });
    build(sketch, making);
    renameSync(making, kept);
  }
  cpSync(kept, target, { recursive: true });
  // Else the first checkpoint of the run would pay for the copy.
  const file = openSync(join(target, "postrider.db"), "r");
  fsyncSync(file);
  closeSync(file);
}

/** Those of the first schema; what came later has a default. */
const MESSAGE_COLUMNS =
  "id, sender, priority, due, expires, size, sha256, flags, recipients, facts, spool, ring, event";

function build({ finished, queued }: HistorySketch, dataDir: string): void {
  const opened = openSqliteStore({ dataDir, random: systemRandom, ballastBytes: 0 });
  if (opened.kind === "refused") throw new Error(opened.text);
  opened.store.close();
  const db = new Database(join(dataDir, "postrider.db"));
  db.run("PRAGMA journal_mode = OFF");
  db.run("PRAGMA synchronous = OFF");
  db.run("PRAGMA cache_size = -200000");
  db.run("BEGIN");
  db.run("INSERT INTO site (id, name) VALUES (1, 'example.com')");
  const insert = (from: number, to: number, state: number): void => {
    if (to <= from) return;
    const id = `(${HISTORY_START} + i * ${SPACING_MS}) * ${IDS_PER_MS}`;
    const at = `${HISTORY_START} + i * ${SPACING_MS}`;
    const rows = `WITH RECURSIVE c(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM c WHERE i < ${to - 1})`;
    const text = "'orders@shop.example'";
    const final = state >= 5;
    const perMessage = final ? 2 : 1;
    const [last] = db.query("SELECT coalesce(max(seq), 0) FROM event").values()[0] as [number];
    const seq = `${last} + 1 + (i - ${from}) * ${perMessage}`;
    db.run(
      `INSERT INTO message (${MESSAGE_COLUMNS}) ${rows} SELECT ${id}, ${text}, 1, ${at}, NULL, ${BODY_BYTES},
        substr(hex(i) || '${"x".repeat(43)}', 1, 43), 0, 1, ?1, NULL, NULL, ${seq} FROM c`,
      [SAMPLE_FACTS],
    );
    db.run(
      `INSERT INTO recipient ${rows} SELECT ${id}, 0, 'customer' || i || '@example.com', ${state}, 1, 1, ${at}, 0,
        ${final ? 1 : 0}, ${final ? 1 : 0}, ?1, ${final ? `',' || (${seq} + 1)` : "''"} FROM c`,
      [final ? SAMPLE_STEP : ""],
    );
    if (!final) db.run(`INSERT INTO body ${rows} SELECT ${id}, zeroblob(${BODY_BYTES}) FROM c`);
    db.run(
      `INSERT INTO event ${rows}, k(k) AS (VALUES ${final ? "(0), (1)" : "(0)"})
        SELECT ${seq} + k, ${id}, -(k = 0), k * 5, ${at}, k - 1 FROM c CROSS JOIN k`,
    );
    db.run(`UPDATE tally SET recipients = ${to - from} WHERE state = ${state} AND priority = 1`);
  };
  insert(0, finished, 5);
  insert(finished, finished + queued, 1);
  db.run(`UPDATE pending SET bytes = ${queued * BODY_BYTES}`);
  db.run("COMMIT");
  db.run("PRAGMA journal_mode = WAL");
  db.close();
}
