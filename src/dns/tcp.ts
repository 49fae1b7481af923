// One question over TCP, for replies that do not fit a datagram (RFC 7766). Rare, so each question has a connection of its own.
import { connect } from "node:net";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Server } from "./servers.ts";
import { createIds, type Exchange, type Exchanged, type Patience } from "./udp.ts";
import { judge, withId, type Query } from "./wire.ts";

/** Connections to one server at a time; further questions wait. */
const CONNECTIONS_MAX = 16;
const WAITING_MAX = 1_000;

export interface TcpDeps {
  readonly server: Server;
  readonly clock: Clock;
  readonly random: Random;
}

export function createTcpExchange({ server, clock, random }: TcpDeps): Exchange {
  const nextId = createIds(random);
  const open = new Set<() => void>();
  /** How to start each question that waits, and how to give it up. */
  const waiting = new Map<() => void, () => void>();
  let closed = false;

  function exchange(query: Query, { timeoutMs, waitMs }: Patience): Promise<Exchanged> {
    return new Promise((resolve) => {
      if (closed || waiting.size >= WAITING_MAX)
        return resolve({ kind: "busy", why: closed ? "closed" : "too many questions wait" });
      let hangUp: (() => void) | undefined;
      const finish = (result: Exchanged): void => {
        timer.cancel();
        waiting.delete(start);
        open.delete(abandon);
        hangUp?.();
        resolve(result);
        next();
      };
      const abandon = (): void => finish({ kind: "busy", why: "closed" });
      let timer = clock.after(waitMs, () =>
        finish({ kind: "busy", why: `not sent over TCP within ${Math.round(waitMs)} ms` }),
      );
      const start = (): void => {
        waiting.delete(start);
        open.add(abandon);
        timer.cancel();
        timer = clock.after(timeoutMs, () =>
          finish({ kind: "silent", why: `no reply over TCP in ${Math.round(timeoutMs)} ms` }),
        );
        hangUp = talk(query, nextId(), finish);
      };
      waiting.set(start, abandon);
      next();
    });
  }

  function next(): void {
    for (const start of [...waiting.keys()]) {
      if (closed || open.size >= CONNECTIONS_MAX) return;
      start();
    }
  }

  /** Returns how to hang up. */
  function talk(query: Query, id: number, finish: (result: Exchanged) => void): () => void {
    const socket = connect(server.port, server.address);
    const reader = createFrameReader();
    const bytes = withId(query, id);
    socket.on("connect", () => {
      socket.write(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff, ...bytes));
    });
    socket.on("data", (chunk: Uint8Array) => {
      for (const frame of reader.push(chunk)) {
        const judged = judge(query, id, frame);
        if (judged.kind === "foreign") continue;
        // Truncated over TCP too: there is no larger transport to turn to.
        if (judged.kind === "truncated") finish({ kind: "broken", why: "truncated over TCP" });
        else finish(judged);
        return;
      }
    });
    socket.on("error", (error) => finish({ kind: "silent", why: error.message }));
    socket.on("close", () => finish({ kind: "silent", why: "the server closed the connection" }));
    return () => {
      socket.removeAllListeners();
      // A socket that is destroyed while it connects may still report an error.
      socket.on("error", () => {});
      socket.destroy();
    };
  }

  return {
    exchange,
    close() {
      closed = true;
      for (const abandon of [...open, ...waiting.values()]) abandon();
    },
  };
}

/** Cuts a stream into messages, each after its two bytes of length (RFC 1035 4.2.2): 64 KB at most is ever kept. */
export function createFrameReader(): { push(chunk: Uint8Array): Uint8Array[] } {
  let rest = new Uint8Array();
  return {
    push(chunk) {
      const all = new Uint8Array(rest.length + chunk.length);
      all.set(rest);
      all.set(chunk, rest.length);
      const frames: Uint8Array[] = [];
      let offset = 0;
      for (;;) {
        const length = ((all[offset] ?? 0) << 8) | (all[offset + 1] ?? 0);
        if (all.length < offset + 2 || all.length < offset + 2 + length) break;
        frames.push(all.subarray(offset + 2, offset + 2 + length));
        offset += 2 + length;
      }
      rest = all.slice(offset);
      return frames;
    },
  };
}
