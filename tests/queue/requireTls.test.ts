// A message that must be encrypted takes a route without clear text, at once, after a failure and after a kill; others keep theirs.
import { describe, expect, test } from "bun:test";
import { createBench, HOUR } from "./bench.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";

for (const [name, makeHome] of [
  ["memory", memoryHome],
  ["sqlite", () => sqliteHome({ ringFewest: 1 })],
] as const)
  describe(`on ${name}`, () => {
    test("it is never sent along a route that may end in clear text", () => {
      const home = makeHome();
      try {
        const bench = createBench({}, 1, undefined, { home });
        bench.submit({ to: ["warm@a.example"] });
        bench.run();
        bench.sent.splice(0);
        const id = bench.submit({ to: ["a@a.example"], requireTls: true });
        bench.submit({ to: ["b@a.example"] });
        bench.run();
        const sent = bench.sent.splice(0);
        expect(sent.map(({ route }) => route.tls).sort()).toEqual(["opportunistic", "required"]);
        const strict = sent.find(({ job }) => job.message === id);
        if (strict === undefined) throw new Error("it was not sent");
        expect(strict.route.tls).toBe("required");
        bench.settle(strict, { kind: "deferred", scope: "recipient", class: "tls" });
        bench.run(10);
        bench.restart();
        bench.run(HOUR);
        const again = bench.sent.splice(0).find(({ job }) => job.message === id);
        expect(again?.route).toMatchObject({ tls: "required", demand: { source: "settings" } });
        bench.store.close();
      } finally {
        home.remove();
      }
    });
  });
