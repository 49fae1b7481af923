// A daemon that has met everything that its metrics tell of: mail that was taken, refused, put off and lost, with TLS and without, webhooks
// that take and that do not, requests and commands that were refused. What it must have counted is known.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { startSink } from "../../src/sink/server.ts";
import { startFakeMx } from "../deliver/fakeMx.ts";
import { addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { freePort } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { type Ends, letter, newFolder, post, reaches, send } from "./faultsRig.ts";
import { fine, startReceiver, status, subscribe } from "./webhookRig.ts";

export const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

export interface LoadedDaemon {
  readonly daemon: Daemon;
  /** Rewritten, and read again. */
  configure(settings: Readonly<Record<string, string>>): Promise<void>;
  /** The servers of `slow` answer from now on. */
  letGo(): void;
}

/** The page, in the format that is asked for. */
export async function pageOf(daemon: Daemon, accept = "text/plain"): Promise<string> {
  const response = await daemon.request("/metrics", { headers: { accept } });
  return response.text();
}

/** Values by series, `name{label="value"}` as they stand there; exemplars are left out. */
export function valuesIn(text: string): ReadonlyMap<string, number> {
  const rows = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    rows.map((line) => {
      const [series = "", value = ""] = line.split(/ (?=[^ ]+(?: #|$))/, 2);
      return [series, Number(value.split(" ", 1)[0])] as const;
    }),
  );
}

/** More than have names of their own in metrics; each is a site. */
export const many = Array.from({ length: 130 }, (_, i) => `site-${i}.test`);

const hosts = { "clear.test": "127.0.0.2", "tls.test": "127.0.0.3", "rough.test": "127.0.0.4" };

/** Their server greets, and then says nothing for a while. */
export const slow = ["slow.test", "slower.test"];
const SLOW_HOST = "127.0.0.5";

export async function startLoadedDaemon(ends: Ends): Promise<LoadedDaemon> {
  const port = await freePort();
  const dns = await startFakeDns();
  ends.add(dns.close);
  for (const [name, data] of Object.entries(hosts))
    addRecord(dns.zone, { type: "A", name, ttl: 300, data });
  for (const name of many) addRecord(dns.zone, { type: "A", name, ttl: 300, data: "127.0.0.2" });
  for (const [host, tls] of [
    [hosts["clear.test"], undefined],
    [hosts["tls.test"], "starttls"],
  ] as const)
    ends.add((await startSink({ listen: { host, port }, tls })).stop);
  for (const name of slow) addRecord(dns.zone, { type: "A", name, ttl: 300, data: SLOW_HOST });
  const { promise: awake, resolve: letGo } = Promise.withResolvers<void>();
  const tarpit = await startFakeMx({
    listen: { host: SLOW_HOST, port },
    script: (verb) => (verb === "EHLO" ? awake.then(() => undefined) : undefined),
  });
  ends.add(tarpit.close);
  // Hangs up where the message could have been taken.
  const rough = await startFakeMx({
    listen: { host: hosts["rough.test"], port },
    script: (verb) => (verb === "." ? "CLOSE" : undefined),
  });
  ends.add(rough.close);
  const takes = await startReceiver(ends, fine);
  const refuses = await startReceiver(ends, status(500));
  const folder = newFolder(ends);
  const file = join(folder, "postrider.toml");
  const settings: Record<string, string> = {
    dns_servers: `"127.0.0.1:${dns.server.port}"`,
    smtp_port: String(port),
    deny_destinations: '"none"',
    webhook_allow: '"127.0.0.0/8"',
    hostname: '"sender.example"',
    smtp_listen: '"127.0.0.1:0"',
    workers: "2",
  };
  const write = (): void => {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
    writeFileSync(file, lines.join(""));
  };
  write();
  const daemon = await startDaemon({ dataDir: folder, flags: ["--config", file] });
  ends.add(daemon.stop);
  await load(daemon, [takes.url, refuses.url]);
  return {
    daemon,
    letGo,
    async configure(change) {
      Object.assign(settings, change);
      write();
      const answer = await daemon.request("/reload", { method: "POST" });
      if (!answer.ok) throw new Error(await answer.text());
    },
  };
}

/** What `load` sends, so that a test can say what must have been counted. */
export const sent = {
  byHttp: 9,
  bySmtp: 2,
  delivered: 8,
  bounced: 1,
  toTls: 3,
} as const;

async function load(daemon: Daemon, webhooks: readonly string[]): Promise<void> {
  for (const url of webhooks) await subscribe(daemon, url, ["email.delivered"]);
  const ids: string[] = [];
  // One after the other, so that a connection is used again.
  for (let i = 0; i < sent.toTls; i++) {
    const id = await send(daemon, "ok@tls.test");
    await reaches(daemon, id, "delivered");
  }
  for (const to of ["ok@clear.test", "delivered@postrider.test", "delivered@postrider.test"])
    ids.push(await send(daemon, to));
  const bounced = await send(daemon, "bounced@postrider.test");
  const soft = await send(daemon, "soft-rcpt@postrider.test");
  const rough = await send(daemon, "ok@rough.test");
  await post(daemon, letter("no address"));
  await daemon.request("/nowhere");
  const smtp = createTransport({
    host: "127.0.0.1",
    port: smtpPortOf(daemon),
    ignoreTLS: true,
    auth: { user: "x", pass: daemon.key },
    pool: true,
    maxConnections: 1,
  });
  for (let i = 0; i < sent.bySmtp; i++)
    await smtp.sendMail({ from: "a@sender.example", to: "ok@clear.test", text: "t" });
  smtp.close();
  for (const id of ids) await reaches(daemon, id, "delivered");
  await reaches(daemon, bounced, "bounced");
  await reaches(daemon, soft, "deferred");
  await reaches(daemon, rough, "deferred");
  // Threads tell each second.
  await until("everything is counted", async () => {
    const values = valuesIn(await pageOf(daemon));
    return Object.entries(last).every(([series, value]) => (values.get(series) ?? 0) >= value);
  });
}

/** Once these are there, all is. */
const last: Readonly<Record<string, number>> = {
  'postrider_recipients_total{result="delivered"}': sent.delivered,
  'postrider_messages_accepted_total{door="smtp"}': sent.bySmtp,
  'smtp_session_errors_total{site="rough.test",phase="dot",reason="closed"}': 1,
  'postrider_webhook_attempt_duration_seconds_count{result="taken"}': sent.delivered,
  'postrider_webhook_attempt_duration_seconds_count{result="refused"}': 1,
  'postrider_queue_age_messages{priority="p1",age="1m"}': 2,
};

function smtpPortOf(daemon: Daemon): number {
  const found = /"smtp:\/\/127\.0\.0\.1:(\d+)"/.exec(daemon.process.output())?.[1];
  if (found === undefined) throw new Error("the daemon does not say where it listens for SMTP");
  return Number(found);
}
