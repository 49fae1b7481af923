// What the operator with a customer on the phone sees: a message found by whatever the customer has, its road told to the last command,
// also after the daemon was killed; and how much of that is kept is a setting.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ConversationView, EventView } from "../../src/mail/eventView.ts";
import type { ListView } from "../../src/mail/query.ts";
import { type FakeMx, startFakeMx, usualOffers } from "../deliver/fakeMx.ts";
import { addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { runCommand } from "../fixtures/command.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { freePort } from "../fixtures/process.ts";
import { createEnds, newFolder, reaches } from "./faultsRig.ts";

const ends = createEnds();
let daemon: Daemon;
let mx: FakeMx;
let folder: string;
let isGrey = true;
const settings = (dialogues: string): string => `dialogues = "${dialogues}"\n${base}`;
let base = "";
const file = (): string => join(folder, "postrider.toml");

beforeAll(async () => {
  const port = await freePort();
  const dns = await startFakeDns();
  ends.add(dns.close);
  addRecord(dns.zone, { type: "A", name: "a.test", ttl: 300, data: "127.0.0.2" });
  mx = await startFakeMx({
    listen: { host: "127.0.0.2", port },
    offers: [...usualOffers, "STARTTLS"],
    script: (verb, line) =>
      verb === "RCPT" && line.includes("grey") && isGrey
        ? "451 4.7.1 greylisted, try again in 10 seconds"
        : undefined,
  });
  ends.add(mx.close);
  folder = newFolder(ends);
  base = `dns_servers = "127.0.0.1:${dns.server.port}"
smtp_port = ${port}
deny_destinations = "none"
hostname = "sender.test"
workers = 1
`;
  writeFileSync(file(), settings("all"));
  daemon = await start();
  ends.add(() => daemon.stop());
}, 30_000);
afterAll(() => ends.run(), 60_000);

const start = (): Promise<Daemon> => startDaemon({ dataDir: folder, flags: ["--config", file()] });

const postrider = (...args: string[]) => runCommand(folder, args);

async function send(to: readonly string[], more: object = {}): Promise<string> {
  const message = { from: "shop@s.test", to, subject: "Your order", text: "It is on its way." };
  const response = await daemon.request("/send", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...message, ...more }),
  });
  return ((await response.json()) as { id: string }).id;
}

async function conversations(id: string): Promise<readonly ConversationView[]> {
  const list = await (await daemon.request(`/emails/${id}/events?smtp=1`)).json();
  const { data } = list as ListView<EventView>;
  return data.flatMap((one) => one.data.postrider.smtp ?? []);
}

test("a message that was greylisted, found in each way, through a kill, until it is delivered", async () => {
  const id = await send(["grey@a.test"], { reference: "R-4711" });
  await reaches(daemon, id, "deferred");
  const road = await postrider("message", "show", id);
  expect(road).toMatchObject({ code: 0, err: "" });
  expect(road.out).toMatch(/grey@a\.test {2}deferred, 1 attempt, next in/);
  expect(road.out).toMatch(
    /451 4\.7\.1 greylisted, try again in 10 seconds \(greylist, at rcpt, until/,
  );
  expect(road.out).toMatch(/a\.test \[127\.0\.0\.2\] from 127\.0\.0\.1, TLSv1\.\d not verified/);
  expect(road.out).toMatch(
    /new connection, session [0-9a-f]{12}\n +· connect: connected to 127.0.0.2 {2}\d+ ms/,
  );
  expect(road.out).toMatch(/→ EHLO sender\.test\n/);
  expect(road.out).toMatch(/· tls: TLSv1\.\d \S+, not verified/);
  expect(road.out).toMatch(/→ RCPT TO:<grey@a\.test>\n +← 451 4\.7\.1 greylisted, .* {2}\d+ ms\n/);

  await daemon.process.stop("SIGKILL");
  daemon = await start();
  const names = [
    ...[["--reference", "R-4711"], ["--recipient", "grey@a.test"], [`<${id}@sender.test>`]],
    ["--trace", id.replaceAll("-", "")],
  ];
  for (const name of names) {
    const found = await postrider("message", "show", ...name);
    expect([name, found.code, found.out.includes("→ RCPT TO:<grey@a.test>")]).toEqual([
      name,
      0,
      true,
    ]);
  }
  isGrey = false;
  await daemon.request(`/emails/${id}/retry`, { method: "POST" });
  await reaches(daemon, id, "delivered");
  const said = await conversations(id);
  const codes = said.map(
    ({ exchanges }) => exchanges.findLast(({ phase }) => phase === "rcpt")?.code,
  );
  expect(codes).toEqual([451, 250]);
  const { out } = await postrider("message", "show", id, "--smtp");
  expect(out.indexOf("← 451")).toBeGreaterThan(0);
  expect(out.indexOf("← 354")).toBeGreaterThan(out.indexOf("← 451"));
  expect((await postrider("message", "show", id)).out).not.toContain("→");
}, 30_000);

test("two recipients of one transaction are both told what was said in it", async () => {
  const id = await send(["ann@a.test", "bob@a.test"]);
  await reaches(daemon, id, "delivered");
  const [ann, bob] = await conversations(id);
  expect(ann).toEqual(bob as ConversationView);
  expect(ann?.exchanges.filter(({ phase }) => phase === "rcpt")).toHaveLength(2);
  const { out } = await postrider("message", "show", id, "--smtp");
  expect(out.match(/→ RCPT TO/g)).toHaveLength(2);
  expect(out).toContain("said as above");
}, 30_000);

test("several that fit are listed, and by reload nothing is kept any more", async () => {
  writeFileSync(file(), settings("off"));
  expect((await postrider("reload")).code).toBe(0);
  const id = await send(["carl@a.test"]);
  await reaches(daemon, id, "delivered");
  expect(await conversations(id)).toEqual([]);
  expect((await postrider("message", "show", id, "--smtp")).out).toContain(
    "what was said is not kept",
  );
  const second = await send(["carl@a.test"]);
  const both = await postrider("message", "show", "--recipient", "carl@a.test");
  expect(both.code).toBe(1);
  expect(
    both.out
      .split("\n")
      .map((line) => line.slice(0, 36))
      .slice(0, 2),
  ).toEqual([second, id]);
  expect(both.err).toContain("give the id");
}, 30_000);
