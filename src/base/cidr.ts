// Addresses and ranges of addresses as bytes: who may connect, and where no delivery may go. An IPv4 address that hides in an
// IPv6 one (mapped, NAT64, 6to4, Teredo) is also matched as itself, or a ban on 127.0.0.0/8 would be left by ::ffff:127.0.0.1.

/** 16-bit groups of an IPv6 address. Stands first, since a constant below parses addresses while this file loads. */
const GROUPS = 8;

export interface Cidr {
  /** As it was written. */
  readonly text: string;
  /** Four bytes or sixteen. */
  readonly bytes: Uint8Array;
  readonly prefixBits: number;
}

export type CidrList =
  | { readonly kind: "parsed"; readonly value: readonly Cidr[] }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

/** Four bytes, sixteen, or undefined when it is no address. A zone (`fe80::1%eth0`) is no part of an address here. */
export function parseIp(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** 4, 6, or 0 when it is no address. */
export function ipFamily(text: string): 4 | 6 | 0 {
  const bytes = parseIp(text);
  if (bytes === undefined) return 0;
  return bytes.length === 4 ? 4 : 6;
}

/** `10.0.0.0/8`, `fe80::/10`, or one address. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const bytes = parseIp(slash < 0 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  const bits = bytes.length * 8;
  if (slash < 0) return { text, bytes, prefixBits: bits };
  const prefix = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > bits) return undefined;
  return { text, bytes, prefixBits: Number(prefix) };
}

/** A list as a setting holds it: separated by commas or blanks; `none` and the empty text are the empty list. */
export function parseCidrList(text: string): CidrList {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  if (parts.length === 1 && parts[0] === "none") return { kind: "parsed", value: [] };
  const value: Cidr[] = [];
  const problems: string[] = [];
  for (const part of parts) {
    const one = parseCidr(part);
    if (one === undefined)
      problems.push(`${part} is neither an address nor a range like 10.0.0.0/8`);
    else value.push(one);
  }
  return problems.length > 0 ? { kind: "refused", problems } : { kind: "parsed", value };
}

/** What `deny_destinations` holds unless it is set: unspecified, loopback, link-local, multicast and broadcast. */
export const hostOnlyRanges: readonly Cidr[] = [
  "0.0.0.0/8",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "255.255.255.255/32",
  "::/128",
  "::1/128",
  "fe80::/10",
  "ff00::/8",
].map(fixedCidr);

export const loopbackRanges: readonly Cidr[] = ["127.0.0.0/8", "::1/128"].map(fixedCidr);

/** For ranges of our own: one that was left out of a list for a slip of the pen would be a hole in it. */
function fixedCidr(text: string): Cidr {
  const parsed = parseCidr(text);
  if (parsed === undefined) throw new Error(`${text} is no range`);
  return parsed;
}

/** Whether one of the ranges holds the address, or the IPv4 address inside it. What is no address is in no range. */
export function inRanges(ranges: readonly Cidr[], address: string): boolean {
  if (ranges.length === 0) return false;
  const bytes = parseIp(address);
  if (bytes === undefined) return false;
  const inner = innerIpv4(bytes);
  return ranges.some(
    (range) => holds(range, bytes) || (inner !== undefined && holds(range, inner)),
  );
}

function holds(range: Cidr, bytes: Uint8Array): boolean {
  if (range.bytes.length !== bytes.length) return false;
  const whole = range.prefixBits >> 3;
  for (let i = 0; i < whole; i++) if (range.bytes[i] !== bytes[i]) return false;
  const rest = range.prefixBits & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return ((range.bytes[whole] ?? 0) & mask) === ((bytes[whole] ?? 0) & mask);
}

const MAPPED = fixedCidr("::ffff:0:0/96");
const COMPATIBLE = fixedCidr("::/96");
const NAT64 = fixedCidr("64:ff9b::/96");
const SIX_TO_FOUR = fixedCidr("2002::/16");
const TEREDO = fixedCidr("2001::/32");

/** The IPv4 address that packets to this IPv6 address reach in the end, if its form names one (RFC 4291, 6052, 3056, 4380). */
function innerIpv4(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length !== 16) return undefined;
  const last = bytes.subarray(12);
  if (holds(MAPPED, bytes) || holds(NAT64, bytes)) return last;
  if (holds(SIX_TO_FOUR, bytes)) return bytes.subarray(2, 6);
  // The client's address lies there with its bits inverted (RFC 4380 section 4).
  if (holds(TEREDO, bytes)) return last.map((byte) => byte ^ 0xff);
  // ::1 and :: are addresses of their own.
  if (holds(COMPATIBLE, bytes) && (last[0] ?? 0) !== 0) return last;
  return undefined;
}

function parseIpv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    // A leading zero is refused: some programs read it as octal.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

function parseIpv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = GROUPS - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** Groups of hexadecimal digits; the last two may be written as an IPv4 address when `mayEndInIpv4`. */
function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  if (parts.length > GROUPS) return undefined;
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (mayEndInIpv4 && i === parts.length - 1 && part.includes(".")) {
      const v4 = parseIpv4(part);
      if (v4 === undefined) return undefined;
      const [a = 0, b = 0, c = 0, d = 0] = v4;
      groups.push((a << 8) | b, (c << 8) | d);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else return undefined;
  }
  return groups;
}
