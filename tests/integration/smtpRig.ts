// The compiled daemon with its SMTP listener, a receiving server behind it, and raw access to both.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Taken } from "../../src/sink/dialogue.ts";
import { type Sink, startSink } from "../../src/sink/server.ts";
import { makeCertificate } from "../fixtures/certificates.ts";
import { binaryPath, cleanEnvironment, type Daemon } from "../fixtures/daemon.ts";
import { ready, startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";

/** What the receiving server took, without our own trace line. */
export interface Delivered {
  readonly from: string;
  readonly recipients: readonly string[];
  readonly trace: string;
  readonly bytes: Buffer;
}

export interface SmtpRig {
  readonly root: string;
  readonly caFile: string;
  readonly ca: string;
  readonly sink: Sink;
  daemon: Daemon;
  readonly delivered: Delivered[];
  smtpPort(): number;
  smtpsPort(): number;
  /** The next message at the receiving server after those that were there before. */
  next(before: number): Promise<Delivered>;
  /** The same data folder, another process. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export async function startSmtpRig(flags: readonly string[] = []): Promise<SmtpRig> {
  const root = mkdtempSync(join(tmpdir(), "postrider-smtp-"));
  const dataDir = mkdtempSync(join(root, "data-"));
  const authority = makeCertificate({ name: "A test's authority", isAuthority: true });
  const server = makeCertificate({ name: "localhost", names: ["localhost"], issuer: authority });
  const file = (name: string, text: string): string => {
    const path = join(root, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };
  const caFile = file("ca.pem", authority.cert);
  const [cert, key] = [file("cert.pem", server.cert), file("key.pem", server.key)];
  const delivered: Delivered[] = [];
  const onTaken = (taken: Taken): void => void delivered.push(deliveredOf(taken));
  const sink = await startSink({ listen: { host: "127.0.0.1", port: 0 }, onTaken });
  const start = (): Promise<Daemon> =>
    startSecureDaemon(dataDir, authority.cert, [
      ...["--hostname", "mail.sender.example", "--relay", `smtp://127.0.0.1:${sink.port}`],
      ...["--smtp-listen", "127.0.0.1:0", "--smtp-tls-listen", "127.0.0.1:0"],
      ...["--tls-cert", cert, "--tls-key", key, ...flags],
    ]);
  const port = (scheme: string): number => {
    const found = new RegExp(`"${scheme}://127\\.0\\.0\\.1:(\\d+)"`).exec(
      rig.daemon.process.output(),
    );
    return Number(found?.[1]);
  };
  const rig: SmtpRig = {
    root,
    caFile,
    ca: authority.cert,
    sink,
    daemon: await start(),
    delivered,
    smtpPort: () => port("smtp"),
    smtpsPort: () => port("smtps"),
    next: (before) => until("the message is delivered", () => delivered[before]),
    async restart() {
      rig.daemon = await start();
    },
    async close() {
      await rig.daemon.stop();
      await sink.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return rig;
}

/** With a certificate the API speaks HTTPS. */
async function startSecureDaemon(
  dataDir: string,
  ca: string,
  flags: readonly string[],
): Promise<Daemon> {
  const args = ["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0", ...flags];
  const running = startProcess(binaryPath, args, { env: cleanEnvironment(), cwd: dataDir });
  const port = await ready(running, "the daemon prints its address", () => {
    const found = /https:\/\/127\.0\.0\.1:(\d+)/.exec(running.output())?.[1];
    return found === undefined ? undefined : Number(found);
  });
  const url = `https://localhost:${port}`;
  const key = readFileSync(join(dataDir, "api-key"), "utf8").trim();
  const request: Daemon["request"] = (path, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${key}`);
    return fetch(`${url}${path}`, { ...init, headers, tls: { ca } });
  };
  await ready(running, "the daemon is ready", async () => {
    try {
      return (await request("/readyz")).ok;
    } catch {
      // Printed before it listens: not yet.
      return false;
    }
  });
  return { process: running, url, port, key, request, stop: () => running.stop() };
}

function deliveredOf({ from, recipients, content }: Taken): Delivered {
  const whole = Buffer.from(content());
  const text = whole.toString("latin1");
  const trace = /^Received: (?:[^\r]|\r\n[ \t])*\r\n/.exec(text)?.[0] ?? "";
  return { from, recipients, trace, bytes: whole.subarray(trace.length) };
}

/** A client of a few lines, for what real ones do not do. */
export interface RawClient {
  readonly socket: Socket;
  told(): string;
  say(text: string): void;
  /** Says it and waits until `count` final replies in all have come. */
  ask(text: string, count: number): Promise<string>;
  closed(): boolean;
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  let closed = false;
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => socket.destroy());
  socket.on("close", () => (closed = true));
  const replies = (): number => text.match(/^\d{3} /gm)?.length ?? 0;
  const client: RawClient = {
    socket,
    told: () => text,
    say: (line) => void socket.write(line, "latin1"),
    async ask(line, count) {
      client.say(line);
      await until(`${count} replies to ${line.slice(0, 40)}`, () => replies() >= count);
      return text;
    },
    closed: () => closed,
  };
  await until("the banner", () => replies() >= 1);
  return client;
}

export function plainOf(key: string): string {
  return `AUTH PLAIN ${Buffer.from(`\0any\0${key}`).toString("base64")}\r\n`;
}
