// Addresses as SMTP takes them (RFC 5321 4.1.2) and mailboxes as people write them (RFC 5322 3.4). Strict: whatever passes is
// safe in an envelope and in a header, and two spellings of one mailbox come out as one.
import { domainToASCII } from "node:url";
import { forbiddenAt, parseHeaderText, refused } from "./compose/headerText.ts";
import type { HeaderText, Parsed } from "./compose/headerText.ts";

declare const address: unique symbol;

/** Wire form without angle brackets: the domain in A-labels and lower case, the local part quoted only if it must be. */
export type Address = string & { readonly [address]: true };

export interface Mailbox {
  /** The display name; empty for none. */
  readonly name: HeaderText;
  readonly address: Address;
  /** The local part is not ASCII: the message needs SMTPUTF8 (RFC 6531). */
  readonly utf8: boolean;
}

/** RFC 5321 4.5.3.1: octets of a local part, of a domain, and of a path, whose two angle brackets count. */
const LOCAL_PART_MAX = 64;
const DOMAIN_MAX = 255;
const ADDRESS_MAX = 256 - 2;
const LABEL_MAX = 63;

/** Mailboxes in one list; the door's own limit is lower. */
const MAILBOXES_MAX = 1000;

/** `strict` is for what callers of the API give; `header` also takes the comments and groups that real headers hold. */
export type Reading = "strict" | "header";

/**
 * As almost all addresses are written: what it finds is its own wire form, and too short to break a limit. Everything else takes the
 * long road, which is ten times as long.
 */
const PLAIN = /^[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]+$/;

function isPlain(text: string): text is Address {
  return text.length <= LABEL_MAX && PLAIN.test(text);
}

/** A bare address such as `a@example.com`. */
export function parseAddress(text: string): Parsed<Address> {
  if (isPlain(text)) return { kind: "ok", value: text };
  const at = text.startsWith('"') ? closingQuote(text, 0) + 1 : text.indexOf("@");
  if (at <= 0 || text[at] !== "@")
    return no(text, text === "" ? "it is empty" : "it is not of the form local@domain");
  const local = parseLocal(text.slice(0, at));
  if (local.kind === "refused") return no(text, local.why);
  const domain = parseDomain(text.slice(at + 1));
  if (domain.kind === "refused") return no(text, domain.why);
  const whole = `${local.value}@${domain.value}`;
  if (octets(whole) > ADDRESS_MAX) return no(text, `it is longer than ${ADDRESS_MAX} octets`);
  return { kind: "ok", value: whole as Address };
}

/** An address that somebody looks for, as it is found: in wire form and lower case. What is no address stays what it is. */
export function soughtAddress(text: string): string {
  const lower = text.trim().toLowerCase();
  if (isPlain(lower)) return lower;
  const parsed = parseAddress(lower);
  return parsed.kind === "ok" ? parsed.value : lower;
}

/** Exactly one of `a@b`, `<a@b>`, `Name <a@b>`, `"Quoted, Name" <a@b>`. */
export function parseMailbox(text: string): Parsed<Mailbox> {
  if (isPlain(text)) return { kind: "ok", value: { name: noName, address: text, utf8: false } };
  const list = parseMailboxes(text);
  if (list.kind === "refused") return list;
  const [first, second] = list.value;
  if (first === undefined || second !== undefined)
    return no(text, "it must be exactly one address (quote a name that holds a comma)");
  return { kind: "ok", value: first };
}

/** One or more mailboxes with commas between. In a `header` reading the list may be empty, as in `undisclosed-recipients:;`. */
export function parseMailboxes(text: string, reading: Reading = "strict"): Parsed<Mailbox[]> {
  const only = text.startsWith("<") && text.endsWith(">") ? text.slice(1, -1) : text;
  if (isPlain(only)) return { kind: "ok", value: [{ name: noName, address: only, utf8: false }] };
  const items = splitList(reading === "header" ? withoutComments(text) : text, reading);
  if (items.kind === "refused") return no(text, items.why);
  const mailboxes: Mailbox[] = [];
  for (const item of items.value) {
    const mailbox = readItem(item, reading);
    if (mailbox.kind === "refused") return mailbox;
    mailboxes.push(mailbox.value);
  }
  return { kind: "ok", value: mailboxes };
}

/** The non-ASCII part of a wire address can only be its local part. */
export function needsUtf8(wire: Address): boolean {
  return octets(wire) !== wire.length;
}

const noName = "" as HeaderText;

// -- the list

interface Item {
  /** What stands before the angle bracket, or the whole address when there is none. */
  readonly before: string;
  readonly angle: string | null;
}

