// The load: keep-alive HTTP clients that each send, wait for the answer and send again. Cheap on
// purpose, since it shares the machine with what is measured: a request is one copied buffer with a
// few digits written into it. Runs as a process of its own, so that its CPU can be told apart;
// prints one JSON line.
import { connect, type Socket } from "node:net";

export interface LoadOptions {
  readonly port: number;
  readonly key: string;
  readonly count: number;
  readonly clients: number;
  readonly bodyBytes: number;
  readonly sites: number;
  /** The first id: ids of a daemon's life do not repeat. */
  readonly firstId: number;
  readonly form: "json" | "raw";
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

const ID_DIGITS = 9;
const SITE_DIGITS = 3;
const LINE = 76;

/** A request with places for an id and a site's number. */
interface Template {
  readonly bytes: Buffer;
  readonly idsAt: readonly number[];
  readonly sitesAt: readonly number[];
}

export function templateOf(options: LoadOptions): Template {
  const id = "I".repeat(ID_DIGITS);
  const site = "S".repeat(SITE_DIGITS);
  const line = `${"lorem ipsum dolor sit amet ".repeat(4).slice(0, LINE)}`;
  const lines = Math.ceil(options.bodyBytes / (LINE + 2));
  const to = `x@s${site}.test`;
  const body =
    options.form === "raw"
      ? `From: a@sender.test\r\nTo: ${to}\r\nX-Id: ${id}\r\nSubject: bench\r\n\r\n${`${line}\r\n`.repeat(lines)}`
      : JSON.stringify({
          from: "a@sender.test",
          to,
          subject: "bench",
          text: `${line}\n`.repeat(lines),
          headers: { "X-Id": id },
        });
  const head = [
    `POST /send HTTP/1.1`,
    `Host: 127.0.0.1:${options.port}`,
    `Authorization: Bearer ${options.key}`,
    `Content-Type: ${options.form === "raw" ? "message/rfc822" : "application/json"}`,
    ...(options.idempotency ? [`Idempotency-Key: bench-${id}`] : []),
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  const bytes = Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`, "latin1");
  return { bytes, idsAt: placesOf(bytes, id), sitesAt: placesOf(bytes, site) };
}

function placesOf(bytes: Buffer, mark: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length))
    places.push(at);
  return places;
}

function writeDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  let left = value;
  for (let i = digits - 1; i >= 0; i--) {
    bytes[at + i] = 48 + (left % 10);
    left = Math.floor(left / 10);
  }
}

/** A client's own copy of the request, whose digits change from message to message. */
function createRequest(template: Template, sites: number): (id: number) => Buffer {
  const bytes = Buffer.from(template.bytes);
  return (id) => {
    for (const at of template.idsAt) writeDigits(bytes, at, ID_DIGITS, id);
    for (const at of template.sitesAt) writeDigits(bytes, at, SITE_DIGITS, id % sites);
    return bytes;
  };
}

export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const template = templateOf(options);
  const latenciesMs = new Float64Array(options.count);
  const refused: Record<string, number> = {};
  let accepted = 0;
  let sent = 0;
  let answered = 0;
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
        socket.write(request(options.firstId + sent++));
      };
      socket.setNoDelay(true);
      socket.on("connect", next);
      socket.on("error", reject);
      socket.on("data", (chunk: Buffer) => {
        latenciesMs[answered] = performance.now() - sentAtMs;
        if (heard === "" && isPlainSuccess(chunk)) {
          answered++;
          accepted++;
          return next();
        }
        heard += chunk.toString("latin1");
        if (!isWhole(heard)) return;
        const status = heard.slice(9, 12);
        heard = "";
        answered++;
        if (status.startsWith("2")) accepted++;
        else refused[status] = (refused[status] ?? 0) + 1;
        next();
      });
    });
  const cpuBefore = process.cpuUsage();
  const startedAtMs = performance.now();
  await Promise.all(Array.from({ length: options.clients }, client));
  const seconds = (performance.now() - startedAtMs) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const sorted = latenciesMs.subarray(0, answered).sort();
  return {
    accepted,
    refused,
    seconds,
    p50Ms: sorted[Math.floor(answered * 0.5)] ?? 0,
    p99Ms: sorted[Math.floor(answered * 0.99)] ?? 0,
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
