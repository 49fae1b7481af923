// A daemon with receivers of every kind, a webhook, and a real Prometheus with the shipped rules: the world in which what `scripts/observe`
// ships is tried.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeMx, type Script, startFakeMx } from "../deliver/fakeMx.ts";
import { type FakeDns, addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { hasten, ruleFile, ruleNames } from "../fixtures/observe.ts";
import { freePort } from "../fixtures/process.ts";
import { type Prometheus, startPrometheus } from "../fixtures/prometheus.ts";
import { until } from "../fixtures/until.ts";
import { type Sink, startSink } from "../../src/sink/server.ts";
import { type Ends, letter, newFolder, post } from "./faultsRig.ts";
import { type Receiver, fine, startReceiver, subscribe } from "./webhookRig.ts";

/** How long `good.test` takes to answer RCPT. */
export const GOOD_RCPT_S = 0.03;
/** Beyond the 5 s of the alert. */
const SLOW_RCPT_MS = 5_200;
/** Delivered before Prometheus looks: the rate of a counter is not extrapolated to before its zero. */
const FIRST_LOOKS = 4;
export const WARM_UP_MESSAGES = 200;

const hosts = {
  "good.test": "127.0.0.2",
  "plain.test": "127.0.0.3",
  "slow.test": "127.0.0.4",
  "strict.test": "127.0.0.5",
  "rough.test": "127.0.0.6",
  // Nobody listens there.
  "dead.test": "127.0.0.7",
} as const;

export interface World {
  readonly daemon: Daemon;
  readonly prometheus: Prometheus;
  readonly dns: FakeDns;
  /** Encrypts, and answers RCPT after a while. */
  readonly good: Sink;
  readonly plain: Sink;
  /** For what is lost at the dot. */
  readonly rough: Sink;
  /** Answers the first RCPT of a session late, and so all that came with it. */
  readonly slow: FakeMx;
  /** Believes no signature. */
  readonly strict: FakeMx;
  readonly receiver: Receiver;
  readonly dataDir: string;
  /** The daemon's settings' file. */
  readonly settingsFile: string;
  readonly load: Load;
}

export async function createWorld(ends: Ends, program: string): Promise<World> {
  const port = await freePort();
  const dns = await startFakeDns();
  ends.add(dns.close);
  for (const [name, data] of Object.entries(hosts))
    addRecord(dns.zone, { type: "A", name, ttl: 2, data });
  const sink = async (host: string, options: object = {}): Promise<Sink> => {
    const one = await startSink({ listen: { host, port }, ...options });
    ends.add(one.stop);
    return one;
  };
  const fake = async (host: string, script: Script): Promise<FakeMx> => {
    const one = await startFakeMx({ listen: { host, port }, script });
    ends.add(one.close);
    return one;
  };
  const delaysMs = { rcpt: GOOD_RCPT_S * 1000 };
  const good = await sink(hosts["good.test"], { tls: "starttls", delaysMs });
  const plain = await sink(hosts["plain.test"]);
  const rough = await sink(hosts["rough.test"]);
  const slow = await fake(hosts["slow.test"], sleepy);
  const strict = await fake(hosts["strict.test"], suspicious);
  const receiver = await startReceiver(ends, fine);
  const folder = newFolder(ends);
  const settingsFile = join(folder, "postrider.toml");
  writeFileSync(
    settingsFile,
    `dns_servers = "127.0.0.1:${dns.server.port}"
dns_timeout = "100ms"
smtp_port = ${port}
deny_destinations = "none"
webhook_allow = "127.0.0.0/8"
disk_reserve = "1MB"
hostname = "sender.test"
`,
  );
  const daemon = await startDaemon({ dataDir: folder, flags: ["--config", settingsFile] });
  ends.add(() => daemon.stop());
  await subscribe(daemon, receiver.url);
  const load = createLoad(daemon);
  ends.add(load.stop);
  for (let i = 0; i < WARM_UP_MESSAGES / 10; i++)
    await Promise.all(Array.from({ length: 10 }, () => load.send("warm@plain.test")));
  await until("the warm-up is delivered", () => plain.tally.summary().messages === load.accepted());
  const prometheus = await startPrometheus({
    program,
    folder: newFolder(ends),
    target: `127.0.0.1:${daemon.port}`,
    ruleFiles: hastened(newFolder(ends)),
  });
  ends.add(prometheus.stop);
  // A window of rates that is full: what the first look found cannot be told from what came before it.
  await until("Prometheus has looked often enough", async () => {
    const [one] = await prometheus.query("count_over_time(postrider_doubts_total[1m])");
    return Number(one?.value[1] ?? 0) > FIRST_LOOKS;
  });
  const servers = { good, plain, rough, slow, strict, receiver };
  return { daemon, prometheus, dns, ...servers, dataDir: folder, settingsFile, load };
}

const sleepy: Script = async (verb, _, session) => {
  const isFirst = session.lines.filter((line) => line.startsWith("RCPT")).length === 1;
  if (verb === "RCPT" && isFirst) await new Promise((resolve) => setTimeout(resolve, SLOW_RCPT_MS));
  return undefined;
};

const suspicious: Script = (verb) =>
  verb === "." ? "550 5.7.26 Unauthenticated: DKIM did not pass" : undefined;

function hastened(folder: string): string[] {
  return ruleNames.map((name) => {
    const file = join(folder, name);
    writeFileSync(file, hasten(readFileSync(ruleFile(name), "utf8")));
    return file;
  });
}

/** A complaint about mail that is not ours (RFC 5965). */
export const complaint = [
  "From: feedback@isp.test",
  "To: abuse@sender.test",
  "MIME-Version: 1.0",
  "Content-Type: multipart/report; report-type=feedback-report; boundary=B",
  "",
  "--B",
  "Content-Type: message/feedback-report",
  "",
  "Feedback-Type: abuse",
  "User-Agent: isp/1",
  "Version: 1",
  "",
  "--B",
  "Content-Type: text/rfc822-headers",
  "",
  "Message-ID: <strange@elsewhere.test>",
  "",
  "--B--",
  "",
].join("\r\n");

export interface Load {
  /** One message; its id. */
  send(to: string | readonly string[], more?: object): Promise<string>;
  /** Keeps sending to these in turn, some hundred a second, and to nobody else; a `*` is another number each time. */
  steadily(...to: readonly string[]): void;
  /** Messages that were answered with 202. */
  accepted(): number;
  stop(): Promise<void>;
}

const BATCH = 5;
const PAUSE_MS = 30;

function createLoad(daemon: Daemon): Load {
  let accepted = 0;
  let targets: readonly string[] = [];
  let running = true;
  const send: Load["send"] = async (to, more = {}) => {
    const answer = await post(daemon, letter("", { to, ...more }));
    const text = await answer.text();
    if (answer.status !== 202) throw new Error(`${answer.status}: ${text}`);
    accepted++;
    return (JSON.parse(text) as { id: string }).id;
  };
  const loop = (async () => {
    for (let i = 0; running; i++) {
      const to = targets.length === 0 ? undefined : targets[i % targets.length];
      const each = (n: number): Promise<string> => send((to ?? "").replace("*", `${i}-${n}`));
      if (to !== undefined) await Promise.all(Array.from({ length: BATCH }, (_, n) => each(n)));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  })();
  // Told by `stop`.
  loop.catch(() => {});
  return {
    send,
    steadily: (...to) => void (targets = to),
    accepted: () => accepted,
    async stop() {
      running = false;
      await loop;
    },
  };
}
