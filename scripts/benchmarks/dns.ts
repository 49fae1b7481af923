// How long mail waits for the DNS: the route of a domain (MX, A and AAAA) asked of a resolver on loopback, found in memory (L1), read
// back from the database (L2), and served on through an outage.  scripts/bench dns [--names N]
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import type { KeptAnswer } from "../../src/dns/kept.ts";
import { createResolver } from "../../src/dns/resolver.ts";
import { createUpstream } from "../../src/dns/upstream.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import { createRouter, defaultRouterSettings } from "../../src/route/router.ts";
import { describeMachine } from "./machine.ts";

const QUERY_TIMEOUT_MS = 2_000;
/** Past every answer's end, and well within the three days for which it may still serve. */
const OUTAGE_MS = 3_600_000;

interface Figures {
  readonly level: string;
  readonly names: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly perSecond: number;
}

interface Server {
  readonly port: number;
  fallSilent(): Promise<void>;
  stop(): void;
}

async function startServer(): Promise<Server> {
  const program = join(import.meta.dir, "dnsProgram.ts");
  const child: ChildProcess = spawn(process.execPath, [program], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  if (child.stdout === null) throw new Error("the server has no output");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { port } = JSON.parse((await lines.next()).value ?? "{}") as { port: number };
  return {
    port,
    async fallSilent() {
      child.stdin?.write("silent\n");
      await lines.next();
    },
    stop: () => void child.stdin?.end(),
  };
}

/** What one process of the daemon has of the DNS. */
function openLife(store: QueueStore, port: number, clock: Clock, entriesMax: number) {
  const upstream = createUpstream({
    clock,
    random: systemRandom,
    settings: { servers: [{ address: "127.0.0.1", port }], timeoutMs: QUERY_TIMEOUT_MS },
  });
  const rows: KeptAnswer[] = [];
  const resolver = createResolver({
    clock,
    random: systemRandom,
    ask: upstream.ask,
    hosts: new Map(),
    // MX, A and AAAA of each.
    entriesMax: entriesMax * 3,
    keep: (row) => void rows.push(row),
    recall: store.recallOne,
    isSilent: upstream.isSilent,
  });
  const router = createRouter({
    lookup: resolver.lookup,
    clock,
    settings: { ...defaultRouterSettings, mtaSts: false, dane: false },
  });
  return { upstream, router, rows };
}

type Life = ReturnType<typeof openLife>;

async function measure(level: string, { router }: Life, names: readonly string[]) {
  const times: number[] = [];
  const startedMs = performance.now();
  for (const name of names) {
    const beforeMs = performance.now();
    const routing = await router.routeFor(name);
    times.push(performance.now() - beforeMs);
    if (routing.kind !== "route") throw new Error(`${level}: ${name}: ${routing.text}`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number): number => {
    const ms = times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
    return Math.round(ms * 10_000) / 10_000;
  };
  const figures: Figures = {
    level,
    names: names.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    perSecond: Math.round(names.length / seconds),
  };
  return figures;
}

async function compare(folder: string, names: readonly string[]): Promise<Figures[]> {
  const opened = openSqliteStore({ dataDir: folder, random: systemRandom });
  if (opened.kind === "refused") throw new Error(opened.text);
  const { store } = opened;
  const server = await startServer();
  try {
    const first = openLife(store, server.port, systemClock, names.length);
    const cold = await measure("cold", first, names);
    first.router.forget();
    const l1 = await measure("L1", first, names);
    const kept = store.transaction(() => store.remember(first.rows));
    if (kept.kind === "failed") throw new Error(kept.text);
    const second = openLife(store, server.port, systemClock, names.length);
    const l2 = await measure("L2", second, names);
    await server.fallSilent();
    const later: Clock = { ...systemClock, now: () => systemClock.now() + OUTAGE_MS };
    const third = openLife(store, server.port, later, names.length);
    const stale = await measure("stale", third, names);
    for (const { upstream } of [first, second, third]) upstream.close();
    return [cold, l1, l2, stale];
  } finally {
    server.stop();
    store.close();
  }
}

const { values } = parseArgs({ options: { names: { type: "string", default: "5000" } } });
const names = Array.from({ length: Number(values.names) }, (_, i) => `d${i}.bench.test`);
const folder = mkdtempSync(join(tmpdir(), "postrider-dns-"));
try {
  const levels = await compare(folder, names);
  const report = { bench: "dns", machine: describeMachine(folder), levels };
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, "dns.json"), `${JSON.stringify(report, null, 2)}\n`);
  console.log("level    p50 ms    p99 ms    max ms   routes/s");
  for (const { level, p50Ms, p99Ms, maxMs, perSecond } of levels) {
    const cells = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(4).padStart(10));
    console.log(`${level.padEnd(6)}${cells.join("")}${String(perSecond).padStart(11)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
