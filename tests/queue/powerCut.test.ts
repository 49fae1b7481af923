// The promise against the power and not only against a kill: at any moment, whatever the disk made of the writes that no sync
// covered, all that was answered is there with its bytes, and no delivery is forgotten.
import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { systemRandom } from "../../src/base/random.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import { cutPower, recordWrites, type Step } from "../fixtures/powerCut.ts";
import { bodyOf, ROUNDS } from "../fixtures/powerCutStore.ts";
import { peer } from "../peers.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "queue-power-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What had been said before the cut, and does not hold behind it. */
function brokenPromises(steps: readonly Step[], cut: number, survives: () => boolean): string[] {
  const image = mkdtempSync(join(folder, "image-"));
  try {
    cutPower(steps, cut, survives, image);
    const opened = openSqliteStore({
      dataDir: image,
      random: systemRandom,
      ballastBytes: 0,
      ringBytes: 400_000,
    });
    if (opened.kind === "refused") return [`the store does not open: ${opened.text}`];
    const { store } = opened;
    const said = new Map<number, string>();
    for (const step of steps.slice(0, cut)) {
      if (step.did !== "say") continue;
      const [what = "", id] = step.line.split(" ");
      said.set(Number(id), what);
    }
    const broken: string[] = [...store.facts.faults];
    for (const [id, what] of said) {
      const [row] = store.recipients(id);
      if (row === undefined) broken.push(`${what} ${id}: missing`);
      else if (what === "delivered" && row.state.at !== "delivered")
        broken.push(`${id} is ${row.state.at}`);
      // An unanswered verdict may have been committed too.
      else if (
        row.state.at !== "delivered" &&
        Buffer.compare(store.body(id) ?? new Uint8Array(), bodyOf(id)) !== 0
      )
        broken.push(`${id}: its bytes differ`);
    }
    store.close();
    return broken;
  } finally {
    rmSync(image, { recursive: true, force: true });
  }
}

/** Writes that survive by a draw of a fixed sequence (Lehmer's), so that a failure can be had again. */
function drawn(seed: number): () => boolean {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state % 2 === 0;
  };
}

const CUTS = 40;

peer("strace").test(
  "a power cut at any moment breaks no promise of the store",
  () => {
    const place = join(folder, "data");
    const program = resolve(import.meta.dir, "..", "fixtures", "powerCutStore.ts");
    const steps = recordWrites([program, place], place);
    expect(steps.filter((step) => step.did === "say").length).toBeGreaterThan(ROUNDS * 5);
    expect(new Set(steps.flatMap((step) => (step.did === "sync" ? [step.file] : [])))).toContain(
      "postrider.ring",
    );
    for (let i = 1; i <= CUTS; i++) {
      const cut = Math.floor((steps.length * i) / CUTS);
      for (const survives of [() => false, () => true, drawn(i)])
        expect([cut, brokenPromises(steps, cut, survives)]).toEqual([cut, []]);
    }
    for (const file of ["postrider.ring", "postrider.db-wal"]) {
      const careless = steps.filter((step) => step.did !== "sync" || step.file !== file);
      // The proof that a missing sync would be seen.
      expect(brokenPromises(careless, careless.length >> 1, () => false)).not.toEqual([]);
    }
  },
  120_000,
);
