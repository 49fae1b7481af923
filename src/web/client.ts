// Requests to addresses that somebody else chose, to open none of the doors that only this host can open: the name is resolved by our own
// DNS, each address is checked, the checked one is connected to, no redirect is followed, and time and bytes have an end.
import type { Cidr } from "../base/cidr.ts";
import { type Exchange, type Exchanged, requestOf, runExchange, type Sink } from "./exchange.ts";
import type { Timer } from "../base/clock.ts";
import { mayConnect } from "./guard.ts";
import { createPool, type PoolLimits } from "./pool.ts";
import type { ReplyHead } from "./reply.ts";
import { parseTarget, type Target } from "./target.ts";
import { dial, type DialDeps, type Wire } from "./wire.ts";

export type Resolved =
  | { readonly kind: "found"; readonly addresses: readonly string[] }
  | { readonly kind: "none" | "unknown"; readonly why: string };

/** Our own DNS, the host's table included. Best addresses first. */
export type Resolve = (host: string) => Promise<Resolved>;

export interface WebClientDeps extends DialDeps {
  readonly resolve: Resolve;
  /** Ranges that are open besides the public internet, and the only ones for `http://`; as they are now. */
  opened(): readonly Cidr[];
  readonly pool?: PoolLimits;
  /** Requests at once; beyond that they fail as `busy`. */
  readonly requestsMax?: number;
}

export interface WebAsk {
  readonly url: string;
  /** Names in any case; Host, lengths and Connection are ours. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For all of it: looking up, connecting, the last byte of the reply. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface WebPost extends WebAsk {
  readonly body: Uint8Array;
  /** As much of the reply's body is kept; the rest is not even read. */
  readonly keepBytes: number;
  /** How long that much is waited for once the head is there, which has said all that matters. */
  readonly bodyMs: number;
}

export interface WebGet extends WebAsk {
  /** A longer body fails as `too_large`. */
  readonly bytesMax: number;
  /** Pieces of the body of a 200, in order; nothing more is read until its promise is settled. Others bodies are not read. */
  take(piece: Uint8Array): void | Promise<void>;
}

/**
 * - `invalid`: the URL cannot be asked.
 * - `forbidden`: its address is closed.
 * - `protocol`: what came is no HTTP that we read.
 */
export type WebTrouble =
  | "invalid"
  | "forbidden"
  | "resolve"
  | "connect"
  | "tls"
  | "timeout"
  | "protocol"
  | "too_large"
  | "aborted"
  | "busy";

export type WebReply =
  | {
      readonly kind: "reply";
      readonly status: number;
      readonly headers: ReplyHead["headers"];
      /** What was kept of it; empty for a GET. */
      readonly body: Uint8Array;
      readonly address: string;
    }
  | { readonly kind: "failed"; readonly why: WebTrouble; readonly text: string };

export interface WebClient {
  post(ask: WebPost): Promise<WebReply>;
  get(ask: WebGet): Promise<WebReply>;
  /** Requests under way, and connections that wait. */
  open(): { readonly requests: number; readonly idle: number };
  close(): void;
}

type How = Pick<Exchange, "sink" | "onHead">;

/** Addresses of one name that are tried. */
const ADDRESSES_MAX = 4;
const REQUESTS_MAX = 256;

