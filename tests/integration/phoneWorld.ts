// Three calls that an operator gets at night, each made to happen to a real daemon, and the one command that answers it. What the
// commands print stands in the README ("When the phone rings"): scripts/phone.ts writes it there, and a test holds it to the truth.
import type { QueueView } from "../../src/mail/query.ts";
import type { SiteFigure } from "../../src/mail/figures.ts";
import { addRecord, type FakeDns, startFakeDns } from "../dns/fakeServer.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { ready, startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { createEnds, type Ends, newFolder, post } from "./faultsRig.ts";

export interface Call {
  /** Its mark in the README. */
  readonly name: "customer" | "slow" | "stopped";
  /** As one types it. */
  readonly command: string;
  readonly output: string;
}

export interface Calls {
  readonly calls: readonly Call[];
  /** The instant that stands for three in the night. */
  readonly threeAt: number;
  readonly dataDir: string;
}

/** Servers of the same port at addresses of this host: a site each. */
const CUSTOMER = { domain: "customer.example", address: "127.0.0.2" };
const SLOW = { domain: "example.org", address: "127.0.0.3" };
/** Nobody listens there: three networks, as far as anybody can see. */
const DEAD = ["one", "two", "three"].map((name, i) => {
  return { domain: `${name}.example`, address: `127.${i + 1}.0.1` };
});
const MESSAGES_SLOW = 12;

export async function answerCalls(): Promise<Calls> {
  const ends = createEnds();
  try {
    return await inWorld(ends);
  } finally {
    await ends.run();
  }
}

async function inWorld(ends: Ends): Promise<Calls> {
  const dns = await startFakeDns();
  ends.add(dns.close);
  for (const { domain, address } of [CUSTOMER, SLOW]) addSite(dns, domain, address);
  for (const { domain, address } of DEAD) addSite(dns, domain, address);
  const { port } = await startSink(ends, CUSTOMER.address, 0, []);
  await startSink(ends, SLOW.address, port, ["--delay", "dot=1200ms"]);
  const dataDir = newFolder(ends);
  const settings = {
    "--dns-servers": `127.0.0.1:${dns.server.port}`,
    "--dns-timeout": "100ms",
    "--smtp-port": String(port),
    "--deny-destinations": "none",
    "--hostname": "mail.shop.example",
    "--workers": "1",
  };
  const flags = Object.entries(settings).flat();
  const daemon = await startDaemon({ dataDir, flags });
  ends.add(() => daemon.stop());
  const run = (...words: string[]): Promise<string> => runCommand(dataDir, words);

  // By the minute, as one types it.
  const since = new Date().toISOString().slice(11, 16);
  const customer = await ofCustomer(daemon, run);
  const slow = await ofSlowSite(daemon, run);
  const threeAt = await stopAndGoOn(daemon);
  const stopped: Call = {
    ...{ name: "stopped", command: "postrider journal --since 02:55" },
    output: await run("journal", "--since", since),
  };
  return { calls: [customer, slow, stopped], threeAt, dataDir };
}

type Run = (...words: string[]) => Promise<string>;

/** "This customer's mail did not arrive." */
async function ofCustomer(daemon: Daemon, run: Run): Promise<Call> {
  // The sink obeys the address: this mailbox is full.
  const to = `full+grace@${CUSTOMER.domain}`;
  await send(daemon, to, "Your order 4711");
  await until("the first attempt has ended", async () =>
    (await listed(daemon, to)).some(({ attempts }) => attempts > 0),
  );
  const output = await run("message", "show", "--recipient", to);
  return { name: "customer", command: `postrider message show --recipient ${to}`, output };
}

/** "Mail to example.org is slow." */
async function ofSlowSite(daemon: Daemon, run: Run): Promise<Call> {
  for (let i = 0; i < MESSAGES_SLOW; i++)
    await send(daemon, `reader${i}@${SLOW.domain}`, "Your ticket");
  await until("some of it was delivered", async () => {
    const sites = (await (await daemon.request("/sites")).json()) as { data: SiteFigure[] };
    return sites.data.some(({ slowest, backlog }) => {
      return slowest?.phase === "dot" && slowest.replies >= 2 && backlog.sending > 2;
    });
  });
  const output = await run("explain", SLOW.domain);
  return { name: "slow", command: `postrider explain ${SLOW.domain}`, output };
}

