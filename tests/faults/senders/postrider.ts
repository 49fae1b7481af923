// Postrider as its users have it: the compiled binary, its file of settings, its API.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../../fixtures/daemon.ts";
import type { Delivered, Sender, SenderKind, Staged } from "../arena.ts";
import { type DaemonName, type TimelineEvent, type Told, deadlines } from "../case.ts";
import { authority } from "../certificates.ts";
import { DEAD_RESOLVER, RESOLVER } from "../lab.ts";
import { outcomeOf } from "../judge.ts";
import { addresses, messageFor, sleep } from "../letters.ts";

export const OURS = "Postrider";

export function createPostrider(binary?: string): SenderKind {
  return {
    name: OURS,
    missing: () => undefined,
    unable: () => undefined,
    async start(staged) {
      const root = mkdtempSync(join(tmpdir(), "fault-postrider-"));
      const daemons = new Map<DaemonName, Daemon | Error>();
      for (const name of new Set(staged.map(({ one }) => one.daemon ?? "main")))
        daemons.set(name, await start(root, { name, staged, binary }).catch(asError));
      const main = daemons.get("main");
      const beat = main === undefined || main instanceof Error ? null : heartbeat(main, staged);
      return senderOf(daemons, async () => {
        await beat?.();
        for (const one of daemons.values()) if (!(one instanceof Error)) await one.stop();
        rmSync(root, { recursive: true, force: true });
      });
    },
  };
}

/** Settings that one daemon does not know fail its own cases only. */
function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function senderOf(
  daemons: ReadonlyMap<DaemonName, Daemon | Error>,
  stop: () => Promise<void>,
): Sender {
  return {
    name: OURS,
    queue: true,
    stop,
    async deliver(staged) {
      const daemon = daemons.get(staged.one.daemon ?? "main");
      if (daemon === undefined || daemon instanceof Error)
        throw daemon ?? new Error("its daemon does not run");
      return deliver(daemon, staged);
    },
  };
}

interface Wanted {
  readonly name: DaemonName;
  readonly staged: readonly Staged[];
  readonly binary: string | undefined;
}

async function start(root: string, { name, staged, binary }: Wanted): Promise<Daemon> {
  const dataDir = mkdtempSync(join(root, `${name}-`));
  const own = staged.filter(({ one }) => (one.daemon ?? "main") === name);
  const file = join(dataDir, "postrider.toml");
  const tables = own.map(({ one, place }) => one.settings?.(place) ?? "");
  const believed = join(dataDir, "authorities.pem");
  writeFileSync(believed, authority.cert);
  const more = `tls_ca_file = "${believed}"`;
  writeFileSync(file, [more, settingsFor(name, own), ...tables].join("\n"));
  const options = binary === undefined ? {} : { binary };
  return startDaemon({ dataDir, flags: ["--config", file], ...options });
}

function settingsFor(name: DaemonName, own: readonly Staged[]): string {
  const relay = own[0]?.place.hosts[0]?.address ?? "";
  const lines: Record<DaemonName, string> = {
    main: `dns_servers = ["${RESOLVER}"]`,
    policies: `dns_servers = ["${RESOLVER}"]\ndane = "on"`,
    clock: `dns_servers = ["${RESOLVER}"]\nworkers = 1`,
    relay: `relay = "smtp://user:secret@${relay}:25?tls=required"`,
    openRelay: `relay = "smtp://${relay}:25?tls=off"`,
    names: `dns_servers = ["${DEAD_RESOLVER}", "${RESOLVER}"]\ndns_cache_entries = 100`,
  };
  const times = Object.entries(deadlines).map(([step, ms]) => `${step} = "${ms}ms"`);
  return `
${lines[name]}
${name === "names" ? "" : 'dns_timeout = "5s"'}
hostname = "sender.test"
max_recipients = 1000
log_format = "text"
disk_reserve = "0"
suppress_bounces = false
[retry]
p1 = ["2s", "4s", "8s"]
[timeouts]
${times.join("\n")}
`;
}