export function createWebClient(deps: WebClientDeps): WebClient {
  const { clock, requestsMax = REQUESTS_MAX } = deps;
  const pool = createPool(clock, deps.pool);
  /** Ends each request that is under way. */
  const running = new Set<() => void>();
  let closed = false;

  async function ask(what: WebAsk, body: Uint8Array | null, how: How): Promise<WebReply> {
    const parsed = parseTarget(what.url);
    if (parsed.kind === "refused") return failed("invalid", `The URL ${parsed.why}.`);
    if (running.size >= requestsMax) return failed("busy", "Too many requests are under way.");
    if (closed || what.signal?.aborted === true) return givenUp;
    const { target } = parsed;
    // One signal for all that may end it: to join several costs more than the request is long.
    const ending = new AbortController();
    const { signal } = ending;
    let late = false;
    const timer = clock.after(what.timeoutMs, () => {
      late = true;
      ending.abort();
    });
    const end = (): void => ending.abort();
    running.add(end);
    what.signal?.addEventListener("abort", end, { once: true });
    try {
      const method = body === null ? "GET" : "POST";
      const request = requestOf(target, method, what.headers ?? {}, body);
      const result = await perform(target, { request, signal, ...how });
      if (result.kind === "reply" || !signal.aborted) return result;
      return late ? failed("timeout", `No full reply within ${what.timeoutMs / 1000} s.`) : givenUp;
    } finally {
      running.delete(end);
      what.signal?.removeEventListener("abort", end);
      timer.cancel();
    }
  }

  async function perform(target: Target, exchange: Exchange): Promise<WebReply> {
    const { signal } = exchange;
    const origin = `${target.scheme}://${target.authority}`;
    const may = (address: string): boolean => mayConnect(target.scheme, address, deps.opened());
    const kept = pool.take(origin, may);
    if (kept !== undefined) {
      const result = await runExchange(kept, exchange);
      if (result.kind === "reply" || !result.silent || signal.aborted)
        return conclude(origin, kept, result);
      kept.close();
    }
    const addresses = await addressesOf(target, may, signal);
    if ("kind" in addresses) return addresses;
    let trouble: WebReply = failed("connect", "No address answers.");
    for (const address of addresses) {
      const dialed = await dial(deps, target, address, signal);
      if (dialed.kind === "open")
        return conclude(origin, dialed.wire, await runExchange(dialed.wire, exchange));
      trouble = failed(dialed.why, `${dialed.text}.`);
      if (signal.aborted) break;
    }
    return trouble;
  }

  function conclude(origin: string, wire: Wire, result: Exchanged): WebReply {
    if (result.kind === "reply" && result.reusable) pool.give(origin, wire);
    else wire.close();
    if (result.kind === "failed") return failed(result.why, result.text);
    const { status, headers } = result.head;
    return { kind: "reply", status, headers, body: new Uint8Array(), address: wire.address };
  }

  async function addressesOf(
    { host, scheme, isLiteral }: Target,
    may: (address: string) => boolean,
    signal: AbortSignal,
  ): Promise<readonly string[] | WebReply> {
    const found: Resolved = isLiteral
      ? { kind: "found", addresses: [host] }
      : await unlessAborted(deps.resolve(host), signal);
    if (found.kind !== "found") return failed("resolve", `${host}: ${found.why}.`);
    const allowed = found.addresses.filter(may);
    if (allowed.length > 0) return allowed.slice(0, ADDRESSES_MAX);
    const why = scheme === "http" ? "closed to http://" : "closed";
    return failed("forbidden", `${host} is at ${found.addresses[0]}, which is ${why}.`);
  }

  return {
    async post({ keepBytes, bodyMs, body, ...what }) {
      const kept: Buffer[] = [];
      let left = keepBytes;
      const sink: Sink = (piece) => {
        // A copy: the piece is part of a larger buffer, which would live on with it.
        if (left > 0) kept.push(Buffer.from(piece.subarray(0, left)));
        left -= Math.min(left, piece.length);
        return left === 0;
      };
      const impatience = new AbortController();
      let timer: Timer | undefined;
      const onHead = (): AbortSignal => {
        timer = clock.after(bodyMs, () => impatience.abort());
        return impatience.signal;
      };
      const reply = await ask(what, body, { sink, onHead });
      timer?.cancel();
      return reply.kind === "reply" ? { ...reply, body: Buffer.concat(kept) } : reply;
    },
    async get({ bytesMax, take, ...what }) {
      let seen = 0;
      let over = false;
      const sink: Sink = async (piece, { status, headers }) => {
        if (status !== 200) return true;
        seen += piece.length;
        // A length that was announced spares the bytes that would only be thrown away.
        over = Math.max(seen, Number(headers.get("content-length") ?? 0)) > bytesMax;
        if (!over) await take(piece);
        return over;
      };
      const reply = await ask(what, null, { sink });
      if (reply.kind === "failed" || !over) return reply;
      return failed("too_large", `The body is longer than ${bytesMax} bytes.`);
    },
    open: () => ({ requests: running.size, idle: pool.size() }),
    close() {
      closed = true;
      for (const end of running) end();
      pool.close();
    },
  };
}

function failed(why: WebTrouble, text: string): Extract<WebReply, { kind: "failed" }> {
  return { kind: "failed", why, text };
}

const givenUp = failed("aborted", "It was given up.");

/** The DNS has limits of its own, but they are not this request's. */
function unlessAborted(looking: Promise<Resolved>, signal: AbortSignal): Promise<Resolved> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => resolve({ kind: "unknown", why: "the DNS did not answer in time" });
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    looking.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}
