// What the daemon knows of the DNS outlives it, and its resolver.
import { afterAll, expect, test } from "bun:test";
import { addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { startFakeMx } from "../deliver/fakeMx.ts";
import { startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { freePort } from "../fixtures/process.ts";
import { createEnds, newFolder, reaches, send } from "./faultsRig.ts";

const ends = createEnds();
afterAll(() => ends.run(), 60_000);

test("a daemon that starts while no resolver answers delivers where it has delivered before", async () => {
  const port = await freePort();
  const dns = await startFakeDns();
  ends.add(dns.close);
  const address = "127.0.0.2";
  addRecord(dns.zone, { type: "MX", name: "a.test", ttl: 5, data: { exchange: "mx.a.test" } });
  addRecord(dns.zone, { type: "A", name: "mx.a.test", ttl: 5, data: address });
  const mx = await startFakeMx({ listen: { host: address, port } });
  ends.add(mx.close);
  const settings = {
    "--dns-servers": `127.0.0.1:${dns.server.port}`,
    "--dns-timeout": "100ms",
    "--smtp-port": String(port),
    "--deny-destinations": "none",
    "--hostname": "sender.test",
  };
  const dataDir = newFolder(ends);
  const flags = Object.entries(settings).flat();
  const first = await startDaemon({ dataDir, flags });
  ends.add(() => first.stop());
  await reaches(first, await send(first, "x@a.test"), "delivered");
  await first.stop();
  dns.silent = true;
  const second = await startDaemon({ dataDir, flags });
  ends.add(() => second.stop());
  await reaches(second, await send(second, "y@a.test"), "delivered");
  // Threads tell their figures each second.
  await until("the second level is counted", async () => {
    const metrics = await (await second.request("/metrics")).text();
    return /dns_cache_lookups_total\{level="l2",result="(?:hit|stale)"\} [1-9]/.test(metrics);
  });
  expect(mx.messages().length).toBe(2);
}, 60_000);
