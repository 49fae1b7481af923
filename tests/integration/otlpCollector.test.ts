// Collectors that are down, slow or choosy cost spans and never mail; where they are is a setting.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../fixtures/certificates.ts";
import { binaryPath, cleanEnvironment, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { newFolder, reaches, send, within } from "./faultsRig.ts";
import { bare, type Reply, spanCounts, startCollector, takes, traced, world } from "./otlpRig.ts";
import { api } from "./webhookRig.ts";

const TEST_MS = 60_000;

const hangs: Reply = () => {};
const says =
  (code: number): Reply =>
  (response) =>
    void response.writeHead(code, { "retry-after": "1" }).end();

test.each<[string, Reply | "down"]>([
  ["is down", "down"],
  ["hangs", hangs],
  ["answers 503", says(503)],
  ["refuses what it gets", says(400)],
])(
  "a collector that %s costs mail nothing, and the end of the daemon does not wait for it",
  (_, reply) =>
    within(async (ends) => {
      const flags = reply === "down" ? ["--otlp-endpoint", "http://127.0.0.1:1"] : [];
      const { daemon, collector } = await world(ends, ["--trace-sample", "100%", ...flags]);
      collector.reply = reply === "down" ? takes : reply;
      const ids = await Promise.all(
        Array.from({ length: 30 }, (_, i) => send(daemon, `a${i}@there.test`)),
      );
      for (const id of ids) await reaches(daemon, id, "delivered");
      if (reply !== "down") await until("it was asked", () => collector.asked.length > 0);
      expect(await daemon.stop()).toBe(0);
      expect(daemon.process.output()).toContain("otlp.failing");
      expect(collector.spans).toEqual([]);
    }),
  TEST_MS,
);

test(
  "spans that a collector refuses for good are counted as failed",
  () =>
    within(async (ends) => {
      const { daemon, collector } = await world(ends, ["--trace-sample", "100%"]);
      collector.reply = says(401);
      await send(daemon, "ok@there.test");
      const counts = await until("they are counted", async () => {
        const found = await spanCounts(daemon);
        return (found["failed"] ?? 0) > 0 && found;
      });
      expect(counts).toMatchObject({ exported: 0, dropped: 0, rejected: 0 });
    }),
  TEST_MS,
);

test(
  "a collector that comes back takes what waited, and the log tells of both",
  () =>
    within(async (ends) => {
      const { daemon, collector } = await world(ends, ["--trace-sample", "100%"]);
      collector.reply = says(503);
      const id = await send(daemon, "ok@there.test");
      await until("the log says that it fails", () =>
        daemon.process.output().includes("otlp.failing"),
      );
      collector.reply = takes;
      await traced(collector, bare(id), ["POST /send", "deliver attempt 1"]);
      await until("the log says that it is well", () =>
        daemon.process.output().includes("otlp.recovered"),
      );
      const counts = await until("what was sent is counted", async () => {
        const found = await spanCounts(daemon);
        return (found["exported"] ?? 0) > 0 && found;
      });
      expect(counts).toMatchObject({ failed: 0, dropped: 0, rejected: 0 });
    }),
  TEST_MS,
);

test(
  "the collector, its headers and its share are settings that a reload changes, and a secret is not shown",
  () =>
    within(async (ends) => {
      const folder = newFolder(ends);
      const root = makeCertificate({ name: "Laboratory", isAuthority: true });
      const authorities = join(folder, "authorities.pem");
      writeFileSync(authorities, root.cert);
      const names = ["localhost"];
      const identity = makeCertificate({ name: "collector", names, issuer: root });
      const hosted = await startCollector(ends, identity);
      const file = join(folder, "postrider.toml");
      const secret = join(folder, "otlp");
      writeFileSync(secret, "authorization=Bearer%20s3cret\n");
      writeFileSync(file, `tls_ca_file = "${authorities}"\nworkers = 1\n`);
      const daemon = await startDaemon({
        dataDir: folder,
        flags: ["--config", file, "--hostname", "sender.test"],
      });
      ends.add(daemon.stop);
      await reaches(daemon, await send(daemon, "delivered@postrider.test"), "delivered");
      const lines = [
        ...[`tls_ca_file = "${authorities}"`, "workers = 1", `otlp_endpoint = "${hosted.url}/x"`],
        ...[`otlp_headers_file = "${secret}"`, 'trace_sample = "100%"', "otlp_metrics = true"],
      ];
      writeFileSync(file, `${lines.join("\n")}\n`);
      await api(daemon, "POST", "/reload", {});
      const id = await send(daemon, "delivered@postrider.test");
      await traced(hosted, bare(id), ["POST /send", "deliver attempt 1"]);
      expect(hosted.asked[0]).toMatchObject({
        path: "/x/v1/traces",
        headers: { authorization: "Bearer s3cret", "content-encoding": "gzip" },
      });
      const shown = Bun.spawnSync([binaryPath, "config", "show", "--config", file], {
        env: cleanEnvironment() as Record<string, string>,
        cwd: folder,
      }).stdout.toString();
      expect(shown).toContain("otlp_headers");
      expect(shown + daemon.process.output() + readFileSync(join(folder, "api-key"))).not.toContain(
        "s3cret",
      );
      // What is pushed last is what was counted to the end.
      await daemon.stop();
      const last = hosted.metrics.at(-1) ?? [];
      const accepted = last.find(({ name }) => name === "postrider_messages_accepted_total");
      const values = (accepted?.points ?? []) as { labels: object; value: number }[];
      expect(values.find(({ value }) => value > 0)).toMatchObject({ value: 2 });
      expect(last.length).toBeGreaterThan(30);
      expect(hosted.asked.some(({ path }) => path === "/x/v1/metrics")).toBe(true);
    }),
  TEST_MS,
);
