// Postrider as a contender: the compiled binary, straight to the MX of every site by a private
// dnsmasq.
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { startDaemon, type Daemon } from "../../tests/fixtures/daemon.ts";
import { startDnsmasq, type Dnsmasq } from "../../tests/fixtures/dnsmasq.ts";
import { perMessage, untilTaken, type Contender } from "./contender.ts";
import type { LoadOptions, LoadResult } from "./generator.ts";
import { createLoad } from "./load.ts";
import { rssBytes, threadsOf, writtenBytes } from "./proc.ts";
import type { Receiver } from "./receiver.ts";

export interface OursOptions {
  readonly folder: string;
  readonly dnsmasq: string;
  readonly receiver: Receiver;
  readonly sites: number;
  readonly clients: number;
  readonly bodyBytes: number;
  readonly form: LoadOptions["form"];
  readonly idempotency: boolean;
  readonly flags?: readonly string[];
  /** The last site is at an address of its own, where the receiver does not listen. */
  readonly isRefusing?: boolean;
}

export interface Ours extends Contender {
  readonly daemon: Daemon;
  load(count: number): Promise<LoadResult>;
}

/** `sNNN.test`, each with its own MX at its own address of loopback. */
export function startSites(dnsmasq: string, sites: number, isRefusing = false): Promise<Dnsmasq> {
  const all = Array.from({ length: sites }, (_, i) => i);
  const domain = (i: number): string => `s${String(i).padStart(3, "0")}.test`;
  const address = (i: number): string =>
    isRefusing && i === sites - 1
      ? "::1"
      : sites === 1
        ? "127.0.0.1"
        : `127.0.${10 + Math.floor(i / 100)}.${10 + (i % 100)}`;
  return startDnsmasq(dnsmasq, {
    mx: all.map((i) => [domain(i), `mx.${domain(i)}`, 10]),
    hosts: all.map((i) => [`mx.${domain(i)}`, address(i)]),
  });
}

export async function startOurs(options: OursOptions): Promise<Ours> {
  const { receiver, folder } = options;
  const dns = await startSites(options.dnsmasq, options.sites, options.isRefusing);
  const daemon = await startDaemon({
    dataDir: mkdtempSync(join(folder, "ours-")),
    flags: [
      ...["--dns-servers", dns.address, "--smtp-port", String(receiver.port)],
      ...["--deny-destinations", "none", "--hostname", "bench.test", "--log-level", "warn"],
      ...(options.flags ?? []),
    ],
  });
  const { pid } = daemon.process;
  const { clients, bodyBytes, sites, form, idempotency } = options;
  const generate = createLoad({ clients, bodyBytes, sites, form, idempotency });
  const load = (count: number): Promise<LoadResult> => generate(daemon, count);

  return {
    name: "postrider",
    receiver,
    daemon,
    load,
    async round(count) {
      const total = receiver.count() + count;
      const cpuBefore = cpuByThread(pid, receiver.pid);
      const writtenBefore = writtenBytes(pid);
      const startedAtMs = performance.now();
      const [result, endedAtMs] = await Promise.all([load(count), untilTaken(receiver, total)]);
      const seconds = (endedAtMs - startedAtMs) / 1000;
      return {
        count,
        deliveredPerSecond: count / seconds,
        acceptedPerSecond: count / result.seconds,
        acceptP50Ms: result.p50Ms,
        acceptP99Ms: result.p99Ms,
        cpuUs: {
          ...perMessage(cpuBefore, cpuByThread(pid, receiver.pid), count),
          generator: result.cpuUs / count,
        },
        writtenBytes: (writtenBytes(pid) - writtenBefore) / count,
        rssBytes: rssBytes(pid),
      };
    },
    async stop() {
      await daemon.stop();
      await dns.stop();
    },
  };
}

/** The runtime's own threads (collector, compiler) are one row. */
export function cpuByThread(pid: number, receiverPid: number): Map<string, number> {
  const byName = new Map<string, number>();
  const add = (name: string, us: number): void => {
    byName.set(name, (byName.get(name) ?? 0) + us);
  };
  for (const { tid, name, us } of threadsOf(pid))
    add(tid === pid ? "door" : (/^(queue|sender|reader)/.exec(name)?.[1] ?? "runtime"), us);
  for (const { us } of threadsOf(receiverPid)) add("receiver", us);
  return byName;
}
