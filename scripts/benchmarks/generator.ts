// The load: keep-alive HTTP clients that each send, wait for the answer and send again. Cheap on
// purpose, since it shares the machine with what is measured: a request is one copied buffer with a
// few digits written into it. Runs as a process of its own, so that its CPU can be told apart;
// prints one JSON line.
import type { Socket } from "bun";
import { createSpread } from "../../src/base/spread.ts";
import { createRequest, type Form, messagesIn, templateOf } from "./request.ts";

export interface LoadOptions {
  readonly port: number;
  readonly key: string;
  readonly count: number;
  readonly clients: number;
  readonly bodyBytes: number;
  readonly sites: number;
  /** The first id: ids of a daemon's life do not repeat. */
  readonly firstId: number;
  readonly form: Form;
  readonly idempotency: boolean;
}

export interface LoadResult {
  readonly accepted: number;
  /** Answers other than 2xx, by status. */
  readonly refused: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
}

const NOTHING = Buffer.alloc(0);

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const template = templateOf(options);
  const each = messagesIn(options.form);
  const latencies = createSpread();
  const refused: Record<string, number> = {};
  let accepted = 0;
  let sent = 0;
  const client = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let sentAtMs = 0;
      const request = createRequest(template, options.sites);
      let heard = "";
      /** What the system did not take yet. */
      let unsent: Buffer = NOTHING;
      const write = (socket: Socket, bytes: Buffer): void => {
        const taken = Math.max(0, socket.write(bytes));
        unsent = taken < bytes.length ? bytes.subarray(taken) : NOTHING;
      };
      const next = (socket: Socket): void => {
        if (sent >= options.count) {
          resolve();
          return void socket.end();
        }
        sentAtMs = performance.now();
        // The answer comes only after all of it was read, so the buffer is free by then.
        write(socket, request(options.firstId + sent));
        sent += each;
      };
      const answered = (socket: Socket, status: string): void => {
        latencies.add(performance.now() - sentAtMs);
        if (status.startsWith("2")) accepted += each;
        else refused[status] = (refused[status] ?? 0) + each;
        next(socket);
      };
      const data = (socket: Socket, chunk: Buffer): void => {
        if (heard === "" && isPlainSuccess(chunk)) return answered(socket, "2xx");
        heard += chunk.toString("latin1");
        if (!isWhole(heard)) return;
        const status = heard.slice(9, 12);
        heard = "";
        answered(socket, status);
      };
      // The runtime's own sockets cost half of what node:net's do.
      Bun.connect({
        hostname: "127.0.0.1",
        port: options.port,
        socket: {
          open: next,
          data,
          drain(socket) {
            if (unsent.length > 0) write(socket, unsent);
          },
          error: (_socket, error) => reject(error),
          // After the last answer it means nothing any more.
          close: () => reject(new Error("the daemon hung up")),
        },
      }).catch(reject);
    });
  const cpuBefore = process.cpuUsage();
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: options.clients }, client));
  const seconds = (performance.now() - startedAtMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  return {
    accepted,
    refused,
    seconds,
    p50Ms: latencies.quantileMs(0.5) ?? 0,
    p99Ms: latencies.quantileMs(0.99) ?? 0,
    cpuUs: user + system,
  };
}

const [TWO, CLOSING_BRACE] = [50, 125];

/** `HTTP/1.1 2..` in one piece: the answer to a message is one JSON object, so it ends where that does. */
function isPlainSuccess(chunk: Buffer): boolean {
  return chunk[9] === TWO && chunk[chunk.length - 1] === CLOSING_BRACE;
}

/** Answers here are short; both framings of HTTP/1.1 are understood. */
function isWhole(heard: string): boolean {
  const head = heard.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /\r\ncontent-length: *(\d+)/i.exec(heard)?.[1];
  if (length !== undefined) return heard.length >= head + 4 + Number(length);
  return heard.endsWith("0\r\n\r\n");
}

if (import.meta.main)
  console.log(JSON.stringify(await runLoad(JSON.parse(process.argv[2] ?? "{}") as LoadOptions)));
