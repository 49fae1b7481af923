// The pieces of a client's commands: paths with parameters (RFC 5321 4.1.2), what AUTH brings (RFC 4616, RFC 4954), and the name in EHLO.

export interface Path {
  /** Between the angle brackets, without a source route; empty for the null reverse-path. Not yet checked as an address. */
  readonly address: string;
  readonly ascii: boolean;
  /** Names in upper case; the value is empty when there is none. */
  readonly parameters: ReadonlyMap<string, string>;
}

const noParameters: ReadonlyMap<string, string> = new Map();

/** `rest` is what follows `MAIL` or `RCPT`. A space behind the colon is wrong and common. */
export function parsePath(rest: string, keyword: "FROM" | "TO"): Path | undefined {
  const colon = keyword.length;
  if (rest.charCodeAt(colon) !== COLON || rest.slice(0, colon).toUpperCase() !== keyword)
    return undefined;
  let start = colon + 1;
  while (rest.charCodeAt(start) === SPACE) start++;
  if (rest.charCodeAt(start) !== OPEN) return undefined;
  const end = closing(rest, start + 1);
  if (end < 0) return undefined;
  const address = withoutRoute(rest.slice(start + 1, end));
  const tail = rest.slice(end + 1);
  if (tail !== "" && !tail.startsWith(" ")) return undefined;
  const parameters = tail.trim() === "" ? noParameters : parametersOf(tail);
  return parameters && { address, ascii: isAscii(address), parameters };
}

const COLON = 58;
const SPACE = 32;
const OPEN = 60;
const CLOSE = 62;
const QUOTE = 34;
const BACKSLASH = 92;

/** The index of the bracket that ends the path; one within a quoted local part is text. */
function closing(text: string, from: number): number {
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (quoted && code === BACKSLASH) i++;
    else if (code === QUOTE) quoted = !quoted;
    else if (!quoted && code === CLOSE) return i;
    else if (!quoted && (code === OPEN || code === SPACE)) return -1;
  }
  return -1;
}

/** `@relay.example:user@example.com`: servers ignore the route (RFC 5321 4.1.1.3). */
function withoutRoute(path: string): string {
  if (!path.startsWith("@")) return path;
  const colon = path.indexOf(":");
  return colon < 0 ? path : path.slice(colon + 1);
}

/** Undefined when one is no `NAME` or `NAME=VALUE`, or stands twice. */
function parametersOf(tail: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  for (const word of tail.trim().split(/ +/)) {
    const parts = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u0080-\uffff]*))?$/.exec(word);
    const name = parts?.[1]?.toUpperCase();
    if (name === undefined || found.has(name)) return undefined;
    found.set(name, parts?.[2] ?? "");
  }
  return found;
}

export function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** RFC 1870: at most 20 digits; undefined when it is no number. */
export function sizeOf(value: string): number | undefined {
  return /^\d{1,20}$/.test(value) ? Number(value) : undefined;
}

/** Undefined when it is no base64 (RFC 4954 4). */
export function decodeBase64(text: string): string | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, "base64").toString();
}

/** The password of `authzid NUL authcid NUL password`; whatever the names, the key says who it is. */
export function passwordOf(plain: string): string | undefined {
  const parts = plain.split("\0");
  return parts.length === 3 ? parts[2] : undefined;
}

const HELLO_MAX = 255;

/** The name as it may stand in a trace field: a domain, an address literal, or what real clients call themselves. */
export function isHelloName(name: string): boolean {
  return name.length <= HELLO_MAX && /^[A-Za-z0-9._:[\]-]+$/.test(name);
}