/** Other mail that flows meanwhile: without it so many faults at once would rightly be taken for a broken uplink. */
function heartbeat(daemon: Daemon, staged: readonly Staged[]): () => Promise<void> {
  const healthy = staged.find(({ one }) => one.what === "a server that is well");
  if (healthy === undefined) return async () => {};
  let stopped = false;
  const beating = (async () => {
    while (!stopped) {
      await post(daemon, {
        from: "a@sender.test",
        to: `beat@${healthy.place.domain}`,
        text: "t",
        subject: "s",
      });
      await sleep(BEAT_MS);
    }
  })();
  return async () => {
    stopped = true;
    await beating;
  };
}

const BEAT_MS = 250;
const POLL_MS = 300;
/** Until the first outcome, and until the last one where it is waited for. */
const LIMIT_MS = 50_000;
const SLOW_LIMIT_MS = 100_000;

async function deliver(daemon: Daemon, staged: Staged): Promise<Delivered> {
  const { one } = staged;
  let rssBefore = 0;
  const told: Told[] = [];
  const { messages = 1, pauseMs = 0 } = one.letter ?? {};
  for (let i = 0; i < messages; i++) {
    if (i > 0) await sleep(pauseMs);
    const id = await submit(daemon, staged, i);
    told.push(...(await follow(daemon, id, staged, i)));
    // The first one warms up what stays.
    if (i === 0) rssBefore = rssOf(daemon);
  }
  return { told, grownBytes: Math.max(0, rssOf(daemon) - rssBefore), log: daemon.process.output };
}

async function submit(daemon: Daemon, staged: Staged, message: number): Promise<string> {
  const { one } = staged;
  const { text = "A line of text.\n", raw, fields, from = "a@sender.test" } = one.letter ?? {};
  const to = addresses(staged, message);
  if (raw !== undefined) {
    const query = new URLSearchParams({ from });
    for (const each of to) query.append("to", each);
    return post(daemon, messageFor(staged, message), `?${query}`);
  }
  return post(daemon, { from, to, subject: one.what, text, ...fields });
}

async function post(daemon: Daemon, body: object | string, query = ""): Promise<string> {
  const raw = typeof body === "string";
  const answer = await daemon.request(`/send${query}`, {
    method: "POST",
    headers: { "content-type": raw ? "message/rfc822" : "application/json" },
    body: raw ? Buffer.from(body, "utf8") : JSON.stringify(body),
  });
  const said = await answer.text();
  if (answer.status !== 202) throw new Error(`not accepted: ${answer.status} ${said}`);
  return (JSON.parse(said) as { id: string }).id;
}

/** Until every recipient has an outcome, and the one that the case ends with. */
async function follow(
  daemon: Daemon,
  id: string,
  staged: Staged,
  message: number,
): Promise<Told[]> {
  const { then } = staged.one.expect;
  const to = addresses(staged, message).map(wireForm);
  const endAt = performance.now() + (staged.one.slow === true ? SLOW_LIMIT_MS : LIMIT_MS);
  for (;;) {
    const events = await eventsOf(daemon, id);
    const told = to.map((address): Told => {
      const own = events.filter(({ postrider: one }) => one["recipient"] === address);
      const outcomes = own.flatMap(({ type }) => outcomeOf(type) ?? []);
      return { to: address, outcomes, events: own };
    });
    const isOver = ({ outcomes }: Told): boolean => {
      const last = outcomes.at(-1);
      return last !== undefined && (then === undefined || last !== "deferred");
    };
    if (told.every(isOver) || performance.now() > endAt) return told;
    await sleep(POLL_MS);
  }
}

/** Addresses are kept with their domain in lower case. */
function wireForm(address: string): string {
  const at = address.lastIndexOf("@");
  return address.slice(0, at) + address.slice(at).toLowerCase();
}

interface Listed {
  readonly type: string;
  readonly created_at: string;
  readonly data: { readonly postrider: Readonly<Record<string, unknown>> };
}

async function eventsOf(daemon: Daemon, id: string): Promise<TimelineEvent[]> {
  const answer = await daemon.request(`/emails/${id}/events`);
  const { data } = (await answer.json()) as { data: readonly Listed[] };
  return data.map(({ type, created_at, data: { postrider: facts } }) => {
    return { type, at: Date.parse(created_at), postrider: facts };
  });
}

function rssOf(daemon: Daemon): number {
  const status = readFileSync(`/proc/${daemon.process.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}
