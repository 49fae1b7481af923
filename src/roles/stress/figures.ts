// What a daemon under load costs, as its own metrics tell it before and after; and how much of what it accepted it still has.
import { readFileSync } from "node:fs";
import { type Clock, pause, systemClock } from "../../base/clock.ts";
import type { DaemonClient } from "../../commands/daemonClient.ts";
import type { DaemonFigures } from "../../commands/stressReport.ts";
import type { QueueView } from "../../mail/query.ts";
import { isFinal, type StateName } from "../../mail/state.ts";
import type { Addresses } from "../../stress/mix.ts";

interface Reading {
  readonly cpuS: number;
  readonly rssBytes: number;
  readonly commits: number;
}

/** Null: they may not be read, which is no reason to do without the rest. */
export async function readDaemon(client: DaemonClient): Promise<Reading | null> {
  const said = await client.ask({ method: "GET", path: "/metrics" });
  if (said.kind !== "answer" || said.status !== 200) return null;
  const text = new TextDecoder().decode(said.bytes);
  return {
    cpuS: sumOf(text, "process_cpu_seconds_total"),
    rssBytes: sumOf(text, "process_resident_memory_bytes"),
    commits: sumOf(text, "postrider_commit_duration_seconds_count"),
  };
}

function sumOf(text: string, name: string): number {
  const rows = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "gm");
  return [...text.matchAll(rows)].reduce((sum, [, value]) => sum + Number(value), 0);
}

export function daemonFigures(
  before: Reading | null,
  after: Reading | null,
  { elapsedMs, messages, pid }: Span,
): DaemonFigures | null {
  if (before === null || after === null) return null;
  const cpuS = after.cpuS - before.cpuS;
  const commits = after.commits - before.commits;
  return {
    cpu_share: elapsedMs > 0 ? Number(((cpuS * 1000) / elapsedMs).toFixed(4)) : 0,
    cpu_us_per_message: messages > 0 ? Math.round((cpuS * 1e6) / messages) : null,
    rss_bytes: after.rssBytes,
    rss_peak_bytes: pid === null ? null : peakRssBytes(pid),
    commits,
    messages_per_commit: commits > 0 ? Number((messages / commits).toFixed(2)) : null,
  };
}

interface Span {
  readonly elapsedMs: number;
  readonly messages: number;
  /** Null: a process of somewhere else. */
  readonly pid: number | null;
}

/** proc(5); null where there is none. */
function peakRssBytes(pid: number): number | null {
  try {
    const found = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return found === null ? null : Number(found[1]) * 1024;
  } catch {
    return null;
  }
}

/** What a daemon says of everything that it ever had. */
export interface QueueSums {
  readonly delivered: number;
  readonly failed: number;
  readonly queued: number;
  /** Of what is queued: what waits for nothing but its turn. */
  readonly busy: number;
}

/** Of a daemon that has nothing else to do. */
export async function ownQueue(client: DaemonClient): Promise<QueueSums | null> {
  const said = await client.ask({ method: "GET", path: "/queue" });
  if (said.kind !== "answer" || said.status !== 200) return null;
  const { counts } = said.body as QueueView;
  const sum = (isMeant: (state: StateName) => boolean): number =>
    counts.reduce((all, { state, recipients }) => all + (isMeant(state) ? recipients : 0), 0);
  return {
    delivered: sum((state) => state === "delivered"),
    failed: sum((state) => isFinal(state) && state !== "delivered"),
    queued: sum((state) => !isFinal(state)),
    busy: sum((state) => state === "queued" || state === "sending"),
  };
}

const TRIES_MAX = 10;
const AGAIN_MS = 500;

/** A daemon that was just under load may be busy for a moment. */
export async function ownQueueSoon(
  client: DaemonClient,
  clock: Clock = systemClock,
): Promise<QueueSums | null> {
  for (let tries = TRIES_MAX; ; tries--) {
    const sums = await ownQueue(client);
    if (sums !== null || tries <= 1) return sums;
    await pause(clock, AGAIN_MS);
  }
}

const REST_LOOKS_MAX = 20;
const REST_EVERY_MS = 200;

/** A verdict is recorded some time after the sink has taken the message: the sums once they no longer change. */
export async function ownQueueAtRest(
  client: DaemonClient,
  clock: Clock = systemClock,
): Promise<QueueSums | null> {
  let sums = await ownQueueSoon(client, clock);
  for (let looks = REST_LOOKS_MAX; looks > 0 && sums !== null; looks--) {
    const before = sums;
    await pause(clock, REST_EVERY_MS);
    sums = await ownQueueSoon(client, clock);
    if (sums?.delivered === before.delivered && sums.failed === before.failed) break;
  }
  return sums;
}

export function without(all: QueueSums, before: QueueSums): QueueSums {
  return {
    delivered: all.delivered - before.delivered,
    failed: all.failed - before.failed,
    queued: all.queued - before.queued,
    busy: all.busy,
  };
}

const OPEN_STATES = ["queued", "sending", "deferred", "held", "scheduled"] as const;
const PAGE = 100;
const PAGES_MAX = 100;

interface EmailPage {
  readonly data: readonly { readonly id: string; readonly to: readonly string[] }[];
  readonly has_more: boolean;
}

/** Of a daemon that has other mail as well: messages of this run that have no end yet. Null: too many to be asked for. */
export async function queuedOf(
  client: DaemonClient,
  { domain, since, addresses }: Where,
): Promise<number | null> {
  const seen = new Set<number>();
  let pages = 0;
  for (const status of OPEN_STATES) {
    for (let after = "", more = true; more;) {
      if (pages++ >= PAGES_MAX) return null;
      const place = after === "" ? {} : { after };
      const asked = { status, domain, since, limit: String(PAGE), ...place };
      const path = `/emails?${new URLSearchParams(asked).toString()}`;
      const said = await client.ask({ method: "GET", path });
      if (said.kind !== "answer" || said.status !== 200) return null;
      const page = said.body as EmailPage;
      for (const { to } of page.data) {
        const n = addresses.numberIn(to[0] ?? "");
        // A message may move from one state to the next between two pages.
        if (n !== undefined) seen.add(n);
      }
      after = page.data.at(-1)?.id ?? "";
      more = page.has_more && after !== "";
    }
  }
  return seen.size;
}

interface Where {
  readonly domain: string;
  /** RFC 3339. */
  readonly since: string;
  readonly addresses: Addresses;
}
