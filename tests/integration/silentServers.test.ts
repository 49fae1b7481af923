// A thousand servers that accept a connection and then say nothing: other mail flows meanwhile, and once they are given up nothing of them
// is left - no socket, no lease, no session - and a further thousand costs hardly more memory.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type FakeMx, startFakeMx } from "../deliver/fakeMx.ts";
import { type NameServer, startNameServer } from "../faults/nameServer.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { freePort } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { counts, createEnds, newFolder, reaches, send } from "./faultsRig.ts";

const SERVERS = 1000;
const GREETING = "3s";
const GOOD = "127.9.0.1";
/** Over before a second attempt would be due. */
const LIFETIME = "10s";
const WAIT_MS = 60_000;
/** What a wave may leave behind that is no leak: caches of names and sites, and a heap that has not been swept. */
const GROWTH_MAX = 40_000_000;
const DESCRIPTORS_MORE = 12;

const ends = createEnds();
const silent = new Set<Socket>();
let peak = 0;
let names: NameServer;
let good: FakeMx;
let daemon: Daemon;

beforeAll(async () => {
  const port = await freePort();
  good = await startFakeMx();
  ends.add(good.close);
  ends.add(await startSilence(port));
  const dnsPort = await freePort();
  names = await startNameServer("127.0.0.1", dnsPort);
  ends.add(names.close);
  address("good.test", GOOD);
  const dataDir = newFolder(ends);
  const file = join(dataDir, "postrider.toml");
  writeFileSync(file, `max_connections = 2500\n[timeouts]\ngreeting = "${GREETING}"\n`);
  const settings = {
    "--config": file,
    "--dns-servers": `127.0.0.1:${dnsPort}`,
    "--smtp-port": String(port),
    "--deny-destinations": "none",
    "--hostname": "sender.test",
    // Each sender has its share of the connections, and a second one begins only once the first has none left.
    "--workers": "1",
  };
  daemon = await startDaemon({ dataDir, flags: Object.entries(settings).flat() });
  ends.add(() => daemon.stop());
}, WAIT_MS);
afterAll(() => ends.run(), WAIT_MS);

/** One listener stands for all addresses of this network; what is for the good server goes on to it. */
async function startSilence(port: number): Promise<() => Promise<void>> {
  const server: Server = createServer((socket) => {
    if (socket.localAddress === GOOD) {
      socket.pipe(connect(good.port, "127.0.0.1")).pipe(socket);
      return;
    }
    silent.add(socket);
    peak = Math.max(peak, silent.size);
    socket.resume();
    socket.on("error", () => {});
    socket.on("close", () => silent.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, "0.0.0.0", resolve));
  return async () => {
    for (const socket of silent) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}

function address(name: string, data: string): void {
  names.table.set(`${name} A`, { answers: [{ type: "A", name, ttl: 300, data }] });
}

interface Footprint {
  readonly descriptors: number;
  readonly bytes: number;
  readonly sessions: number;
}

async function footprint(): Promise<Footprint> {
  const { pid } = daemon.process;
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const metrics = await (await daemon.request("/metrics")).text();
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    bytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024,
    sessions: Number(/^smtp_sessions_active (\d+)/m.exec(metrics)?.[1]),
  };
}

/** A message to each of a thousand servers, none of which was known before. */
async function wave(number: number): Promise<void> {
  for (let i = 0; i < SERVERS; i++)
    address(`s${i}.w${number}.test`, `127.${number}.${i >> 8}.${i & 0xff}`);
  const letters = Array.from({ length: SERVERS }, (_, i) => ({
    ...{ from: "a@sender.test", subject: "s", text: "t", expires_in: LIFETIME },
    to: `x@s${i}.w${number}.test`,
  }));
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(letters);
  // In one request, since idle connections of ours would count as the daemon's descriptors.
  const answer = await daemon.request("/send/batch", { method: "POST", headers, body });
  expect([answer.status, await answer.text()]).toEqual([202, expect.any(String)]);
  await until("all of them wait", () => silent.size >= SERVERS * 0.9);
  await reaches(daemon, await send(daemon, "meanwhile@good.test"), "delivered");
  expect(silent.size).toBeGreaterThan(0);
  const isOver = async (): Promise<boolean> => {
    const { expired = 0, deferred = 0, sending = 0 } = await counts(daemon);
    return expired + deferred === number * SERVERS && sending === 0;
  };
  await until("all of them are given up", isOver, WAIT_MS);
}

const quiet = (before: Footprint) => async (): Promise<Footprint | false> => {
  const now = await footprint();
  const isQuiet = now.sessions === 0 && now.descriptors <= before.descriptors + DESCRIPTORS_MORE;
  return isQuiet && now;
};

test("a thousand silent servers leave nothing behind, and hold up no other mail", async () => {
  await reaches(daemon, await send(daemon, "first@good.test"), "delivered");
  const before = await footprint();
  const bytes: number[] = [];
  for (const number of [1, 2, 3]) {
    await wave(number);
    const after = await until("their sockets are gone", quiet(before), WAIT_MS);
    expect([peak, silent.size]).toEqual([SERVERS, 0]);
    bytes.push(after.bytes);
  }
  const [, second = 0, third = 0] = bytes;
  expect(third - second).toBeLessThan(GROWTH_MAX);
  await reaches(daemon, await send(daemon, "last@good.test"), "delivered");
}, 120_000);
