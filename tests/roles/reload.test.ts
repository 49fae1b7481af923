// Settings read anew: all or nothing, what needs a restart stays, and the metric tells how it went.
import { expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import type { Config, LoadedConfig } from "../../src/config.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { type Applied, createReload } from "../../src/roles/reload.ts";

const first = { hostname: "one.test", workers: 2, listen: { host: "::1", port: 1 } } as Config;

function setUp(loads: readonly LoadedConfig[], answers: readonly Applied[] = []) {
  const applied: Config[] = [];
  const logs: string[] = [];
  const meter = createMeter(boundsOf);
  const left = [...loads];
  const said = [...answers];
  const reload = createReload({
    config: first,
    load: () => left.shift()!,
    async apply(next) {
      applied.push(next);
      return said.shift() ?? { kind: "applied", failures: [] };
    },
    log: (_level, event, fields) =>
      void logs.push(`${event} ${Object.values(fields ?? {}).join("|")}`),
    meter,
  });
  const success = (): number | undefined =>
    meter.drain().flatMap((sample) => (sample.kind === "gauge" ? [sample.value] : []))[0];
  return { reload, applied, logs, success };
}

const good = (change: Partial<Config>): LoadedConfig => ({
  kind: "ok",
  config: { ...first, ...change },
  warnings: [],
  origins: {} as never,
  file: null,
});
const bad: LoadedConfig = {
  kind: "bad",
  problems: [{ setting: "workers", from: "file", found: "x", allowed: "a number" }],
};

test("what changed is applied, told and logged", async () => {
  const { reload, applied, logs, success } = setUp([good({ workers: 4 })]);
  expect(await reload.run()).toMatchObject({
    kind: "done",
    value: { changed: ["workers"], needs_restart: [], failures: [] },
  });
  expect(applied[0]?.workers).toBe(4);
  expect(logs).toEqual(["config.reloaded workers||"]);
  expect(success()).toBe(1);
});

test("a problem changes nothing, and the next good settings are compared with the old ones", async () => {
  const { reload, applied, success } = setUp([bad, good({ workers: 3 })]);
  expect(await reload.run()).toMatchObject({ kind: "conflict" });
  expect(applied).toEqual([]);
  expect(success()).toBe(0);
  expect(await reload.run()).toMatchObject({ value: { changed: ["workers"] } });
  expect(success()).toBe(1);
});

test("the address stays as it was, and that a restart is needed is told", async () => {
  const listen = { host: "::1", port: 2 };
  const { reload, applied } = setUp([good({ listen, hostname: "two.test" })]);
  expect(await reload.run()).toMatchObject({
    value: { changed: ["hostname"], needs_restart: ["listen"] },
  });
  expect(applied[0]).toMatchObject({ listen: first.listen, hostname: "two.test" });
});

test("what the door refuses is a problem, and threads that do not answer are named", async () => {
  const { reload, success } = setUp(
    [good({ workers: 3 }), good({ workers: 3 })],
    [
      { kind: "refused", why: "metrics_listen: the port is taken" },
      { kind: "applied", failures: ["queue did not answer"] },
    ],
  );
  expect(await reload.run()).toMatchObject({ kind: "conflict" });
  expect(await reload.run()).toMatchObject({ value: { failures: ["queue did not answer"] } });
  expect(success()).toBe(0);
});
