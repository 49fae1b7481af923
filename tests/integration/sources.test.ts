// Addresses to send from, and what a sender domain has of its own, in the compiled daemon over real sockets.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeMx, startFakeMx } from "../deliver/fakeMx.ts";
import { addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { freePort } from "../fixtures/process.ts";
import { createEnds, newFolder, reaches, send, shown, timeline } from "./faultsRig.ts";

const names = { "127.0.0.7": "s1.sender.test", "127.0.0.8": "s2.sender.test" } as const;
const MESSAGES = 24;

/** Not an address of this host. */
const AWAY = ["203.0.113.77", "s3.sender.test"] as const;

const sourceTable = ([address, ehlo]: readonly [string, string]): string =>
  `[[source]]\naddress = "${address}"\nehlo = "${ehlo}"\n`;

const ends = createEnds();
let file: string;
let daemon: Daemon;
let mx: FakeMx;
let relay: FakeMx;

beforeAll(async () => {
  const port = await freePort();
  const dns = await startFakeDns();
  ends.add(dns.close);
  addRecord(dns.zone, { type: "A", name: "a.test", ttl: 300, data: "127.0.0.2" });
  mx = await startFakeMx({ listen: { host: "127.0.0.2", port } });
  ends.add(mx.close);
  relay = await startFakeMx({ listen: { host: "127.0.0.3", port } });
  ends.add(relay.close);
  const folder = newFolder(ends);
  file = join(folder, "postrider.toml");
  writeFileSync(
    file,
    `dns_servers = "127.0.0.1:${dns.server.port}"
smtp_port = ${port}
deny_destinations = "none"
hostname = "sender.test"
${[...Object.entries(names), AWAY].map(sourceTable).join("")}
[senders."s.test"]
relay = "smtp://127.0.0.4:${port}, smtp://127.0.0.3:${port}"
source = "127.0.0.8"
return_path = "bounces+{id}@s.test"
`,
  );
  daemon = await startDaemon({ dataDir: folder, flags: ["--config", file] });
  ends.add(() => daemon.stop());
});
afterAll(() => ends.run(), 60_000);

/** From where, and by whom, a message was taken. */
async function pathOf(id: string) {
  await reaches(daemon, id, "delivered");
  const told = await timeline(daemon, id);
  return told.find(({ type }) => type === "email.delivered")?.postrider ?? {};
}

test("mail leaves from the addresses that are here, and each greets with its own name", async () => {
  const ids = await Promise.all(
    Array.from({ length: MESSAGES }, (_, i) => send(daemon, `x${i}@a.test`)),
  );
  const used = new Set<unknown>();
  for (const id of ids) used.add((await pathOf(id))["source"]);
  expect([...used].sort()).toEqual(Object.keys(names));
  for (const id of ids) expect((await shown(daemon, id)).attempts).toBe(1);
  const greetings = new Set(mx.sessions.map(({ lines }) => lines[0]));
  expect([...greetings].sort()).toEqual(Object.values(names).map((name) => `EHLO ${name}`));
});

test("a sender's relays are tried in order, from its address, with its return path", async () => {
  const id = await send(daemon, "x@a.test", { from: "shop@s.test" });
  expect(await pathOf(id)).toMatchObject({
    via: "relay",
    address: "127.0.0.3",
    source: "127.0.0.8",
  });
  expect(relay.sessions[0]?.lines.slice(0, 2)).toEqual([
    `EHLO ${names["127.0.0.8"]}`,
    expect.stringContaining(`MAIL FROM:<bounces+${id}@s.test>`) as string,
  ]);
});

test("a reload takes an address away while the daemon runs", async () => {
  const [gone, stays] = Object.entries(names).map(sourceTable);
  const text = readFileSync(file, "utf8");
  expect(text).toContain(`${gone}${stays}`);
  writeFileSync(file, text.replace(gone ?? "", ""));
  const answer = await daemon.request("/reload", { method: "POST" });
  expect(answer.status).toBe(200);
  const ids = await Promise.all(Array.from({ length: 8 }, (_, i) => send(daemon, `z${i}@a.test`)));
  for (const id of ids) expect((await pathOf(id))["source"]).toBe("127.0.0.8");
});
