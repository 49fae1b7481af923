// One question to the servers of this host: several tries, each with a new id and port, within a bounded total. A server that does
// not answer is asked last for a while; one that chokes on EDNS is asked without; a truncated reply is asked for again over TCP.
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Server } from "./servers.ts";
import { createTcpExchange } from "./tcp.ts";
import { createUdpExchange, type Exchange, type Exchanged, type UdpLimits } from "./udp.ts";
import { makeQuery, rcodes, type Query, type Question, type Reply } from "./wire.ts";

export type Outcome =
  /** NOERROR or NXDOMAIN, from a server that resolves for us. */
  | { readonly kind: "reply"; readonly reply: Reply }
  /** `told`: at least one server said that it could not help, such as with SERVFAIL. */
  | { readonly kind: "unknown"; readonly why: string; readonly told: boolean };

/** Settles within its own total; never rejects. The seam at which a simulator puts a DNS of its own. */
export type Ask = (question: Question) => Promise<Outcome>;

export type QueryResult = "ok" | "nxdomain" | "refused" | "broken" | "silent";

export interface UpstreamSettings {
  readonly servers: readonly Server[];
  /** For one try. */
  readonly timeoutMs: number;
  /** Rounds over all servers. */
  readonly rounds?: number;
  /** For one question with all its tries; the last one may end a try's time later. */
  readonly totalMs?: number;
  readonly dnssecOk?: boolean;
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: UpstreamSettings;
  readonly onQuery?: (type: string, result: QueryResult, seconds: number) => void;
  readonly udpLimits?: UdpLimits;
}

export interface Upstream {
  readonly ask: Ask;
  /** True when the last questions to every server went unanswered: the uplink may be down. */
  isSilent(): boolean;
  /** Other servers or times from now on: questions that are out go on to them. */
  configure(settings: UpstreamSettings): void;
  close(): void;
}

const ROUNDS = 2;
const TOTAL_MS = 15_000;
/** A try with less time than this would only count as silence. */
const TRY_MIN_MS = 1;
/** How long a server that did not answer is asked after the others. */
const SHUN_MS = 10_000;
/** How long a server that did not understand EDNS is asked without it. */
const PLAIN_MS = 600_000;
/** So many questions in a row without any reply make a server silent. */
const SILENT_AFTER = 3;

interface Peer {
  readonly server: Server;
  readonly udp: Exchange;
  readonly tcp: Exchange;
  shunnedUntilMs: number;
  plainUntilMs: number;
  silentInARow: number;
}

