// A network of our own, so that ports 25 and 53 are free, addresses are ours without limit, and packets can be lost: a network namespace
// that ends with the process. The caller starts itself again inside of it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "../peers.ts";

export const RESOLVER = "198.18.0.53";
/** Never answers. */
export const DEAD_RESOLVER = "198.19.99.53";

const INSIDE = "FAULT_LAB";

/** What the kernel lets us do here. */
export interface Lab {
  /** nftables is there: packets can be lost. */
  readonly packets: boolean;
  readonly root: boolean;
  /** Destinations that were looked for in the silent range. */
  soughtAddresses(): string[];
}

/** Undefined inside of the network; outside, the exit code of the run within, or why there can be none. */
export function enterLab(script: string, args: readonly string[]): number | string | undefined {
  if (process.env[INSIDE] !== undefined) return undefined;
  const unshare = program("unshare");
  if (unshare === undefined) return "unshare is not installed";
  const asRoot = process.getuid?.() === 0;
  const flags = asRoot ? ["--net", "--mount"] : ["--net", "--mount", "--map-root-user"];
  const trial = spawnSync(unshare, [...flags, "true"], { encoding: "utf8" });
  if (trial.status !== 0) return `no network of our own: ${trial.stderr.trim()}`;
  const run = spawnSync(unshare, [...flags, process.execPath, script, ...args], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: asRoot ? "root" : "user" },
  });
  return run.status ?? 1;
}

function program(name: string): string | undefined {
  return findProgram(name, process.env["PATH"] ?? "");
}

function run(name: string, args: readonly string[], input?: string): string {
  const found = program(name);
  if (found === undefined) throw new Error(`${name} is not installed`);
  return execFileSync(found, args, { encoding: "utf8", input: input ?? "" });
}

/** 198.18.0.0/16 and fd77::/64 are this host; 198.19.0.0/16 and fd78::/64 swallow everything. */
const addresses = [
  ["link", "set", "lo", "up"],
  ["route", "add", "local", "198.18.0.0/16", "dev", "lo"],
  ["route", "add", "local", "198.19.0.0/16", "dev", "lo"],
  ["-6", "route", "add", "local", "fd77::/64", "dev", "lo"],
  ["-6", "route", "add", "local", "fd78::/64", "dev", "lo"],
] as const;

/** Ranges within ours to which packets get lost. */
export const bad = { loss: "198.18.250", shortPackets: "198.18.251" } as const;

/** 30 % loss and 200 kbit/s each way; packets over 1400 octets lost without a word; silence. */
const ruleset = `
table inet faults {
  set sought { type ipv4_addr; size 4096; flags dynamic; }
  set sought6 { type ipv6_addr; size 4096; flags dynamic; }
  chain out {
    type filter hook output priority 0; policy accept;
    ip daddr 198.19.0.0/16 add @sought { ip daddr } drop
    ip6 daddr fd78::/64 add @sought6 { ip6 daddr } drop
    ip daddr ${bad.loss}.0/24 numgen random mod 100 < 30 drop
    ip saddr ${bad.loss}.0/24 numgen random mod 100 < 30 drop
    ip daddr ${bad.loss}.0/24 limit rate over 25 kbytes/second burst 8 kbytes drop
    ip daddr ${bad.shortPackets}.0/24 ip length > 1400 drop
  }
}
`;

export function openLab(): Lab {
  for (const args of addresses) run("ip", args);
  useResolver();
  let packets = true;
  try {
    run("nft", ["-f", "-"], ruleset);
  } catch {
    packets = false;
  }
  return {
    packets,
    root: process.env[INSIDE] === "root",
    soughtAddresses() {
      const sets = run("nft", ["list", "sets", "inet"]);
      return [...sets.matchAll(/\b(?:198\.19\.\d+\.\d+|fd78:[0-9a-f:]+)/g)].map(([one]) => one);
    },
  };
}

/** Peers ask whom /etc/resolv.conf names; in this mount namespace that is our server. */
function useResolver(): void {
  const folder = mkdtempSync(join(tmpdir(), "fault-lab-"));
  const file = join(folder, "resolv.conf");
  writeFileSync(file, `nameserver ${RESOLVER}\noptions timeout:1 attempts:2\n`);
  run("mount", ["--bind", file, "/etc/resolv.conf"]);
  // The mount keeps the file; its name may go.
  rmSync(folder, { recursive: true });
}
