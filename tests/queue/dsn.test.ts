// What a sender wants to be told of comes out of a store as it went in, also after a kill.
import { expect, test } from "bun:test";
import type { MessageHead } from "../../src/mail/message.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";
import { committed, idAt, message, NOW, queued } from "./store.messages.ts";

const wish: NonNullable<MessageHead["dsn"]> = { notify: ["success", "delay"], envid: "a+b" };

for (const [name, makeHome] of [
  ["sqlite", () => sqliteHome({ ringFewest: 1 })],
  ["memory", memoryHome],
] as const)
  test(`${name}: a claim brings back the wish for notices, and none where there was none`, () => {
    const home = makeHome();
    let store = home.open();
    const first = message({ id: idAt(NOW, 1), states: [queued()] });
    const second = message({ id: idAt(NOW, 2), states: [queued()] });
    committed(
      store.transaction(() => {
        store.accept({ ...first, head: { ...first.head, dsn: wish } });
        store.accept(second);
      }),
    );
    home.kill();
    store = home.open();
    const claimed = committed(
      store.transaction(() => {
        const now = NOW;
        const all = { site: 0, priority: 1, limit: 10, bytesMax: 1e9 } as const;
        return store.claim({ ...all, now, leaseUntil: now + 1 });
      }),
    );
    expect(claimed.map((one) => one.dsn)).toEqual([wish, undefined]);
    store.close();
    home.remove();
  });
