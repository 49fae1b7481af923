// Answers of the daemon, or of a proxy before it, as they come in pieces (RFC 9112): only as much of HTTP as a load needs to know when an
// answer is whole and what it says.

export interface Reply {
  readonly status: number;
  /** The message's id; empty where nothing was accepted. */
  readonly id: string;
  /** The problem's name; empty where there is none. */
  readonly name: string;
  /** Null: nothing was said about coming again. */
  readonly retryAfterS: number | null;
  /** The connection ends with it. */
  readonly closes: boolean;
}

export type Heard =
  | { readonly kind: "more" }
  | { readonly kind: "reply"; readonly reply: Reply }
  | { readonly kind: "garbage" };

/** Answers here are short; whoever says so much is no daemon. */
const REPLY_MAX_BYTES = 1_000_000;
const NAME_MAX = 60;

const more: Heard = { kind: "more" };
const garbage: Heard = { kind: "garbage" };

/** One answer after the other: after a whole one, the next chunk begins the next one. */
export function createReplyReader(): (chunk: Uint8Array) => Heard {
  let kept = "";
  return (chunk) => {
    const text = kept + latin1(chunk);
    const heard = read(text);
    kept = heard.kind === "more" ? text : "";
    return kept.length > REPLY_MAX_BYTES ? garbage : heard;
  };
}

function latin1(chunk: Uint8Array): string {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
}

function read(text: string): Heard {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return more;
  const head = text.slice(0, headEnd + 2);
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
  if (status === 0) return garbage;
  const body = bodyOf(head, text, headEnd + 4);
  if (body === undefined) return more;
  // An interim answer (RFC 9110 15.2) is followed by the real one.
  if (status < 200) return body === "" ? more : read(body);
  return { kind: "reply", reply: replyOf(status, head, body) };
}

const CHUNKED = /\r\ntransfer-encoding:[^\r]*chunked/i;

/** Undefined: there is more to come. */
function bodyOf(head: string, text: string, from: number): string | undefined {
  if (/^HTTP\/1\.. 1\d\d/.test(head)) return text.slice(from);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) {
    const end = from + Number(length);
    return text.length < end ? undefined : text.slice(from, end);
  }
  if (!CHUNKED.test(head)) return "";
  return /(?:^|\r\n)0\r\n(?:[^\r]+\r\n)*\r\n$/.test(text.slice(from))
    ? text.slice(from)
    : undefined;
}

function replyOf(status: number, head: string, body: string): Reply {
  const accepted = status < 300;
  const after = /\r\nretry-after: *(\d{1,6})\r/i.exec(head)?.[1];
  return {
    status,
    id: accepted ? (/"id": ?"([0-9a-f-]{36})"/.exec(body)?.[1] ?? "") : "",
    name: accepted ? "" : (/"name": ?"(\w+)"/.exec(body)?.[1] ?? "").slice(0, NAME_MAX),
    retryAfterS: after === undefined ? null : Number(after),
    closes: /\r\nconnection: *close/i.test(head),
  };
}