function splitList(text: string, reading: Reading): Parsed<Item[]> {
  const items: Item[] = [];
  /** Where the present item begins, and where its angle bracket opened and closed; -1 for not yet. */
  let start = 0;
  let opened = -1;
  let closed = -1;
  let inGroup = false;
  const push = (end: number): string | null => {
    const before = trimSpaces(text.slice(start, opened < 0 ? end : opened));
    const angle = opened < 0 ? null : text.slice(opened + 1, closed);
    start = end + 1;
    [opened, closed] = [-1, -1];
    // RFC 5322 4.4 lets a list have empty places.
    if (before === "" && angle === null) return reading === "strict" ? "it is empty" : null;
    items.push({ before, angle });
    return items.length > MAILBOXES_MAX ? `it holds more than ${MAILBOXES_MAX} addresses` : null;
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    let fault: string | null = null;
    if (char === ",") fault = push(i);
    else if (char === " " || char === "\t") continue;
    else if (reading === "header" && char === ":" && !inGroup && opened < 0) {
      // The group's name is of no use to anybody here. An address in its place would be lost with it.
      if (UNQUOTED_AT.test(text.slice(start, i))) fault = "a colon stands behind an address";
      [start, inGroup] = [i + 1, true];
    } else if (reading === "header" && char === ";" && inGroup) {
      inGroup = false;
      fault = push(i);
    } else if (closed >= 0) fault = "something stands behind the angle bracket";
    else if (char === "<") {
      [opened, closed] = [i, closingAngle(text, i)];
      if (closed < 0) return refused("an angle bracket does not close");
      i = closed;
    } else if (char === '"' || char === "[") {
      i = char === '"' ? closingQuote(text, i) : text.indexOf("]", i);
      if (i < 0) return refused("a quotation mark or a bracket does not close");
    }
    if (fault !== null) return refused(fault);
  }
  const fault = push(text.length);
  return fault === null ? { kind: "ok", value: items } : refused(fault);
}

const UNQUOTED_AT = /^(?:[^"@]|"(?:[^"\\]|\\.)*")*@/s;

function readItem(item: Item, reading: Reading): Parsed<Mailbox> {
  const written = item.angle ?? item.before;
  const found = parseAddress(reading === "header" ? withoutOldSyntax(written) : written);
  if (found.kind === "refused") return found;
  const name = item.angle === null ? { kind: "ok" as const, value: "" } : readName(item, reading);
  if (name.kind === "refused") return name;
  const text = parseHeaderText("The name of an address", name.value);
  if (text.kind === "refused") return text;
  const utf8 = needsUtf8(found.value);
  return { kind: "ok", value: { name: text.value, address: found.value, utf8 } };
}

/** Characters that RFC 5322 3.2.3 keeps for itself. The dot is one too, but everybody writes it in names (`obs-phrase`). */
const NAME_SPECIALS = '()<>[]:;@\\,"';

function readName(item: Item, reading: Reading): Parsed<string> {
  const source = item.before;
  let name = "";
  for (let i = 0; i < source.length; i++) {
    const char = source[i] as string;
    // Within square brackets a quotation mark begins nothing.
    const end = char === '"' ? closingQuote(source, i) : -1;
    if (end >= 0) {
      name += unquote(source.slice(i + 1, end));
      i = end;
    } else if (reading === "strict" && NAME_SPECIALS.includes(char)) {
      return no(source, `a name that holds ${char} must stand in double quotes`);
    } else name += char;
  }
  return { kind: "ok", value: name };
}

/** Not `trim`, which would let a line break pass unseen. */
function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (text[start] === " " || text[start] === "\t") start++;
  while (end > start && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return text.slice(start, end);
}

/** The index of the quotation mark that ends the quoted string at `start`; -1 when none does. */
function closingQuote(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i;
  }
  return -1;
}

function closingAngle(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === ">") return i;
    if (text[i] === "<") return -1;
    if (text[i] === '"') {
      i = closingQuote(text, i);
      if (i < 0) return -1;
    }
  }
  return -1;
}

function closingComment(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return i;
  }
  return -1;
}

/** Comments may stand wherever spaces may (RFC 5322 3.2.2); one that does not end takes the rest with it. */
function withoutComments(text: string): string {
  if (!text.includes("(")) return text;
  let kept = "";
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    const ends = char === '"' ? closingQuote(text, i) : char === "(" ? closingComment(text, i) : i;
    const end = ends < 0 ? text.length : ends;
    kept += char === "(" ? " " : text.slice(i, end + 1);
    i = end;
  }
  return kept;
}

/** RFC 5322 4.4: old mail has spaces around the dots and the @, and a route before the address. Words side by side are no address. */
function withoutOldSyntax(text: string): string {
  // In two steps: looked for before each dot at once, a long run of blanks would be walked through from each of them.
  const spare = text.includes('"')
    ? text
    : text.replace(/[ \t]+/g, " ").replace(/ ?([.@]) ?/g, "$1");
  const whole = trimSpaces(spare);
  return whole.startsWith("@") ? trimSpaces(whole.slice(whole.indexOf(":") + 1)) : whole;
}

function unquote(text: string): string {
  return text.includes("\\") ? text.replace(/\\(.)/gs, "$1") : text;
}

// -- the two halves of an address

/** RFC 2047 2: charset, encoding and text, each behind a question mark. */
const ENCODED_WORD = /=\?[^?]*\?[^?]*\?[^?]*\?=/;

