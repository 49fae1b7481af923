// What only the store in memory can do: fail at a commit, as the simulator tells it to.
import { expect, test } from "bun:test";
import { createMemoryDisk } from "../../src/queue/memory.ts";
import { idAt, message, NOW, queued } from "./store.messages.ts";

const accepted = (id: number) => message({ id, states: [queued()] });

test("a commit that fails leaves nothing, and one whose sync was lost may stand", () => {
  const disk = createMemoryDisk("8123456789abcdef");
  const store = disk.open();
  disk.fail(["full", undefined, "io_before", "io_after"]);
  const results = [1, 2, 3, 4].map((i) =>
    store.transaction(() => store.accept(accepted(idAt(NOW, i)))),
  );
  expect(results.map((one) => (one.kind === "failed" ? one.why : one.kind))).toEqual([
    "full",
    "committed",
    "io",
    "io",
  ]);
  disk.crash();
  const after = disk.open();
  const there = [1, 2, 3, 4].map((i) => after.recipients(idAt(NOW, i)).length);
  expect(there).toEqual([0, 1, 0, 1]);
  expect(after.events(0, 9).map((one) => one.seq)).toEqual([1, 2]);
});

test("a store that was killed does nothing more, and one disk has one store", () => {
  const disk = createMemoryDisk("8123456789abcdef");
  const store = disk.open();
  expect(() => disk.open()).toThrow("open already");
  disk.crash();
  expect(() => store.transaction(() => 1)).toThrow("has ended");
  expect(() => disk.open().accept(accepted(1))).toThrow("outside of a transaction");
});
