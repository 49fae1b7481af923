// The header of a message that a program of this host wrote by hand, made whole: From, Date and Message-ID where there is none, host
// names behind names that have none (`root`), and an empty line before a body that begins without one. Everything else stays as it came.
import { parseMailboxes } from "../../mail/address.ts";
import { formatDate, LINE_MUST } from "../../mail/compose/headers.ts";
import type { EpochMs } from "../../base/clock.ts";

export interface Author {
  /** Of this user on this host, without angle brackets. */
  readonly address: string;
  /** `-F`; empty for none. */
  readonly name: string;
  /** Of this host: what is added to names without one. */
  readonly domain: string;
  /** The message is of this instant, however long it waits for the daemon. */
  readonly now: EpochMs;
  /** Without angle brackets: one for all its recipients, though they may take several submissions. */
  readonly messageId: string;
}

/** Fields whose value is a list of mailboxes (RFC 5322 3.6.2, 3.6.3). */
const RECIPIENT_FIELDS = new Set(["to", "cc", "bcc"]);
const RESENT_FIELDS = new Set(["resent-to", "resent-cc", "resent-bcc"]);
const ADDRESS_FIELDS = new Set([
  ...["from", "sender", "reply-to", "resent-from", "resent-sender", "resent-reply-to"],
  ...RECIPIENT_FIELDS,
  ...RESENT_FIELDS,
]);

export interface MadeHeader {
  /** With its empty line. Latin-1, so that octets stay what they are. */
  readonly text: string;
  /** Whom `-t` means: what To, Cc and Bcc name, or their Resent- kind where there is one (RFC 5322 3.6.6). */
  readonly recipients: readonly string[];
  /** Why one of these fields cannot be read; undefined: all can. */
  readonly unreadable: string | undefined;
}

/** `lines` are those before the body, without their ends; what is no header line ends the header before it. */
export function makeHeader(lines: readonly string[], author: Author): MadeHeader {
  const fields = fieldsOf(lines);
  const recipients: string[] = [];
  let unreadable: string | undefined;
  const read = fields.some(({ name }) => RESENT_FIELDS.has(name))
    ? RESENT_FIELDS
    : RECIPIENT_FIELDS;
  const made = fields.map((field) => {
    const { name } = field;
    if (!ADDRESS_FIELDS.has(name)) return folded(`${field.label}:${field.value}`);
    const value = qualify(field.value, author.domain);
    if (read.has(name)) {
      const list = parseMailboxes(unfolded(value), "header");
      if (list.kind === "refused") unreadable ??= `${field.label}: ${list.why}`;
      else recipients.push(...list.value.map((one) => one.address));
    }
    return foldedList(field.label, value);
  });
  const has = (wanted: string): boolean => fields.some(({ name }) => name === wanted);
  if (!has("from")) made.push(fromField(author));
  if (!has("date")) made.push(`Date: ${formatDate(author.now)}`);
  if (!has("message-id")) made.push(`Message-ID: <${author.messageId}>`);
  return {
    text: [...made, "", ""].join("\r\n"),
    recipients: [...new Set(recipients)],
    unreadable,
  };
}

const isTooLong = (text: string): boolean =>
  text.length > LINE_MUST && text.split("\r\n").some((line) => line.length > LINE_MUST);

/** Lines that are longer than SMTP allows, folded where a blank stands: unfolded they say what they said. */
function folded(field: string): string {
  if (!isTooLong(field)) return field;
  const lines: string[] = [];
  for (let rest of field.split("\r\n")) {
    for (let at; rest.length > LINE_MUST && (at = foldAt(rest)) > 0; rest = rest.slice(at))
      lines.push(rest.slice(0, at));
    lines.push(rest);
  }
  return lines.join("\r\n");
}

/** Of the last blank within reach that has words on both its sides; 0 for none. */
function foldAt(line: string): number {
  const first = line.search(/[^ \t]/);
  for (let at = LINE_MUST; at > first; at--)
    if (/^[ \t][^ \t]/.test(line.slice(at, at + 2))) return at;
  return 0;
}

