// Questions over UDP to one server. Of 2,000 questions sent at once through one socket about 1,800 are lost in the socket's buffer,
// so few are in flight and the rest wait here; several sockets, each soon replaced, make the port as hard to guess as the id
// (RFC 5452). The sockets are connected: the kernel drops what other sources send.
import { createSocket, type Socket } from "node:dgram";
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Server } from "./servers.ts";
import { idOf, judge, withId, type Query, type Reply } from "./wire.ts";

/** What came of one question put once to one server. */
export type Exchanged =
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "truncated" }
  /** A reply that cannot be read. */
  | { readonly kind: "broken"; readonly why: string }
  /** No reply in time, or none possible. */
  | { readonly kind: "silent"; readonly why: string }
  /** Never sent: too many others were. Says nothing about the server. */
  | { readonly kind: "busy"; readonly why: string };

export interface Patience {
  /** For the reply, from when the question is sent. */
  readonly timeoutMs: number;
  /** For its turn to be sent. */
  readonly waitMs: number;
}

export interface Exchange {
  /** Settles within the sum of its two limits; never rejects. */
  exchange(query: Query, patience: Patience): Promise<Exchanged>;
  close(): void;
}

export interface UdpLimits {
  readonly inFlightMax: number;
  readonly socketsMax: number;
  /** After so many questions a socket makes room for one with another port. */
  readonly questionsPerSocket: number;
  /** Questions that wait for a place in flight. */
  readonly waitingMax: number;
}

export const udpLimits: UdpLimits = {
  inFlightMax: 100,
  socketsMax: 12,
  questionsPerSocket: 500,
  waitingMax: 10_000,
};

export interface UdpDeps {
  readonly server: Server;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: UdpLimits;
}

interface Pending {
  readonly query: Query;
  readonly timeoutMs: number;
  readonly settle: (result: Exchanged) => void;
  timer: Timer | undefined;
  /** Where it is in flight; undefined while it waits. */
  lane: Lane | undefined;
  id: number;
  done: boolean;
}

interface Lane {
  readonly socket: Socket;
  readonly pending: Map<number, Pending>;
  /** Datagrams that wait until the socket is connected; undefined from then on. */
  unsent: Uint8Array[] | undefined;
  asked: number;
  closed: boolean;
}

