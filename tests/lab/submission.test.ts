// The daemon and a relay that wants to know who it is: Dovecot over STARTTLS, from whose mechanisms the strongest is chosen.
import { afterAll, beforeAll, expect } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FakeMx, startFakeMx } from "../deliver/fakeMx.ts";
import { makeCertificate } from "../fixtures/certificates.ts";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { startDovecot, type Dovecot } from "../fixtures/dovecot.ts";
import { hasRoot } from "../fixtures/postfix.ts";
import { reaches, send, timeline } from "../integration/faultsRig.ts";
import { peer } from "../peers.ts";

const dovecot = peer(hasRoot() ? "dovecot" : "dovecot as root");
const { test } = dovecot;

const login = { user: "sonja", pass: "geheim-und-lang" };
const certificate = makeCertificate({ name: "localhost", names: ["localhost"] });

let folder: string;
let next: FakeMx;
const started: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "postrider-submission-"));
  chmodSync(folder, 0o755);
  started.push(async () => rmSync(folder, { recursive: true, force: true }));
  next = await startFakeMx();
  started.push(next.close);
});

afterAll(async () => {
  for (const stop of started.reverse()) await stop();
}, 60_000);

function sub(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { mode: 0o755 });
  return path;
}

async function pair(name: string, mechanisms: readonly string[], pass = login.pass) {
  const server: Dovecot = await startDovecot({
    program: dovecot.path,
    folder: sub(`dovecot-${name}`),
    ...{ mechanisms, certificate, password: login.pass, relayPort: next.port },
  });
  started.push(server.stop);
  const relay = `smtp://${login.user}:${pass}@127.0.0.1:${server.port}?tls=required`;
  const daemon: Daemon = await startDaemon({
    dataDir: sub(`data-${name}`),
    flags: ["--relay", relay, "--hostname", "sender.test"],
  });
  started.push(daemon.stop);
  return { server, daemon };
}

for (const [mechanisms, chosen] of [
  [["plain", "login"], "PLAIN"],
  [["plain", "login", "scram-sha-256"], "SCRAM-SHA-256"],
  [["scram-sha-256"], "SCRAM-SHA-256"],
  [["cram-md5"], "CRAM-MD5"],
] as const)
  test(`where Dovecot offers ${mechanisms.join(", ")}, we log in by ${chosen}`, async () => {
    const { server, daemon } = await pair(mechanisms.join("-"), mechanisms);
    const to = `${mechanisms.join(".")}@far.test`;
    const id = await send(daemon, to);
    await reaches(daemon, id, "delivered");
    expect(server.log()).toMatch(
      new RegExp(`Login: user=<${login.user}>, method=${chosen}, .*TLS`),
    );
    expect(next.messages().filter((text) => text.includes(`To: ${to}`))).toHaveLength(1);
  });

test("a wrong password bounces nothing, and is not tried again and again", async () => {
  const { daemon } = await pair("wrong", ["scram-sha-256"], "wrong");
  const id = await send(daemon, "x@far.test");
  await reaches(daemon, id, "deferred");
  const told = await timeline(daemon, id);
  const delayed = told.find(({ type }) => type === "email.delivery_delayed");
  expect(delayed?.postrider).toMatchObject({ phase: "auth", class: "relay", doubt: false });
  expect(told.map(({ type }) => type)).not.toContain("email.bounced");
});
