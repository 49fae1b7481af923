// The trace that a request belongs to comes out of a store as it went in, also after a kill.
import { expect, test } from "bun:test";
import { memoryHome, sqliteHome } from "./store.homes.ts";
import { committed, idAt, message, NOW, queued } from "./store.messages.ts";

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 a=1";

for (const [name, makeHome] of [
  ["sqlite", () => sqliteHome({ ringFewest: 1 })],
  ["memory", memoryHome],
] as const)
  test(`${name}: a claim brings back the trace, and none where there was none`, () => {
    const home = makeHome();
    let store = home.open();
    const first = message({ id: idAt(NOW, 1), states: [queued()] });
    const second = message({ id: idAt(NOW, 2), states: [queued()] });
    committed(
      store.transaction(() => {
        store.accept({ ...first, head: { ...first.head, trace } });
        store.accept(second);
      }),
    );
    home.kill();
    store = home.open();
    const claimed = committed(
      store.transaction(() => {
        const all = { site: 0, priority: 1, limit: 10, bytesMax: 1e9 } as const;
        return store.claim({ ...all, now: NOW, leaseUntil: NOW + 1 });
      }),
    );
    expect(claimed.map((one) => one.trace)).toEqual([trace, undefined]);
    expect([1, 2, 3].map((i) => store.traceOf(idAt(NOW, i)))).toEqual([
      ...[trace, undefined],
      undefined,
    ]);
    store.close();
    home.remove();
  });