export function createUdpExchange({
  server,
  clock,
  random,
  limits = udpLimits,
}: UdpDeps): Exchange {
  const lanes: Lane[] = [];
  const retired = new Set<Lane>();
  const nextId = createIds(random);
  let waiting: Pending[] = [];
  let waitingFrom = 0;
  let inFlight = 0;
  let closed = false;

  function exchange(query: Query, { timeoutMs, waitMs }: Patience): Promise<Exchanged> {
    return new Promise((settle) => {
      if (closed || waiting.length - waitingFrom >= limits.waitingMax)
        return settle({ kind: "busy", why: closed ? "closed" : "too many questions wait" });
      const pending: Pending = {
        query,
        timeoutMs,
        settle,
        timer: undefined,
        lane: undefined,
        id: 0,
        done: false,
      };
      waiting.push(pending);
      pump();
      if (pending.lane !== undefined || pending.done) return;
      pending.timer = clock.after(waitMs, () =>
        finish(pending, { kind: "busy", why: `not sent within ${Math.round(waitMs)} ms` }),
      );
    });
  }

  function pump(): void {
    while (inFlight < limits.inFlightMax && waitingFrom < waiting.length) {
      const pending = waiting[waitingFrom++] as Pending;
      if (!pending.done) send(pending);
    }
    if (waitingFrom === waiting.length || waitingFrom > limits.waitingMax) {
      waiting = waiting.slice(waitingFrom);
      waitingFrom = 0;
    }
  }

  function send(pending: Pending): void {
    const lane = takeLane();
    let id = nextId();
    while (lane.pending.has(id)) id = nextId();
    pending.lane = lane;
    pending.id = id;
    pending.timer?.cancel();
    pending.timer = clock.after(pending.timeoutMs, () =>
      finish(pending, {
        kind: "silent",
        why: `no reply in ${Math.round(pending.timeoutMs)} ms`,
      }),
    );
    lane.pending.set(id, pending);
    lane.asked++;
    inFlight++;
    const bytes = withId(pending.query, id);
    if (lane.unsent !== undefined) lane.unsent.push(bytes);
    else transmit(lane, bytes);
  }

  function takeLane(): Lane {
    const index = Math.floor(random.roll() * limits.socketsMax);
    const found = lanes[index];
    if (found === undefined) {
      const lane = openLane();
      lanes.push(lane);
      return lane;
    }
    if (found.asked < limits.questionsPerSocket) return found;
    const lane = openLane();
    lanes[index] = lane;
    retired.add(found);
    closeIfIdle(found);
    return lane;
  }

  function openLane(): Lane {
    const socket = createSocket(server.address.includes(":") ? "udp6" : "udp4");
    const lane: Lane = { socket, pending: new Map(), unsent: [], asked: 0, closed: false };
    socket.on("message", (bytes) => receive(lane, bytes));
    // ECONNREFUSED and the like: an ICMP message that does not say which question it is about.
    socket.on("error", (error) => fail(lane, error));
    socket.on("connect", () => {
      const unsent = lane.unsent ?? [];
      lane.unsent = undefined;
      for (const bytes of unsent) transmit(lane, bytes);
    });
    socket.connect(server.port, server.address);
    return lane;
  }

  function transmit(lane: Lane, bytes: Uint8Array): void {
    // The callback takes errors away from the `error` event; the question's own deadline covers a lost datagram.
    lane.socket.send(bytes, (error) => {
      if (error !== null) fail(lane, error);
    });
  }

  function receive(lane: Lane, bytes: Uint8Array): void {
    const pending = lane.pending.get(idOf(bytes));
    if (pending === undefined) return;
    const judged = judge(pending.query, pending.id, bytes);
    if (judged.kind !== "foreign") finish(pending, judged);
  }

  /** The socket is of no more use to what it carries; the next question opens another. */
  function fail(lane: Lane, error: Error): void {
    if (lane.closed) return;
    const index = lanes.indexOf(lane);
    if (index >= 0) lanes.splice(index, 1);
    retired.add(lane);
    for (const pending of [...lane.pending.values()])
      finish(pending, { kind: "silent", why: error.message });
    closeIfIdle(lane);
  }

  function finish(pending: Pending, result: Exchanged): void {
    if (pending.done) return;
    pending.done = true;
    pending.timer?.cancel();
    const { lane } = pending;
    if (lane !== undefined) {
      lane.pending.delete(pending.id);
      inFlight--;
      closeIfIdle(lane);
    }
    pending.settle(result);
    pump();
  }

  function closeIfIdle(lane: Lane): void {
    if (lane.pending.size > 0 || !retired.delete(lane)) return;
    lane.closed = true;
    lane.socket.close();
  }

  function close(): void {
    closed = true;
    for (const lane of lanes.splice(0)) retired.add(lane);
    const open = [...retired].flatMap((lane) => [...lane.pending.values()]);
    for (const pending of [...open, ...waiting.slice(waitingFrom)])
      finish(pending, { kind: "busy", why: "closed" });
    for (const lane of [...retired]) closeIfIdle(lane);
  }

  return { exchange, close };
}

const IDS_AT_ONCE = 256;

/** Ids that cannot be guessed (RFC 5452 9.2), drawn many at a time since a draw costs more than a question. */
export function createIds(random: Pick<Random, "bytes">): () => number {
  let drawn = new Uint8Array();
  let used = 0;
  return () => {
    if (used + 2 > drawn.length) {
      drawn = Uint8Array.from(random.bytes(IDS_AT_ONCE * 2));
      used = 0;
    }
    const id = ((drawn[used] ?? 0) << 8) | (drawn[used + 1] ?? 0);
    used += 2;
    return id;
  };
}
