// The requests of the load, each made once: what differs from message to message is a few digits, whose places are known.
import { type Addresses, NUMBER_DIGITS } from "./mix.ts";

export interface RequestOptions {
  readonly host: string;
  /** With what a proxy wants before it. */
  readonly path: string;
  /** Empty where the socket's file is the key. */
  readonly key: string;
  readonly from: string;
  readonly addresses: Addresses;
  readonly priority: "p0" | "p1" | "p2";
  /** Of the text. */
  readonly bodyBytes: number;
}

/** The pieces of one request, to be written one after the other; they stay as they are until the same writer makes its next one. */
export type Writer = (n: number) => readonly Uint8Array[];

const LINE = 76;
const WORDS = "lorem ipsum dolor sit amet ";
/** Larger ones share their body among all connections, at the price of a second write. */
const COPIED_MAX_BYTES = 65_536;
const [ZERO, TEN] = [48, 10];

interface Template {
  readonly head: Buffer;
  readonly numberAt: number;
}

/** Each connection has a writer of its own. */
export function createRequests(options: RequestOptions): () => Writer {
  const { addresses } = options;
  const tail = Buffer.from(tailOf(options), "latin1");
  const isSmall = tail.length <= COPIED_MAX_BYTES;
  const templates = addresses.mix.map((_, share): Template => {
    const text = headOf(options, share, tail.length);
    const head = Buffer.from(text, "latin1");
    return {
      head: isSmall ? Buffer.concat([head, tail]) : head,
      numberAt: text.length - NUMBER_DIGITS,
    };
  });
  return () => {
    const own: (Buffer | undefined)[] = [];
    return (n) => {
      const share = addresses.shareOf(n);
      const { head, numberAt } = templates[share] as Template;
      const bytes = (own[share] ??= Buffer.from(head));
      writeDigits(bytes, numberAt, n);
      return isSmall ? [bytes] : [bytes, tail];
    };
  };
}

/** Up to and with the number. */
function headOf(options: RequestOptions, share: number, tailBytes: number): string {
  const { from, addresses } = options;
  const to = `${addresses.before(share)}${"0".repeat(NUMBER_DIGITS)}`;
  const begin = `{"from":${JSON.stringify(from)},"to":"${to}`;
  const fields = [
    `POST ${options.path} HTTP/1.1`,
    `Host: ${options.host}`,
    ...(options.key === "" ? [] : [`Authorization: Bearer ${options.key}`]),
    "Content-Type: application/json",
    `Content-Length: ${begin.length + tailBytes}`,
  ];
  return `${fields.join("\r\n")}\r\n\r\n${begin}`;
}

function tailOf({ addresses, priority, bodyBytes }: RequestOptions): string {
  const line = `${WORDS.repeat(4).slice(0, LINE - 1)}\n`;
  const text = line.repeat(Math.ceil(bodyBytes / line.length)).slice(0, bodyBytes) || "-";
  const rest = JSON.stringify({ subject: "postrider stress", priority, text }).slice(1);
  return `${addresses.after}",${rest}`;
}

function writeDigits(bytes: Buffer, at: number, value: number): void {
  let left = value;
  for (let i = NUMBER_DIGITS - 1; i >= 0; i--) {
    bytes[at + i] = ZERO + (left % TEN);
    left = Math.floor(left / TEN);
  }
}
