// Run by uplink.test.ts in a network namespace of its own, as root: three sites on an interface, which goes down and up; then nobody
// listens on port 25 any more while the resolver answers. What was seen is printed as JSON.
import { execFileSync } from "node:child_process";
import { type FakeMx, startFakeMx } from "../deliver/fakeMx.ts";
import { addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { createEnds, newFolder, reaches, send, shown } from "./faultsRig.ts";
import { metric, untilUplink } from "./uplinkRig.ts";

const sites = { "one.test": "192.0.2.1", "two.test": "198.51.100.1", "three.test": "203.0.113.1" };
const domains = Object.keys(sites);

const ip = (command: string): void => void execFileSync("ip", command.split(" "));

function lift(): void {
  for (const address of Object.values(sites)) ip(`address add ${address}/24 dev v0`);
  ip("link set v0 up");
  ip("route replace default dev v0");
}

/** The sites live on this host, and would be reached for as long as their addresses are here. */
function cut(): void {
  ip("link set v0 down");
  ip("address flush dev v0");
}

const ends = createEnds();
const servers: FakeMx[] = [];
const listen = async (): Promise<void> => {
  for (const host of Object.values(sites))
    servers.push(await startFakeMx({ listen: { host, port: 25 } }));
};
const silence = async (): Promise<void> => {
  for (const server of servers.splice(0)) await server.close();
};

try {
  ip("link set lo up");
  ip("link add v0 type veth peer name v1");
  ip("link set v1 up");
  lift();
  const dns = await startFakeDns();
  ends.add(dns.close);
  for (const [name, data] of Object.entries(sites))
    addRecord(dns.zone, { type: "A", name, ttl: 300, data });
  await listen();
  ends.add(silence);
  const settings = {
    "--dns-servers": `127.0.0.1:${dns.server.port}`,
    "--deny-destinations": "none",
    "--hostname": "sender.test",
  };
  const flags = Object.entries(settings).flat();
  const daemon = await startDaemon({ dataDir: newFolder(ends), flags });
  ends.add(() => daemon.stop());

  const post = (names: readonly string[], more: object = {}): Promise<string[]> =>
    Promise.all(names.map((name) => send(daemon, `a@${name}`, more)));
  const delivered = (ids: readonly string[]): Promise<string[]> =>
    Promise.all(ids.map(async (id) => (await reaches(daemon, id, "delivered")).state));
  const attempts = (ids: readonly string[]): Promise<number[]> =>
    Promise.all(ids.map(async (id) => (await shown(daemon, id)).attempts));

  const sessions = (): Promise<number> => metric(daemon, "smtp_sessions_active");
  /** The metric is told once a second and connections are kept for five: that they are open is seen before they are gone. */
  const idle = async (): Promise<void> => {
    await until("connections are kept", async () => (await sessions()) > 0);
    await until("no connection is kept", async () => (await sessions()) === 0);
  };

  const before = await delivered(await post(domains));
  // Mail on a kept connection would wait for minutes to see that nobody answers.
  await idle();
  cut();
  const lost = await post(domains);
  const { state } = await untilUplink(daemon, "down");
  lost.push(...(await post(["two.test"], { priority: "p0" })));
  const attemptsWhileCut = await attempts(lost);
  lift();
  const after = await delivered(lost);
  await idle();
  await silence();
  const kept = await post(domains);
  const { state: blocked, detail } = await untilUplink(daemon, "port25_blocked");
  const attemptsWhileBlocked = await attempts(kept);
  await listen();
  const opened = await delivered(kept);
  const remedy = detail?.includes("relay =") === true;
  const seen = {
    before,
    cut: state,
    attemptsWhileCut,
    after,
    blocked,
    remedy,
    attemptsWhileBlocked,
  };
  process.stdout.write(JSON.stringify({ ...seen, opened }));
} finally {
  await ends.run();
}