/** "Deliveries stopped at 03:00": nobody can be reached any more, until somebody can. Tells when that was. */
async function stopAndGoOn(daemon: Daemon): Promise<number> {
  await until("all that was slow is delivered", async () => {
    const { data } = (await (await daemon.request("/sites")).json()) as { data: SiteFigure[] };
    return data.every(({ site, backlog }) => !site.includes(SLOW.domain) || backlog.sending === 0);
  });
  for (const { domain } of DEAD) await send(daemon, `ann@${domain}`, "Hello");
  await until("the line is down", async () => (await uplink(daemon)) === "down");
  const downAt = Date.now();
  // The probe that finds somebody.
  await send(daemon, `ann@${SLOW.domain}`, "Hello");
  await until("the line is up again", async () => (await uplink(daemon)) === "up");
  return downAt;
}

async function uplink(daemon: Daemon): Promise<string> {
  return ((await (await daemon.request("/queue")).json()) as QueueView).uplink?.state ?? "";
}

function addSite(dns: FakeDns, domain: string, address: string): void {
  const host = `mx1.${domain}`;
  const ttl = 3600;
  addRecord(dns.zone, { type: "MX", name: domain, ttl, data: { preference: 10, exchange: host } });
  addRecord(dns.zone, { type: "A", name: host, ttl, data: address });
}

/** At the port that is asked for; 0: one that is free. */
async function startSink(
  ends: Ends,
  host: string,
  port: number,
  options: readonly string[],
): Promise<{ readonly port: number }> {
  const args = ["sink", "--listen", `${host}:${port}`, ...options];
  const env = cleanEnvironment();
  const sink = startProcess(binaryPath, args, { env, cwd: newFolder(ends) });
  ends.add(() => sink.stop());
  const found = await ready(sink, "the sink says where it listens", () => {
    const shown = /taking mail at [\d.]+:(\d+)/.exec(sink.output())?.[1];
    return shown === undefined ? undefined : Number(shown);
  });
  return { port: found };
}

async function send(daemon: Daemon, to: string, subject: string): Promise<void> {
  const from = "Shop <orders@shop.example>";
  await post(daemon, JSON.stringify({ from, to, subject, text: "Thank you." }));
}

async function listed(daemon: Daemon, to: string): Promise<{ readonly attempts: number }[]> {
  const response = await daemon.request(`/emails?to=${encodeURIComponent(to)}`);
  const list = (await response.json()) as { data: { recipients: { attempts: number }[] }[] };
  return list.data.flatMap(({ recipients }) => recipients);
}

async function runCommand(dataDir: string, words: readonly string[]): Promise<string> {
  const child = Bun.spawn([binaryPath, ...words, "--data-dir", dataDir], {
    env: { ...cleanEnvironment(), TZ: "UTC" } as Record<string, string>,
    ...{ stdout: "pipe", stderr: "inherit" },
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0)
    throw new Error(`${words.join(" ")} ended with ${child.exitCode}`);
  return text.trimEnd();
}

/** What is the same whenever it is run: no times, numbers, names of a moment or the order of what happens at once. */
export function kindsOf(output: string): readonly string[] {
  const lines = output.split("\n").flatMap((line) => {
    const kind = line
      .replace(/ traffic +.*| jobs wait while .*/, "")
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b|\b[0-9a-f]{12}\b/g, "ID")
      .replace(/mx1\.(one|two|three)\.example/g, "SITE")
      .replace(/\/[\w/.-]*\/[\w.-]+/g, "PATH")
      .replace(/\b\d[\d.:TZ-]*/g, "N")
      .replace(/\bN ?(ms|s|m|h|d)\b( N(s|m|h)\b)?/g, "T")
      .replace(/\s+/g, " ")
      .trim();
    return /^(N )?$|^N N$/.test(kind) ? [] : [kind];
  });
  return [...new Set(lines)].sort();
}
