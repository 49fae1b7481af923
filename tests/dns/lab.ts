// A resolver over real sockets against fake servers, with short deadlines; and a clock that a test moves by hand.
import type { Clock, Timer } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Answer } from "../../src/dns/answer.ts";
import { createResolver, type Resolver } from "../../src/dns/resolver.ts";
import { parseHosts, type Server } from "../../src/dns/servers.ts";
import {
  createUpstream,
  type QueryResult,
  type Upstream,
  type UpstreamSettings,
} from "../../src/dns/upstream.ts";
import { udpLimits, type UdpLimits } from "../../src/dns/udp.ts";
import { startFakeDns, type FakeDns } from "./fakeServer.ts";

export interface Lab {
  readonly fakes: readonly FakeDns[];
  readonly upstream: Upstream;
  readonly resolver: Resolver;
  /** Result of each question that was put to a server. */
  readonly queries: readonly QueryResult[];
  close(): Promise<void>;
}

export interface LabOptions extends Partial<UpstreamSettings> {
  readonly servers?: readonly Server[];
  readonly fakeCount?: number;
  /** Whether the word of the fake servers that an answer is validated counts. */
  readonly trusted?: boolean;
  readonly hosts?: string;
  readonly limits?: UdpLimits;
}

/** Long enough for a busy machine to answer on loopback, where a reply is expected. */
const PATIENT_MS = 5_000;

export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const { fakeCount = 1, hosts = "", servers = [], limits = udpLimits, ...rest } = options;
  const { trusted = true, ...settings } = rest;
  const fakes = await Promise.all(Array.from({ length: fakeCount }, () => startFakeDns()));
  const queries: QueryResult[] = [];
  const upstream = createUpstream({
    clock: systemClock,
    random: seededRandom(7),
    settings: {
      timeoutMs: PATIENT_MS,
      ...settings,
      servers: [...servers, ...fakes.map((fake) => ({ ...fake.server, trusted }))],
    },
    udpLimits: limits,
    onQuery: (_, result) => void queries.push(result),
  });
  const resolver = createResolver({
    clock: systemClock,
    ask: upstream.ask,
    hosts: parseHosts(hosts),
  });
  return {
    fakes,
    upstream,
    resolver,
    queries,
    async close() {
      upstream.close();
      await Promise.all(fakes.map((fake) => fake.close()));
    },
  };
}

export interface HandClock extends Clock {
  advance(ms: number): Promise<void>;
  /** The wall clock alone jumps. */
  setWall(at: number): void;
}

export function handClock(startAt = 1_800_000_000_000): HandClock {
  let elapsedMs = 0;
  let wallAt = startAt;
  let waiting: { readonly dueMs: number; readonly run: () => void }[] = [];
  return {
    now: () => wallAt,
    monotonicMs: () => elapsedMs,
    after(delayMs, run): Timer {
      const one = { dueMs: elapsedMs + delayMs, run };
      waiting.push(one);
      return { cancel: () => void (waiting = waiting.filter((other) => other !== one)) };
    },
    soon: (run) => queueMicrotask(run),
    setWall: (at) => void (wallAt = at),
    async advance(ms) {
      elapsedMs += ms;
      wallAt += ms;
      const due = waiting.filter((one) => one.dueMs <= elapsedMs);
      waiting = waiting.filter((one) => one.dueMs > elapsedMs);
      for (const one of due) one.run();
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
  };
}

/** An answer without its instants: what it says. */
export function said<T>(answer: Answer<T>): string {
  if (answer.kind === "found") return JSON.stringify(answer.records);
  return answer.kind === "none" ? answer.why : "unknown";
}
