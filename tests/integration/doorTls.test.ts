// HTTPS, lists of clients and proxies through the real daemon: what the API shows, and what a reload changes.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { makeCertificate } from "../fixtures/certificates.ts";
import { binaryPath, cleanEnvironment } from "../fixtures/daemon.ts";
import { ready, startProcess, type Running } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";

const TEST_MS = 60_000;

let folder: string;
let daemon: Running | undefined;
const first = makeCertificate({ name: "one.test", names: ["one.test"] });
const second = makeCertificate({ name: "two.test", names: ["two.test"] });
const key = "0123456789abcdef";

const at = (name: string): string => join(folder, name);
const write = (settings: string): void =>
  writeFileSync(
    at("postrider.toml"),
    `workers = 1\nhostname = "one.test"\napi_key = "${key}"\n${settings}`,
  );
const pair = 'tls_cert = "cert.pem"\ntls_key = "key.pem"\n';
const certify = (made: typeof first): void => {
  writeFileSync(at("cert.pem"), made.cert);
  writeFileSync(at("key.pem"), made.key);
};

function serve(...flags: string[]): Running {
  const args = ["serve", "--data-dir", at("data"), "--config", at("postrider.toml"), ...flags];
  return startProcess(binaryPath, args, { env: cleanEnvironment(), cwd: folder });
}

async function start(scheme: string): Promise<string> {
  const running = serve("--listen", "127.0.0.1:0");
  daemon = running;
  const shown = new RegExp(`${scheme}://127\\.0\\.0\\.1:\\d+`);
  const url = await ready(running, "its address", () => shown.exec(running.output())?.[0]);
  await ready(running, "it answers", async () => {
    try {
      return (await ask(url, "/livez")).status < 500;
    } catch {
      // Printed before it listens: not yet.
      return false;
    }
  });
  return url;
}

const ask = (url: string, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url + path, {
    headers: { authorization: `Bearer ${key}`, ...headers },
    keepalive: false,
    tls: { rejectUnauthorized: false },
  });

/** The name in the certificate that a client is shown now. */
function shownName(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname: host, port } = new URL(url);
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      const { CN } = socket.getPeerCertificate().subject;
      resolve(String(CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

async function reload(): Promise<string> {
  const args = ["reload", "--data-dir", at("data")];
  const child = startProcess(binaryPath, args, { env: cleanEnvironment(), cwd: folder });
  await child.exited;
  return child.output();
}

beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "postrider-https-"))));
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

test(
  "listen speaks HTTPS, and a reload takes a renewed certificate and refuses nobody meanwhile",
  async () => {
    certify(first);
    write(pair);
    const url = await start("https");
    expect(await shownName(url)).toBe("one.test");
    expect((await ask(url, "/queue")).status).toBe(200);
    let asking = true;
    const lost: unknown[] = [];
    const traffic = (async () => {
      while (asking) {
        // A connection that waits for its request may end with the old listener, as any idle one may at any time (RFC 9112 9.5): its
        // client opens another, which is there.
        const answer = await ask(url, "/livez").catch(() =>
          ask(url, "/livez").catch((error: unknown) => error),
        );
        if (!(answer instanceof Response && answer.ok)) lost.push(answer);
      }
    })();
    certify(second);
    await reload();
    expect(await shownName(url)).toBe("two.test");
    expect(daemon?.output()).toContain("tls.renewed");
    const endsS = Date.parse(new X509Certificate(second.cert).validTo) / 1000;
    const told = `postrider_tls_cert_expiry_timestamp_seconds ${endsS}\n`;
    await until("its end is told as a metric", async () =>
      (await (await ask(url, "/metrics")).text()).includes(told),
    );
    writeFileSync(at("key.pem"), first.key);
    expect(await reload()).toContain("belongs to another certificate");
    expect(await shownName(url)).toBe("two.test");
    certify(second);
    asking = false;
    await traffic;
    expect(lost).toEqual([]);
  },
  TEST_MS,
);

test(
  "a public address needs a certificate, or the word that it shall do without",
  async () => {
    write("");
    const refused = serve("--listen", "0.0.0.0:0");
    expect(await refused.exited).toBe(78);
    expect(refused.output()).toContain("tls_cert and tls_key; or insecure_http");
    write('tls_cert = "cert.pem"\n');
    const half = serve("--listen", "127.0.0.1:0");
    expect(await half.exited).toBe(78);
    expect(half.output()).toContain("since tls_cert is set");
  },
  TEST_MS,
);

test(
  "clients are heard by the lists, as proxies name them, and a reload changes the lists",
  async () => {
    write('trusted_proxies = "127.0.0.1"\ndeny_clients = "192.0.2.66"\n');
    const url = await start("http");
    const status = async (forwarded?: string) =>
      (await ask(url, "/queue", forwarded === undefined ? {} : { "x-forwarded-for": forwarded }))
        .status;
    expect(await status()).toBe(200);
    expect(await status("192.0.2.1")).toBe(200);
    expect(await status("192.0.2.1, 192.0.2.66")).toBe(403);
    write('trusted_proxies = "127.0.0.1"\nallow_clients = "192.0.2.0/24"\n');
    expect(await reload()).toContain("allow_clients");
    expect(await status()).toBe(403);
    expect(await status("192.0.2.66")).toBe(200);
    expect(await status("198.51.100.1")).toBe(403);
  },
  TEST_MS,
);
