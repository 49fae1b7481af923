// Signing through the compiled daemon: keys of the settings and keys made while it runs, verified by a program that is not ours.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DomainView } from "../../src/mail/domain.ts";
import { publicRecord, readKey } from "../../src/mail/dkim/key.ts";
import { type FakeMx, startFakeMx } from "../deliver/fakeMx.ts";
import { addRecord, type FakeDns, startFakeDns } from "../dns/fakeServer.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { byDkimpy, byMailauth, type TextZone } from "../mail/dkim/verifiers.ts";
import { peer } from "../peers.ts";

const root = mkdtempSync(join(tmpdir(), "postrider-dkim-"));
const config = join(root, "postrider.toml");
const keyFile = join(root, "set.pem");
const dataDir = mkdtempSync(join(root, "data-"));
/** What the DNS should hold, as it becomes known. */
const zone: Record<string, string> = {};
let mx: FakeMx;
let dns: FakeDns;
let daemon: Daemon;

const start = (): Promise<Daemon> =>
  startDaemon({
    dataDir,
    flags: [
      ...["--config", config, "--hostname", "mail.shop.example", "--log-level", "warn"],
      ...["--relay", `smtp://127.0.0.1:${mx.port}`],
      ...["--dns-servers", `${dns.server.address}:${dns.server.port}`],
    ],
  });

beforeAll(async () => {
  [mx, dns] = await Promise.all([startFakeMx(), startFakeDns()]);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
  writeFileSync(keyFile, pem, { mode: 0o600 });
  writeFileSync(
    config,
    `[[dkim]]\ndomain = "set.example"\nselector = "k1"\nkey_file = "${keyFile}"\n`,
  );
  const key = readKey(pem);
  if (key.kind === "key") zone["k1._domainkey.set.example"] = publicRecord(key);
  daemon = await start();
});

afterAll(async () => {
  await daemon.stop();
  await Promise.all([mx.close(), dns.close()]);
  rmSync(root, { recursive: true, force: true });
});

/** Without the dots that SMTP adds, and with the last line end, which the server leaves out. */
function asTaken(message: string): Buffer {
  return Buffer.from(`${message.replace(/(^|\r\n)\./g, "$1")}\r\n`, "latin1");
}

/** The results of all signatures on the next message that the server takes. */
async function resultsOf(send: () => Promise<Response>, records: TextZone): Promise<string[]> {
  const before = mx.messages().length;
  expect((await send()).status).toBe(202);
  const message = await until("the message has come", () => mx.messages()[before]);
  return (await byMailauth([asTaken(message)], records))[0] ?? [];
}

const json = (from: string, text: string) => (): Promise<Response> =>
  daemon.request("/send", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ from, to: "a@customer.example", subject: "Grüße  ", text }),
  });
const raw = (message: string) => (): Promise<Response> =>
  daemon.request("/send?to=a@customer.example", {
    method: "POST",
    headers: { "content-type": "message/rfc822" },
    body: message,
  });
const post = (path: string, body: object = {}): Promise<Response> =>
  daemon.request(path, { method: "POST", body: JSON.stringify(body) });

describe("the daemon", () => {
  test("signs with the keys of its settings, also for a domain below, and nothing else", async () => {
    expect(await resultsOf(json("Me <a@set.example>", "Hello"), zone)).toEqual(["pass"]);
    expect(await resultsOf(json("a@news.set.example", "Hello"), zone)).toEqual(["pass"]);
    expect(await resultsOf(json("a@other.example", "Hello"), zone)).toEqual(["none"]);
  });

  test("signs for a domain from the moment it was added, and after a kill", async () => {
    const added = await post("/domains", { name: "shop.example" });
    expect(added.status).toBe(201);
    const view = (await added.json()) as DomainView;
    for (const { type, name, value } of view.records)
      if (type === "TXT") {
        zone[name] = value;
        // In strings of 255 octets, as a server has them.
        const data = value.match(/.{1,255}/g) ?? [];
        addRecord(dns.zone, { type: "TXT", name, ttl: 60, data });
      }
    expect(await resultsOf(json("a@shop.example", "Hello \n.\n"), zone)).toEqual(["pass", "pass"]);
    await daemon.process.stop("SIGKILL");
    daemon = await start();
    expect(await resultsOf(json("a@shop.example", "again"), zone)).toEqual(["pass", "pass"]);
    const checked = (await (await post("/domains/shop.example/verify")).json()) as DomainView;
    expect(checked.status).toBe("verified");
  });

  test("signs what others composed, 8-bit and larger than memory should hold", async () => {
    const head = "From: a@shop.example\r\nTo: b@customer.example\r\nSubject: raw\r\n";
    const type = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    const accented = `${head}MIME-Version: 1.0\r\n${type}\r\nGrüße  aus\tKöln \r\n\r\n`;
    const large = `${head}\r\n${`${"x y ".repeat(18)}\r\n`.repeat(20_000)}`;
    for (const message of [accented, large, `${head}\r\n`])
      expect(await resultsOf(raw(message), zone)).toEqual(["pass", "pass"]);
  });

  peer("dkimverify").test("signs so that python3-dkim agrees", async () => {
    const messages = mx.messages().slice(-3).map(asTaken);
    const options = { records: zone, signatures: 2 };
    const results = await byDkimpy("/usr/bin/python3", messages, options);
    expect(results).toEqual(messages.map(() => [true, true]));
  });

  test("tells in the timeline whose signatures a message bore", async () => {
    const sent = await json("a@set.example", "told")();
    const { id } = (await sent.json()) as { id: string };
    const told = await until("the attempt is told", async () => {
      const text = await (await daemon.request(`/emails/${id}/events`)).text();
      return text.includes("email.delivered") ? text : undefined;
    });
    expect(told).toContain('"signed_by":["set.example/k1"]');
  });

  test("keeps its keys at a reload that brings a bad one, and takes a good one", async () => {
    const second = join(root, "second.pem");
    writeFileSync(second, "no key", { mode: 0o600 });
    appendFileSync(
      config,
      `[[dkim]]\ndomain = "set.example"\nselector = "k2"\nkey_file = "${second}"\n`,
    );
    expect((await post("/reload")).ok).toBe(false);
    expect(await resultsOf(json("a@set.example", "one"), zone)).toEqual(["pass"]);
    const { privateKey } = generateKeyPairSync("ed25519");
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    writeFileSync(second, pem);
    chmodSync(second, 0o600);
    const key = readKey(pem);
    if (key.kind === "key") zone["k2._domainkey.set.example"] = publicRecord(key);
    expect((await post("/reload")).status).toBe(200);
    expect(await resultsOf(json("a@set.example", "two"), zone)).toEqual(["pass", "pass"]);
  });

  test("signs no more for a domain that was removed", async () => {
    expect((await daemon.request("/domains/shop.example", { method: "DELETE" })).status).toBe(200);
    expect(await resultsOf(json("a@shop.example", "bare"), zone)).toEqual(["none"]);
  });
});