/** A list may be folded behind its commas too: programs write all its addresses into one line. */
function foldedList(label: string, value: string): string {
  const field = `${label}:${value}`;
  if (!isTooLong(field)) return field;
  const items = itemsOf(value).map((item) => item.replace(/^[ \t\r\n]+/, ""));
  // Behind a comma at the end a line of blanks alone would stand, which some take for the header's end (RFC 5322 3.2.2).
  return folded(`${label}: ${items.filter((item) => item !== "").join(",\r\n ")}`);
}

interface Field {
  /** In lower case. */
  readonly name: string;
  /** As it was written, without blanks before the colon (obsolete syntax, RFC 5322 4.5). */
  readonly label: string;
  /** With its folds, between CRLF. */
  readonly value: string;
}

function fieldsOf(lines: readonly string[]): Field[] {
  const fields: { name: string; label: string; value: string }[] = [];
  for (const line of lines) {
    const last = fields.at(-1);
    if (isFold(line) && last !== undefined) {
      last.value += `\r\n${line}`;
      continue;
    }
    const colon = line.indexOf(":");
    const label = line.slice(0, colon).trimEnd();
    fields.push({ name: label.toLowerCase(), label, value: line.slice(colon + 1) });
  }
  return fields;
}

const isFold = (line: string): boolean => line.startsWith(" ") || line.startsWith("\t");

/** Whether a line belongs to the header that has begun, or begins one. */
export function isHeaderLine(line: string, isFirst: boolean): boolean {
  if (isFold(line)) return !isFirst;
  return /^[!-9;-~]+[ \t]*:/.test(line);
}

/** Left on top by programs that speak to a mailbox file. */
export function isMailboxLine(line: string): boolean {
  return /^>?From /.test(line);
}

function fromField({ address, name }: Author): string {
  if (name === "") return `From: ${address}`;
  const words = Buffer.from(name);
  const plain = /^[ -~]*$/.test(name);
  const shown = plain
    ? `"${name.replace(/["\\]/g, "\\$&")}"`
    : `=?UTF-8?B?${words.toString("base64")}?=`;
  return `From: ${shown} <${address}>`;
}

function unfolded(value: string): string {
  return Buffer.from(value.replaceAll("\r\n", ""), "latin1").toString();
}

/** Adds the host's name to addresses that are a local part alone, as in `root (Cron Daemon)`; leaves all else to its reader. */
export function qualify(value: string, domain: string): string {
  return itemsOf(value)
    .map((item) => qualifyItem(item, domain))
    .join(",");
}

/** Cut at commas that stand neither in a comment nor in quotes nor in angle brackets. */
function itemsOf(value: string): string[] {
  const items: string[] = [];
  let start = 0;
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i];
    if (char === "\\") i++;
    else if (char === '"' && depth === 0) quoted = !quoted;
    else if (quoted) continue;
    else if (char === "(" || char === "<") depth++;
    else if (char === ")" || char === ">") depth--;
    else if (char === "," && depth <= 0) {
      items.push(value.slice(start, i));
      start = i + 1;
    }
  }
  return [...items, value.slice(start)];
}

/** An angle bracket holds the address; without one, what stands before a comment is all of it. */
function qualifyItem(item: string, domain: string): string {
  const angle = /<([^<>]*)>\s*(\([^()]*\)\s*)?$/.exec(item);
  if (angle !== null) {
    const inner = angle[1] as string;
    if (!isBare(inner.trim())) return item;
    const at = angle.index + 1;
    return `${item.slice(0, at)}${inner.trim()}@${domain}${item.slice(at + inner.length)}`;
  }
  const plain = /^(\s*)([^\s()]+)(\s*(?:\([^()]*\)\s*)*)$/.exec(item);
  if (plain === null || !isBare(plain[2] as string)) return item;
  return `${plain[1]}${plain[2]}@${domain}${plain[3]}`;
}

/** A local part: no group's colon, no quotes, no host. */
export function isBare(text: string): boolean {
  return /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+$/.test(text);
}
