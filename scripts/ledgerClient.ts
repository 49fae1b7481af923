// A client that never sends a request twice: a plain socket, since an HTTP library may repeat a
// request on a broken connection, which would look like a duplicate of ours.
import { connect } from "node:net";
import type { Books } from "./ledgerBooks.ts";

export interface Poster {
  /** Sends to this daemon until its connection breaks. */
  resume(port: number, key: string): void;
  /** Resolves when the connection is gone. */
  halted(): Promise<void>;
}

const TEXT = "One line of a message that must not be lost.\n".repeat(20);

export function createPoster(index: number, books: Books): Poster {
  let count = 0;
  let halted: Promise<void> = Promise.resolve();

  const request = (port: number, apiKey: string, key: string): string => {
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
    ];
    return `${head.join("\r\n")}\r\n\r\n${body}`;
  };

  return {
    resume(port, apiKey) {
      halted = new Promise((resolve) => {
        const socket = connect(port, "127.0.0.1");
        let key = "";
        let heard = "";
        const next = (): void => {
          key = `${index}-${count++}`;
          books.offered(key);
          heard = "";
          socket.write(request(port, apiKey, key));
        };
        socket.on("connect", next);
        // The daemon was killed: what was not answered was not promised.
        socket.on("error", () => socket.destroy());
        socket.on("close", () => resolve());
        socket.on("data", (chunk) => {
          heard += chunk.toString();
          const id = /"id":\s*"([0-9a-f-]{36})"/.exec(heard)?.[1];
          if (heard.startsWith("HTTP/1.1 2") && id !== undefined && isWhole(heard)) {
            books.promised(key, id);
            next();
          } else if (isWhole(heard)) socket.destroy();
        });
      });
    },
    halted: () => halted,
  };
}

function isWhole(heard: string): boolean {
  const head = heard.indexOf("\r\n\r\n");
  const length = /\r\ncontent-length: *(\d+)/i.exec(heard)?.[1];
  if (head < 0) return false;
  if (length === undefined) return heard.endsWith("0\r\n\r\n");
  return Buffer.byteLength(heard) >= head + 4 + Number(length);
}
