// Our own line, lost and found: by the compiled daemon, through a resolver that falls silent and through a real interface that goes
// down in a network of its own.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type FakeMx, startFakeMx } from "../deliver/fakeMx.ts";
import { type FakeDns, addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { hasRoot } from "../fixtures/postfix.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { createEnds, newFolder, reaches, send, shown, timeline } from "./faultsRig.ts";
import { metric, untilUplink, uplinkOf } from "./uplinkRig.ts";

describe("a resolver that says nothing at all", () => {
  const ends = createEnds();
  let dns: FakeDns;
  let mx: FakeMx;
  let daemon: Daemon;
  const held: string[] = [];
  let brief = "";

  beforeAll(async () => {
    dns = await startFakeDns();
    ends.add(dns.close);
    dns.silent = true;
    mx = await startFakeMx();
    ends.add(mx.close);
    for (const name of ["one", "two", "three"])
      addRecord(dns.zone, { type: "A", name: `${name}.test`, ttl: 300, data: "127.0.0.1" });
    const settings = {
      "--dns-servers": `127.0.0.1:${dns.server.port}`,
      "--dns-timeout": "50ms",
      "--smtp-port": String(mx.port),
      "--deny-destinations": "none",
      "--hostname": "sender.test",
    };
    daemon = await startDaemon({
      dataDir: newFolder(ends),
      flags: Object.entries(settings).flat(),
    });
    ends.add(() => daemon.stop());
    for (const name of ["one", "two", "three"]) held.push(await send(daemon, `a@${name}.test`));
    brief = await send(daemon, "b@one.test", { expires_in: "3s" });
    await untilUplink(daemon, "down");
  }, 30_000);
  afterAll(() => ends.run(), 30_000);

  test("is a lost line: said in GET /queue and in a metric, and no attempt is counted", async () => {
    const { detail, since } = await uplinkOf(daemon);
    expect(detail).toContain("no resolver answers");
    expect(Date.parse(since ?? "")).toBeLessThanOrEqual(Date.now());
    expect(await metric(daemon, "postrider_uplink_up")).toBe(0);
    for (const id of held) expect(await shown(daemon, id)).toMatchObject({ attempts: 0 });
  });

  test("what comes in meanwhile is told that it is held", async () => {
    const id = await send(daemon, "c@two.test");
    held.push(id);
    await until("its timeline says why it waits", async () =>
      (await timeline(daemon, id)).some(({ type }) => type === "email.held"),
    );
    expect((await shown(daemon, id)).last).toContain("no resolver answers");
  });

  test("what asked for a time of its own expires all the same", async () => {
    await reaches(daemon, brief, "expired");
  }, 20_000);

  test("once it speaks, everything leaves", async () => {
    dns.silent = false;
    for (const id of held) expect(await reaches(daemon, id, "delivered")).toMatchObject({});
    await untilUplink(daemon, "up");
    expect(await metric(daemon, "postrider_uplink_up")).toBe(1);
  }, 40_000);
});

peer(hasRoot() ? "unshare" : "unshare as root").test(
  "an interface that goes down and up, and a port that somebody forbids",
  () => {
    const script = join(import.meta.dir, "uplinkWorld.ts");
    const run = spawnSync("unshare", ["-n", process.execPath, script], { encoding: "utf8" });
    expect(run.stderr).toBe("");
    expect(JSON.parse(run.stdout)).toEqual({
      before: ["delivered", "delivered", "delivered"],
      cut: "down",
      attemptsWhileCut: [0, 0, 0, 0],
      after: ["delivered", "delivered", "delivered", "delivered"],
      blocked: "port25_blocked",
      remedy: true,
      attemptsWhileBlocked: [0, 0, 0],
      opened: ["delivered", "delivered", "delivered"],
    });
  },
  120_000,
);