function parseLocal(text: string): Parsed<string> {
  if (ENCODED_WORD.test(text)) return refused("encoded words have no place in an address");
  const quoted = text.startsWith('"');
  const content = quoted ? unquote(text.slice(1, -1)) : text;
  const size = octets(content);
  if (size > LOCAL_PART_MAX)
    return refused(`the part before the @ is longer than ${LOCAL_PART_MAX} octets`);
  const dotAtom = isDotAtom(content);
  // No control character is `atext`, so that ASCII needs no second look.
  const plain = dotAtom && size === content.length;
  if (!plain && (forbiddenAt(content) >= 0 || INVISIBLE.test(content)))
    return refused("it holds a control character or an invisible one");
  if (dotAtom) return { kind: "ok", value: content };
  if (!quoted) return refused("the part before the @ holds a character or dot that must be quoted");
  if (content === "") return refused("the part before the @ is empty");
  const escaped = content.replace(/["\\]/g, "\\$&");
  if (octets(escaped) + 2 > LOCAL_PART_MAX)
    return refused(`the part before the @ is longer than ${LOCAL_PART_MAX} octets`);
  return { kind: "ok", value: `"${escaped}"` };
}

/** Tab, spaces other than U+0020, line and paragraph separators, and marks that turn the direction of writing. */
const INVISIBLE =
  /[\t\u00a0\u061c\u1680\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u2069\u3000\ufeff]/;

const ATEXT = new Uint8Array(128);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~")
  ATEXT[char.charCodeAt(0)] = 1;

/** RFC 5322 3.2.3 `atext`, with the letters of RFC 6532 beyond ASCII. */
export function isAtextCode(code: number): boolean {
  return code > 127 || ATEXT[code] === 1;
}

const DOT = 0x2e;

function isDotAtom(text: string): boolean {
  let afterDot = true;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT ? afterDot : !isAtextCode(code)) return false;
    afterDot = code === DOT;
  }
  return !afterDot;
}

/** A domain or an address literal in wire form. */
function parseDomain(text: string): Parsed<string> {
  if (text.startsWith("[")) return parseLiteral(text);
  if (text === "") return refused("the domain is empty");
  if (text.length > DOMAIN_MAX) return refused(`the domain is longer than ${DOMAIN_MAX} octets`);
  let plain = true;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) plain = false;
    // Checked before the conversion, which would take a URL's host: percent signs, slashes, ports, tabs.
    else if (!isDomainCode(code)) return refused(`the domain holds ${JSON.stringify(text[i])}`);
  }
  if (!plain && (DROPPED.test(text) || INVISIBLE.test(text)))
    return refused("the domain holds an invisible character");
  const lower = plain ? text.toLowerCase() : domainToASCII(text);
  if (lower === "") return refused("the domain is no valid international domain name (UTS 46)");
  return checkLabels(lower);
}

/** What UTS 46 drops without a word: two texts that differ would be one domain. The joiners of Persian and Indic names stay. */
const DROPPED = /[\u00ad\u034f\u180b-\u180f\ufe00-\ufe0f]/;

function checkLabels(domain: string): Parsed<string> {
  if (domain.length > DOMAIN_MAX) return refused(`the domain is longer than ${DOMAIN_MAX} octets`);
  const labels = domain.split(".");
  for (const label of labels) {
    if (label === "") return refused("the domain has an empty label");
    if (label.length > LABEL_MAX)
      return refused(`a label of the domain is longer than ${LABEL_MAX} octets`);
    if (label.startsWith("-") || label.endsWith("-"))
      return refused("a label of the domain begins or ends with a hyphen");
    if (label.startsWith("xn--") && domainToASCII(label) !== label)
      return refused(`the label ${label} of the domain is no valid A-label (UTS 46)`);
  }
  // A last label of digits would be read as an IPv4 address by some resolvers and as a name by others.
  if (/^[0-9]+$/.test(labels.at(-1) ?? ""))
    return refused("the domain ends in a number (an IP address stands in square brackets)");
  return { kind: "ok", value: domain };
}

/** RFC 5321 4.1.3. */
function parseLiteral(text: string): Parsed<string> {
  const v4 = /^\[([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\]$/.exec(text);
  if (v4 !== null && v4.slice(1).every((part) => Number(part) < 256))
    return { kind: "ok", value: `[${v4.slice(1).map(Number).join(".")}]` };
  const v6 = /^\[IPv6:([0-9a-f:.]{2,45})\]$/i.exec(text);
  const known = v6 === null ? "" : domainToASCII(`[${v6[1]}]`);
  if (known.startsWith("[")) return { kind: "ok", value: `[IPv6:${known.slice(1, -1)}]` };
  return refused("the address literal is neither [1.2.3.4] nor [IPv6:...]");
}

function isDomainCode(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    code === 0x2d ||
    code === DOT
  );
}

function octets(text: string): number {
  return Buffer.byteLength(text);
}

/** How much of a refused text is repeated to its sender. */
const QUOTED_MAX = 80;

function no(text: string, why: string): { readonly kind: "refused"; readonly why: string } {
  const shown = text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}…` : text;
  return refused(`${JSON.stringify(shown)} is no valid address: ${why}.`);
}
