// A kill shows nothing of this, since the kernel keeps what was written: only a power cut tells FULL from NORMAL (DESIGN 11).
import { afterAll, beforeAll, expect } from "bun:test";
import { Database } from "bun:sqlite";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cutPower, recordWrites, type Step } from "../fixtures/powerCut.ts";
import { peer } from "../peers.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "facts-power-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COMMITS = 30;

function recordCommits(synchronous: string): Step[] {
  const place = join(folder, synchronous);
  mkdirSync(place);
  const program = `
    const { Database } = require("bun:sqlite");
    const { writeSync } = require("node:fs");
    const db = new Database(${JSON.stringify(join(place, "a.db"))});
    db.run("PRAGMA journal_mode=WAL");
    db.run("PRAGMA synchronous=${synchronous}");
    db.run("CREATE TABLE t (n INTEGER)");
    for (let n = 1; n <= ${COMMITS}; n++) {
      db.run("INSERT INTO t VALUES (?)", [n]);
      writeSync(1, "row " + n + "\\n");
    }`;
  return recordWrites(["-e", program], place);
}

/** Rows that are missing although they had been promised, for a cut after each promise. */
function lostRows(steps: readonly Step[], survives: () => boolean): number[] {
  const lost: number[] = [];
  steps.forEach((step, i) => {
    if (step.did !== "say" || !step.line.startsWith("row ")) return;
    const image = mkdtempSync(join(folder, "image-"));
    cutPower(steps, i + 1, survives, image);
    lost.push(Number(step.line.slice(4)) - rowsIn(join(image, "a.db")));
  });
  return lost;
}

function rowsIn(file: string): number {
  using db = new Database(file);
  const { n } = db.query("SELECT count(*) AS n FROM sqlite_schema").get() as { n: number };
  if (n === 0) return 0;
  return (db.query("SELECT count(*) AS n FROM t").get() as { n: number }).n;
}

const nothing = (): boolean => false;
const everySecond = (): (() => boolean) => {
  let i = 0;
  return () => ++i % 2 === 0;
};

peer("strace").test(
  "a power cut loses no committed row under FULL, and some after each commit under NORMAL",
  () => {
    const full = recordCommits("FULL");
    const none = new Array<number>(COMMITS).fill(0);
    expect(lostRows(full, nothing)).toEqual(none);
    expect(lostRows(full, everySecond())).toEqual(none);
    const normal = recordCommits("NORMAL");
    expect(lostRows(normal, nothing).filter((lost) => lost > 0)).toHaveLength(COMMITS);
    expect(lostRows(normal, everySecond()).filter((lost) => lost > 0)).toHaveLength(COMMITS);
  },
  60_000,
);
