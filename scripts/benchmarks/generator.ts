// The load: keep-alive HTTP clients that each send, wait for the answer and send again. Cheap on
// purpose, since it shares the machine with what is measured: a request is one copied buffer with a
// few digits written into it. Runs as a process of its own, so that its CPU can be told apart;
// prints one JSON line.
import { connect, type Socket } from "node:net";
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

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const template = templateOf(options);
  const each = messagesIn(options.form);
  const latencies = createSpread();
  const refused: Record<string, number> = {};
  let accepted = 0;
  let sent = 0;
  const client = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket: Socket = connect(options.port, "127.0.0.1");
      let sentAtMs = 0;
      const request = createRequest(template, options.sites);
      let heard = "";
      const next = (): void => {
        if (sent >= options.count) {
          socket.end();
          return resolve();
        }
        sentAtMs = performance.now();
        // The answer comes only after all of it was read, so the buffer is free by then.
        socket.write(request(options.firstId + sent));
        sent += each;
      };
      socket.setNoDelay(true);
      socket.on("connect", next);
      socket.on("error", reject);
      // After the last answer it means nothing any more.
      socket.on("close", () => reject(new Error("the daemon hung up")));
      socket.on("data", (chunk: Buffer) => {
        if (heard === "" && isPlainSuccess(chunk)) {
          latencies.add(performance.now() - sentAtMs);
          accepted += each;
          return next();
        }
        heard += chunk.toString("latin1");
        if (!isWhole(heard)) return;
        const status = heard.slice(9, 12);
        heard = "";
        latencies.add(performance.now() - sentAtMs);
        if (status.startsWith("2")) accepted += each;
        else refused[status] = (refused[status] ?? 0) + each;
        next();
      });
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
