// Who waits since when: exact while the queue is short, reckoned from an even sample when it is long.
import { afterEach, beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import type { ShapeFilter, ShapeView } from "../../src/mail/shape.ts";
import { connect, openStoreReadOnly } from "../../src/search/index-file.ts";
import { createShape, stepFor } from "../../src/search/shape.ts";
import { createStored } from "../../src/search/stored.ts";
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { createStage, NOW, type Sketch, type Stage, view } from "./stage.ts";

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(() => stage.remove());

const MINUTE = 60_000;
/** The stage's reader looks a minute after NOW. */
const aged = (minutes: number): number => NOW + MINUTE - minutes * MINUTE;

async function shapeOf(filter: Partial<ShapeFilter> = {}): Promise<ShapeView> {
  while (stage.reader.follow());
  const asked: ShapeFilter = { by: "domain", limit: 10, ...filter };
  return view<ShapeView>(stage.reader.ask({ ask: "shape", filter: asked }));
}

test("what waits stands in the column of its age, by domain, most first", async () => {
  stage.acceptAll([
    { to: ["ann@a.example"], at: aged(1) },
    { to: ["bob@A.example", "cat@b.example"], at: aged(7) },
    { to: ["dan@a.example"], at: aged(5) },
    { to: ["eve@a.example"], at: aged(100_000) },
  ]);
  const shape = await shapeOf();
  expect(shape.data).toEqual([
    { name: "a.example", recipients: 4, ages: [1, 2, 0, 0, 0, 0, 0, 0, 0, 1] },
    { name: "b.example", recipients: 1, ages: [0, 1, 0, 0, 0, 0, 0, 0, 0, 0] },
  ]);
  expect(shape.total).toEqual({ name: "", recipients: 5, ages: [1, 3, 0, 0, 0, 0, 0, 0, 0, 1] });
  expect(shape).toMatchObject({
    more: 0,
    sample: null,
    bounds_minutes: [5, 10, 20, 40, 80, 160, 320, 640, 1280],
  });
});

test("what is final waits no more, and a state can be asked for alone", async () => {
  const [first, second] = stage.acceptAll([{ at: aged(1) }, { at: aged(1) }, { at: aged(1) }]);
  stage.settle(first?.id ?? 0, {});
  stage.settle(second?.id ?? 0, {
    next: { at: "deferred", dueAt: NOW + 9, attempts: 1 },
    event: "email.delivery_delayed",
  });
  expect((await shapeOf()).total.recipients).toBe(2);
  expect((await shapeOf({ state: "deferred" })).total.recipients).toBe(1);
  expect((await shapeOf({ state: "held" })).data).toEqual([]);
});

test("rows beyond the limit are counted", async () => {
  stage.acceptAll(Array.from({ length: 5 }, (_, i): Sketch => ({ to: [`a@${i}.example`] })));
  expect(await shapeOf({ limit: 2 })).toMatchObject({ more: 3, data: [{}, {}] });
});

test("by site, what has no route yet has no name", async () => {
  stage.acceptAll([{}, {}]);
  expect((await shapeOf({ by: "site" })).data).toMatchObject([{ name: "", recipients: 2 }]);
});

test("of a long queue a sample tells the shares, and the books how many there are", async () => {
  const many = Array.from({ length: 4000 }, (_, i): Sketch => {
    return { to: [`a@${i % 4 === 0 ? "few" : "many"}.example`], at: aged(i % 2 === 0 ? 1 : 50) };
  });
  for (let i = 0; i < many.length; i += 500) stage.acceptAll(many.slice(i, i + 500));
  while (stage.reader.follow());
  const store = openStoreReadOnly(join(stage.dataDir, "postrider.db"));
  const index = connect(new Database(join(stage.dataDir, "search.db"), { readonly: true }));
  const shape = createShape({
    ...{ store, index, stored: createStored(store), rest: async () => {}, sampleMax: 400 },
  });
  const found = await shape({ by: "domain", limit: 10 }, NOW + MINUTE);
  store.close();
  index.close();
  expect(found.sample).toBeLessThan(500);
  expect(found.sample).toBeGreaterThan(200);
  expect(found.total.recipients).toBe(4000);
  const [most, least] = found.data;
  expect([most?.name, least?.name]).toEqual(["many.example", "few.example"]);
  // Three quarters; the sample's error is some percent.
  expect(most?.recipients).toBeGreaterThan(2700);
  expect(most?.recipients).toBeLessThan(3300);
});

test("the step is 1, or a prime no smaller than what is wanted, so that no rhythm of ids falls in with it", () => {
  expect([0, 0.5, 1].map(stepFor)).toEqual([1, 1, 1]);
  expect([1.1, 2, 8, 25].map(stepFor)).toEqual([7, 7, 11, 29]);
  fc.assert(
    fc.property(fc.double({ min: 1.01, max: 1e4, noNaN: true }), (wanted) => {
      const step = stepFor(wanted);
      expect(step).toBeGreaterThanOrEqual(wanted);
      for (const rhythm of [4096, 1000 * 4096, 60_000 * 4096]) expect(rhythm % step).not.toBe(0);
    }),
    { numRuns: 200 },
  );
});
