// A client that writes each request by hand: a plain socket, since an HTTP library may repeat a request on a broken connection, which
// would look like a duplicate of ours. Without idempotency keys nothing is sent twice; with them each request is repeated until it is
// answered with 2xx, and some are repeated after that.
import { connect, type Socket } from "node:net";
import type { Books } from "./ledgerBooks.ts";

export interface Poster {
  /** Sends to this daemon until its connection breaks. */
  resume(port: number, key: string): void;
  /** Resolves when the connection is gone. */
  halted(): Promise<void>;
  /** From now on only what is still without an answer is sent; resolves with the connection's end. */
  finish(port: number, key: string): Promise<void>;
}

export interface PosterOptions {
  readonly index: number;
  readonly books: Books;
  /** Each request carries a key of its own. */
  readonly idempotent: boolean;
}

interface Daemon {
  readonly port: number;
  readonly apiKey: string;
}

const TEXT = "One line of a message that must not be lost.\n".repeat(20);
/** One request in so many is repeated although it was answered. */
const REPEAT_EVERY = 10;
/** Before a request that was refused comes again. */
const AGAIN_MS = 20;

function requestText({ port, apiKey }: Daemon, key: string, idempotent: boolean): string {
  const body = JSON.stringify({
    from: "a@ledger.test",
    to: "ok@remote.test",
    subject: key,
    text: TEXT,
    headers: { "X-Id": key },
  });
  const head = [
    "POST /send HTTP/1.1",
    `Host: 127.0.0.1:${port}`,
    `Authorization: Bearer ${apiKey}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(idempotent ? [`Idempotency-Key: ${key}`] : []),
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
}

export function createPoster({ index, books, idempotent }: PosterOptions): Poster {
  let count = 0;
  /** What has no answer with 2xx yet; empty: the next is a new one. */
  let pending = "";
  /** It was answered, and is asked once more. */
  let repeating = false;
  let finishing = false;
  let halted: Promise<void> = Promise.resolve();

  const ask = (socket: Socket, daemon: Daemon): void => {
    if (pending === "") {
      if (finishing) return void socket.end();
      pending = `${index}-${count++}`;
      books.offered(pending);
    }
    socket.write(requestText(daemon, pending, idempotent));
  };

  /** What a whole answer means for the request that is under way. */
  const hear = (heard: string): "go on" | "again" | "stop" => {
    const id = /"id":\s*"([0-9a-f-]{36})"/.exec(heard)?.[1];
    if (heard.startsWith("HTTP/1.1 2") && id !== undefined) {
      if (repeating && !/\r\nidempotent-replayed: true\r\n/i.test(heard)) books.unmarked(pending);
      books.promised(pending, id);
      repeating = idempotent && !repeating && count % REPEAT_EVERY === 0;
      if (!repeating) pending = "";
      return "go on";
    }
    return idempotent && /^HTTP\/1\.1 (409|429|503) /.test(heard) ? "again" : "stop";
  };

  const open = (daemon: Daemon): void => {
    halted = new Promise((resolve) => {
      const socket = connect(daemon.port, "127.0.0.1");
      let heard = "";
      const next = (): void => {
        heard = "";
        if (!socket.destroyed) ask(socket, daemon);
      };
      socket.on("connect", next);
      // The daemon was killed: what was not answered was not promised.
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        if (!idempotent) pending = "";
        resolve();
      });
      socket.on("data", (chunk) => {
        heard += chunk.toString();
        if (!isWhole(heard)) return;
        const what = hear(heard);
        if (what === "go on") next();
        else if (what === "again") setTimeout(next, AGAIN_MS);
        else socket.destroy();
      });
    });
  };

  return {
    resume: (port, apiKey) => open({ port, apiKey }),
    halted: () => halted,
    finish(port, apiKey) {
      finishing = true;
      open({ port, apiKey });
      return halted;
    },
  };
}

function isWhole(heard: string): boolean {
  const head = heard.indexOf("\r\n\r\n");
  const length = /\r\ncontent-length: *(\d+)/i.exec(heard)?.[1];
  if (head < 0) return false;
  if (length === undefined) return heard.endsWith("0\r\n\r\n");
  return Buffer.byteLength(heard) >= head + 4 + Number(length);
}
