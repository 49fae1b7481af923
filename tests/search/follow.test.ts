// How the index follows what happens: that reading along the key finds what single looks find, and what becomes of mail that it put in as
// delivered.
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import fc from "fast-check";
import { type Connection, connect } from "../../src/search/index-file.ts";
import { TRIMMED_TO } from "../../src/queue/sqlite-forget.ts";
import { SWEEP_AFTER_EVENTS } from "../../src/search/follow.ts";
import { createStretches } from "../../src/search/stretches.ts";
import { attempt, createStage, listed, NOW, type Stage } from "./stage.ts";

let stage: Stage;
let opened: Connection | undefined;
beforeEach(() => void (stage = createStage()));
afterEach(() => {
  opened?.close();
  opened = undefined;
  stage.remove();
});

const open = (file: string): Connection =>
  (opened = connect(new Database(join(stage.dataDir, file), { readonly: true })));

test("any choice of messages is read as each alone would be, close together or far apart", () => {
  const sizes = Array.from({ length: 300 }, (_, i) => (i % 50 === 7 ? 40 : 1 + (i % 3)));
  const sent = stage.acceptAll(
    sizes.map((size, i) => ({
      to: Array.from({ length: size }, (_, n) => `r${n}@d${i}.example`),
      at: NOW + i * 10,
      facts: { reference: `R-${i}` },
    })),
  );
  const stretches = createStretches(open("postrider.db"));
  fc.assert(
    fc.property(fc.subarray([...sent.keys()]), fc.boolean(), (chosen, withGone) => {
      // An id between any two others is that of nothing.
      const ids = chosen.flatMap((i) => [
        sent[i]?.id ?? 0,
        ...(withGone ? [(NOW + i * 10 + 5) * 4096] : []),
      ]);
      const found = stretches.standings(ids);
      expect(found.map(({ id, addresses }) => [id, addresses.length])).toEqual(
        chosen.map((i) => [sent[i]?.id ?? 0, sizes[i] ?? 0]),
      );
      expect(found.map(({ addresses }) => addresses[0])).toEqual(
        chosen.map((i) => `r0@d${i}.example`),
      );
      const references: (string | null)[] = [];
      stretches.facts(ids, (_, __, facts) => references.push(facts.reference));
      expect(references).toEqual(chosen.map((i) => `R-${i}`));
    }),
    { numRuns: 60 },
  );
});

test("mail that was delivered when it was met first stands there by its terms alone", async () => {
  const { id, uuid } = stage.accept();
  stage.settle(id, { step: attempt() });
  expect(await listed(stage, { status: "delivered" })).toEqual([uuid]);
  expect(open("search.db").prepare("SELECT count(*) FROM known").values()).toEqual([[0]]);
});

test.each(["with the reader that put it in", "after a restart"])(
  "a report about delivered mail adds and removes nothing, %s",
  async (when) => {
    const { id, uuid } = stage.accept({ to: ["ann@example.com", "bob@example.com"] });
    for (const n of [0, 1]) stage.settle(id, { n, step: attempt() });
    expect(await listed(stage, { status: "delivered" })).toEqual([uuid]);
    if (when === "after a restart") stage.reopenReader();
    const told = {
      message: id,
      n: 1,
      step: attempt(),
      event: "email.complained",
      at: NOW,
    } as const;
    expect(stage.act(() => stage.store.annotate(told))).toBe(true);
    expect(stage.reader.lag()).toBe(1);
    expect(await listed(stage, { status: "delivered" })).toEqual([uuid]);
    expect(await listed(stage, { to: "bob@example.com" })).toEqual([uuid]);
    expect(stage.reader.lag()).toBe(0);
    const terms = open("search.db").prepare("SELECT count(*) FROM term WHERE message = ?1");
    // Two addresses, their domain, the sender and one state.
    expect(terms.values(id)).toEqual([[5]]);
  },
);

test("a question waits for all that happened, over several batches", async () => {
  const sent = stage.acceptAll(Array.from({ length: 9000 }, () => ({})));
  expect(stage.reader.lag()).toBe(9000);
  expect(await listed(stage, { to: "ann@example.com", limit: 1 })).toEqual([
    sent.at(-1)?.uuid ?? "",
  ]);
  expect(stage.reader.lag()).toBe(0);
});

test.each(["old mail is still owed", "new mail comes all the time"])(
  "what is forgotten leaves the index although %s",
  async (why) => {
    const owed = why === "old mail is still owed" ? [stage.accept()] : [];
    const gone = stage.acceptAll(Array.from({ length: 5 }, () => ({})));
    for (const { id } of gone) stage.settle(id, { step: attempt() });
    expect(await listed(stage, { status: "delivered" })).toHaveLength(5);
    expect(stage.act(() => stage.store.forget(NOW + 500, 10).messages)).toBe(5);
    // Younger than what the index waits for.
    const fresh = owed.length > 0 ? [] : [stage.accept({ at: NOW + 60_000 })];
    const trimmedTo = open("postrider.db").prepare(`SELECT ${TRIMMED_TO}`).values()[0]?.[0];
    opened?.close();
    const swept = Number(trimmedTo) - SWEEP_AFTER_EVENTS;
    stage.reopenReader(() => {
      const index = new Database(join(stage.dataDir, "search.db"));
      index.run("INSERT INTO meta (key, value) VALUES ('swept', ?1)", [String(swept)]);
      index.close();
    });
    for (let steps = 0; steps < 10 && stage.reader.follow(); steps++);
    const left = open("search.db").prepare("SELECT DISTINCT message FROM term ORDER BY 1").values();
    expect(left).toEqual(owed.map(({ id }) => [id]));
    expect(stage.reader.lag()).toBe(fresh.length);
  },
);
