// A network in one process: connections with a latency each way, in order, that break when the plan says so or when one of their
// ends is killed.
import type { Clock } from "../../src/base/clock.ts";
import type { Random } from "../../src/base/random.ts";
import type {
  Connect,
  ConnectFailure,
  Connection,
  Listener,
  Target,
  TlsResult,
} from "../../src/deliver/connection.ts";
import type { FaultRates } from "./plan.ts";

/** The far end of a connection, as a server sees it. */
export interface Wire {
  say(text: string): void;
  hangUp(): void;
}

export interface Guest {
  heard(text: string): void;
  /** The other side is gone; what it sent before has been heard. */
  left(): void;
  secured(proven: boolean): void;
}

export interface NetworkDeps {
  /** Of the world: outlives the processes. */
  readonly clock: Clock;
  readonly random: Random;
  readonly latencyMs: number;
  readonly faults: () => FaultRates;
  /** Nobody is reached. */
  readonly isCut: () => boolean;
  /** A client came to this address. */
  readonly welcome: (target: Target, wire: Wire) => Guest;
  /** How many connections a client now holds to the site of this address. */
  readonly holds: (target: Target, connections: number) => void;
}

export interface Network {
  /** Connections made by it end with `kill(owner)`. */
  connectFor(owner: number): Connect;
  kill(owner: number): void;
  /** The line is lost under all connections: some break, of the others nothing is heard any more. */
  tear(): void;
}

interface Pair {
  readonly owner: number;
  readonly target: Target;
  /** The client has not closed it. */
  held: boolean;
  listener: Listener | undefined;
  early: Uint8Array[];
  guest: Guest | undefined;
  open: boolean;
  /** What is said gets lost. */
  mute: boolean;
  toServerAt: number;
  toClientAt: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function createNetwork(deps: NetworkDeps): Network {
  const { clock, random, faults } = deps;
  const pairs = new Set<Pair>();
  const dead = new Set<number>();
  const held = new Map<string, number>();
  const latency = (): number => 0.5 + random.roll() * deps.latencyMs;

  const hold = ({ target }: Pair, by: number): void => {
    const site = target.host.slice(target.host.indexOf(".") + 1);
    const connections = (held.get(site) ?? 0) + by;
    held.set(site, connections);
    if (by > 0) deps.holds(target, connections);
  };

  const release = (pair: Pair): void => {
    if (pair.held) hold(pair, -1);
    pair.held = false;
    pair.listener = undefined;
  };

  const shut = (pair: Pair): void => {
    if (!pair.open) return;
    pair.open = false;
    pairs.delete(pair);
    pair.guest?.left();
  };

  const toServer = (pair: Pair, run: () => void): void => {
    pair.toServerAt = Math.max(pair.toServerAt, clock.monotonicMs() + latency());
    clock.after(pair.toServerAt - clock.monotonicMs(), () => pair.open && !pair.mute && run());
  };

  const toClient = (pair: Pair, run: () => void): void => {
    pair.toClientAt = Math.max(pair.toClientAt, clock.monotonicMs() + latency());
    clock.after(pair.toClientAt - clock.monotonicMs(), () => void (pair.mute || run()));
  };

  const wireOf = (pair: Pair): Wire => ({
    say(text) {
      // A reply may come in pieces, at any place.
      const bytes = encoder.encode(text);
      const cut = random.roll() < 0.2 ? Math.floor(random.roll() * bytes.length) : 0;
      for (const piece of cut === 0 ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)])
        toClient(pair, () => {
          if (!pair.open) return;
          if (pair.listener === undefined) pair.early.push(piece);
          else pair.listener.data(piece);
        });
    },
    hangUp() {
      toClient(pair, () => {
        if (!pair.open) return;
        shut(pair);
        const { listener } = pair;
        release(pair);
        listener?.closed("the server closed the connection");
      });
    },
  });

  const clientOf = (pair: Pair): Connection => ({
    kind: "connected",
    source: "198.51.100.1",
    tls: null,
    listen(listener) {
      pair.listener = listener;
      for (const chunk of pair.early) listener.data(chunk);
      pair.early = [];
    },
    write(octets) {
      const text = typeof octets === "string" ? octets : decoder.decode(octets);
      toServer(pair, () => pair.guest?.heard(text));
      return true;
    },
    startTls: () =>
      new Promise<TlsResult>((resolve) => {
        const proven = random.roll() >= faults().unprovenTls;
        const refused = pair.target.tls === "verify" && !proven;
        const broken = random.roll() < faults().brokenTls || refused;
        toClient(pair, () => {
          if (broken) return resolve({ kind: "failed", text: "the handshake failed" });
          pair.guest?.secured(proven);
          resolve({
            kind: "secured",
            facts: {
              version: "TLSv1.3",
              cipher: "TLS_AES_128_GCM_SHA256",
              verified: proven,
              resumed: false,
              handshakeMs: 1,
              verifyMs: 0,
              policy: "opportunistic",
              unproven: proven ? "" : "simulated: unproven",
            },
          });
        });
      }),
    close() {
      release(pair);
      toServer(pair, () => shut(pair));
    },
  });

  return {
    connectFor: (owner) => (target, deadlineMs, signal) =>
      new Promise((resolve) => {
        const { refuseConnect, hangConnect } = faults();
        const end = (result: Connection | ConnectFailure): void => {
          signal.removeEventListener("abort", stop);
          resolve(result);
        };
        const fail = (why: ConnectFailure["why"]): void =>
          end({ kind: "failure", why, text: `simulated: ${why}` });
        const stop = (): void => fail("stopped");
        signal.addEventListener("abort", stop, { once: true });
        if (deps.isCut() && random.roll() < 0.5)
          return void clock.after(latency(), () => fail("network"));
        if (deps.isCut() || random.roll() < hangConnect)
          return void clock.after(deadlineMs, () => fail("timeout"));
        if (random.roll() < refuseConnect)
          return void clock.after(latency(), () => fail("network"));
        clock.after(latency(), () => {
          if (signal.aborted || dead.has(owner)) return;
          const pair: Pair = {
            owner,
            target,
            held: true,
            listener: undefined,
            early: [],
            guest: undefined,
            open: true,
            mute: false,
            toServerAt: 0,
            toClientAt: 0,
          };
          pairs.add(pair);
          hold(pair, 1);
          pair.guest = deps.welcome(target, wireOf(pair));
          end(clientOf(pair));
        });
      }),
    tear() {
      for (const pair of [...pairs]) {
        if (random.roll() < 0.5) {
          pair.mute = true;
          continue;
        }
        const { listener } = pair;
        shut(pair);
        release(pair);
        listener?.closed("the connection broke");
      }
    },
    kill(owner) {
      dead.add(owner);
      for (const pair of [...pairs]) {
        if (pair.owner !== owner) continue;
        release(pair);
        // What was written may still arrive, a dot among it.
        if (random.roll() < 0.5) toServer(pair, () => shut(pair));
        else shut(pair);
      }
    },
  };
}