export function createUpstream(deps: UpstreamDeps): Upstream {
  const { clock, random, onQuery } = deps;
  let { settings } = deps;
  let peers = connectPeers(settings.servers);

  function connectPeers(servers: readonly Server[]): Peer[] {
    return servers.map((server) => ({
      server,
      udp: createUdpExchange({
        server,
        clock,
        random,
        ...(deps.udpLimits === undefined ? {} : { limits: deps.udpLimits }),
      }),
      tcp: createTcpExchange({ server, clock, random }),
      shunnedUntilMs: 0,
      plainUntilMs: 0,
      silentInARow: 0,
    }));
  }

  async function ask(question: Question): Promise<Outcome> {
    const deadlineMs = clock.monotonicMs() + (settings.totalMs ?? TOTAL_MS);
    // A server that spoke and could not help is not asked again for this question.
    const spoke = new Set<Peer>();
    let why = "no DNS server is set";
    for (let round = 0; round < (settings.rounds ?? ROUNDS); round++) {
      for (const peer of inOrder()) {
        const leftMs = deadlineMs - clock.monotonicMs();
        if (leftMs < TRY_MIN_MS) return { kind: "unknown", why, told: spoke.size > 0 };
        if (spoke.has(peer)) continue;
        const result = await askPeer(peer, question, leftMs);
        if (result.kind === "reply") return result;
        if (result.spoke) spoke.add(peer);
        why = `${question.type} ${question.name}: ${peer.server.address}: ${result.why}`;
      }
    }
    return { kind: "unknown", why, told: spoke.size > 0 };
  }

  function inOrder(): Peer[] {
    const nowMs = clock.monotonicMs();
    const shunned = (peer: Peer): boolean => peer.shunnedUntilMs > nowMs;
    return [...peers.filter((peer) => !shunned(peer)), ...peers.filter(shunned)];
  }

  async function askPeer(peer: Peer, question: Question, leftMs: number): Promise<Tried> {
    const edns = peer.plainUntilMs <= clock.monotonicMs();
    const dnssecOk = settings.dnssecOk === true;
    const first = await exchange(peer, makeQuery(question, { edns, dnssecOk }), leftMs);
    const isChoked = edns && first.kind === "reply" && chokedOnEdns.has(first.reply.rcode);
    if (!isChoked) return judgeExchanged(first, peer.server);
    peer.plainUntilMs = clock.monotonicMs() + PLAIN_MS;
    const second = await exchange(peer, makeQuery(question, { edns: false }), leftMs);
    return judgeExchanged(second, peer.server);
  }

  async function exchange(peer: Peer, query: Query, leftMs: number): Promise<Exchanged> {
    const startedMs = clock.monotonicMs();
    const patience = { timeoutMs: Math.min(settings.timeoutMs, leftMs), waitMs: leftMs };
    const first = await peer.udp.exchange(query, patience);
    if (first.kind === "busy") return first;
    const result = first.kind === "truncated" ? await peer.tcp.exchange(query, patience) : first;
    // A refused TCP connection says nothing about the server's health over UDP.
    if (first.kind === "silent") {
      peer.silentInARow++;
      peer.shunnedUntilMs = clock.monotonicMs() + SHUN_MS;
    } else {
      peer.silentInARow = 0;
      peer.shunnedUntilMs = 0;
    }
    onQuery?.(query.type, resultOf(result), (clock.monotonicMs() - startedMs) / 1000);
    return result;
  }

  function hangUp(): void {
    for (const { udp, tcp } of peers) {
      udp.close();
      tcp.close();
    }
  }

  return {
    ask,
    isSilent: () => peers.every((peer) => peer.silentInARow >= SILENT_AFTER),
    configure(next) {
      const isSame = JSON.stringify(next.servers) === JSON.stringify(settings.servers);
      settings = next;
      if (isSame) return;
      hangUp();
      peers = connectPeers(next.servers);
    },
    close: hangUp,
  };
}

const chokedOnEdns: ReadonlySet<number> = new Set([rcodes.formErr, rcodes.notImp, rcodes.badVers]);

/** What one server could do for a question; `spoke`: it will say no more when it is asked again. */
type Tried =
  | Extract<Outcome, { kind: "reply" }>
  | { readonly kind: "no"; readonly spoke: boolean; readonly why: string };

function judgeExchanged(result: Exchanged, server: Server): Tried {
  switch (result.kind) {
    case "reply": {
      const { rcode, referral } = result.reply;
      const secure = result.reply.secure && server.trusted === true;
      const told: Tried = { kind: "reply", reply: { ...result.reply, secure } };
      if (rcode === rcodes.nxDomain) return told;
      if (rcode !== rcodes.noError) return { kind: "no", spoke: true, why: rcodeName(rcode) };
      // A referral from a server that does not recurse would otherwise look like "no such record".
      if (referral) return { kind: "no", spoke: true, why: "does not resolve for us" };
      return told;
    }
    case "truncated":
      return { kind: "no", spoke: true, why: "truncated" };
    case "broken":
    case "silent":
    case "busy":
      return { kind: "no", spoke: false, why: result.why };
    default:
      return unreachable(result);
  }
}

function resultOf(result: Exchanged): QueryResult {
  if (result.kind === "silent" || result.kind === "busy") return "silent";
  if (result.kind !== "reply") return "broken";
  const { rcode } = result.reply;
  if (rcode === rcodes.noError) return "ok";
  return rcode === rcodes.nxDomain ? "nxdomain" : "refused";
}

function rcodeName(rcode: number): string {
  if (rcode === rcodes.servFail) return "SERVFAIL";
  if (rcode === rcodes.refused) return "REFUSED";
  if (rcode === rcodes.formErr) return "FORMERR";
  return `response code ${rcode}`;
}
