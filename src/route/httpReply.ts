// The reply of a policy server, read by hand: one GET, one small text (RFC 8461 3.3). Whatever is not exactly that is refused, so that
// neither a redirect nor an endless body nor a page of HTML can pass for a policy.

export type HttpReply =
  /** Not all of it is there yet. */
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly why: string }
  | { readonly kind: "text"; readonly text: string };

/** RFC 8461 3.3 suggests 64 kilobytes. */
export const BODY_BYTES_MAX = 65_536;
const HEAD_BYTES_MAX = 16_384;
/** More than this of one reply is never kept: the framing of chunks may double it. */
export const REPLY_BYTES_MAX = HEAD_BYTES_MAX + 2 * BODY_BYTES_MAX;

/** `ended`: the server has closed the connection, so that no more will come. */
export function readHttpReply(bytes: Buffer, ended: boolean): HttpReply {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1 || end > HEAD_BYTES_MAX) {
    if (bytes.length > HEAD_BYTES_MAX) return bad("the head of the reply has no end");
    return ended ? bad("the reply was cut off") : { kind: "more" };
  }
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine)?.[1];
  if (status === undefined) return bad("the reply is no HTTP");
  const rest = bytes.subarray(end + 4);
  // Interim replies, such as early hints, come before the one that was asked for (RFC 9110 15.2).
  if (status.startsWith("1")) return readHttpReply(rest, ended);
  if (status !== "200") return bad(`status ${status}`);
  const headers = headersOf(lines);
  if (headers === undefined) return bad("a header cannot be read");
  const type = headers.get("content-type") ?? "";
  if (!/^text\/plain[ \t]*(?:;|$)/i.test(type)) return bad("the policy is not text/plain");
  if ((headers.get("content-encoding") ?? "identity") !== "identity")
    return bad("the policy is compressed");
  return readBody(rest, ended, headers);
}

function bad(why: string): HttpReply {
  return { kind: "bad", why };
}

/** Undefined when a line is none, or when a header that decides something stands twice. */
function headersOf(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value = ""] = /^([!-9;-~]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined) return undefined;
    const key = name.toLowerCase();
    if (headers.has(key) && key.startsWith("content-")) return undefined;
    headers.set(key, value);
  }
  return headers;
}

function readBody(bytes: Buffer, ended: boolean, headers: ReadonlyMap<string, string>): HttpReply {
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined)
    return coding.toLowerCase() === "chunked"
      ? readChunks(bytes, ended)
      : bad("the transfer encoding is unknown");
  const length = headers.get("content-length");
  if (length === undefined) {
    if (bytes.length > BODY_BYTES_MAX) return tooLarge();
    return ended ? textOf(bytes) : { kind: "more" };
  }
  if (!/^\d{1,15}$/.test(length)) return bad("the content length is no number");
  const wanted = Number(length);
  if (wanted > BODY_BYTES_MAX) return tooLarge();
  if (bytes.length >= wanted) return textOf(bytes.subarray(0, wanted));
  return ended ? bad("the reply was cut off") : { kind: "more" };
}

const tooLarge = (): HttpReply => bad(`more than ${BODY_BYTES_MAX} bytes`);

function readChunks(bytes: Buffer, ended: boolean): HttpReply {
  const parts: Buffer[] = [];
  let at = 0;
  let total = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n", at);
    if (end === -1) break;
    const size = /^([0-9a-f]{1,8})(?:[ \t]*;.*)?$/i.exec(bytes.toString("latin1", at, end))?.[1];
    if (size === undefined) return bad("a chunk has no proper size");
    const length = parseInt(size, 16);
    if (length === 0) return textOf(Buffer.concat(parts));
    total += length;
    if (total > BODY_BYTES_MAX) return tooLarge();
    const next = end + 2 + length;
    if (bytes.length < next + 2) break;
    if (bytes.toString("latin1", next, next + 2) !== "\r\n") return bad("a chunk has no end");
    parts.push(bytes.subarray(end + 2, next));
    at = next + 2;
  }
  if (bytes.length - at > BODY_BYTES_MAX + HEAD_BYTES_MAX) return tooLarge();
  return ended ? bad("the reply was cut off") : { kind: "more" };
}

function textOf(body: Buffer): HttpReply {
  return { kind: "text", text: body.toString("utf8") };
}
