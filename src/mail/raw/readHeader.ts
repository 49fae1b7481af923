// What the header of a raw message says: who sends it to whom, and our own options. Read before they are taken out of it.
import { isAscii } from "node:buffer";
import { type Address, parseMailboxes } from "../address.ts";
import { type HeaderText, type Parsed, refused } from "../compose/headerText.ts";
import { decodeWords } from "./decodeWords.ts";
import { fault, type RawFault, type RawField, valueOf } from "./header.ts";

export interface RawMailbox {
  /** Decoded, for showing; empty for none. */
  readonly name: string;
  readonly address: Address;
}

export interface RawHeader {
  readonly kind: "header";
  /** Without angle brackets; the given one when the message had none. */
  readonly messageId: string;
  readonly from: readonly [RawMailbox, ...RawMailbox[]];
  /** Who else is named as its sender (RFC 5322 3.6.2, 3.6.6); an unreadable value stands whole. */
  readonly speakers: readonly string[];
  /** The values as they are shown, one string for each mailbox; unreadable values whole. */
  readonly to: readonly string[];
  readonly cc: readonly string[];
  readonly bcc: readonly string[];
  readonly replyTo: readonly string[];
  readonly subject: string;
  /**
   * To, Cc and Bcc, each address once: the envelope when the caller names none. Of a message that is sent on, only whom the Resent-
   * fields name: the others have it (RFC 5322 3.6.6).
   */
  readonly recipients: Parsed<readonly Address[]>;
  /** Also by the name that Resend's SMTP users know. */
  readonly idempotencyKey: string | null;
  /** `X-Postrider-Priority: p0` as `priority` and `p0`, in order, repeated ones too. */
  readonly options: readonly { readonly name: string; readonly value: string }[];
  /** The header holds octets above 127: by the letter it needs SMTPUTF8 (RFC 6531). */
  readonly utf8: boolean;
}

/** Of the fields in which a sender gives us options; they are never sent on. */
export const OWN_PREFIX = "x-postrider-";

/** What counts where the message says nothing. */
export interface HeaderDefaults {
  /** Without angle brackets. */
  readonly messageId: HeaderText;
  /** Whose message it is; absent: it must say so itself. */
  readonly author?: string | undefined;
}

export function readHeader(
  fields: readonly RawField[],
  { messageId, author }: HeaderDefaults,
): RawHeader | RawFault {
  const values = valuesByName(fields);
  const given = values("from");
  const senders = given.length === 0 && author !== undefined ? [author] : given;
  if (senders[0] === undefined) return fault("missing_from", "The message has no From field.");
  if (senders.length > 1)
    return fault("duplicate_from", "The message has more than one From field (RFC 5322 3.6).");
  const from = readMailboxes(senders[0]);
  if (from.kind === "refused") return fault("bad_from", `The From field: ${from.why}`);
  const [first, ...others] = from.value;
  if (first === undefined) return fault("missing_from", "The From field names nobody.");
  const ownId = values("message-id")[0];
  const to = readAll(values("to"));
  const cc = readAll(values("cc"));
  const bcc = readAll(values("bcc"));
  const resent = RESENT_TO.flatMap((name) => values(name));
  return {
    kind: "header",
    messageId: ownId === undefined ? messageId : (/<([^<>]+)>/.exec(ownId)?.[1] ?? ownId),
    from: [first, ...others],
    speakers: SPEAKERS.flatMap((name) => speakersOf(values(name))),
    to: to.shown,
    cc: cc.shown,
    bcc: bcc.shown,
    replyTo: readAll(values("reply-to")).shown,
    subject: decodeWords(values("subject")[0] ?? ""),
    recipients: together(resent.length > 0 ? [readAll(resent)] : [to, cc, bcc]),
    idempotencyKey: values("idempotency-key")[0] ?? values("resend-idempotency-key")[0] ?? null,
    options: fields
      .filter((field) => field.name.startsWith(OWN_PREFIX))
      .map((field) => ({ name: field.name.slice(OWN_PREFIX.length), value: valueOf(field) })),
    utf8: fields.some((field) => !isAscii(field.bytes)),
  };
}

/** Fields that name a sender beside From: readers show "on behalf of" them. */
export const SPEAKERS: readonly string[] = ["sender", "resent-from", "resent-sender"];

export function speakersOf(values: readonly string[]): readonly string[] {
  return values.flatMap((value) => {
    const list = parseMailboxes(value, "header");
    return list.kind === "refused" ? [value] : list.value.map(({ address }) => address);
  });
}

const RESENT_TO: readonly string[] = ["resent-to", "resent-cc", "resent-bcc"];

const WANTED = new Set([
  ...SPEAKERS,
  ...RESENT_TO,
  ...["from", "to", "cc", "bcc", "reply-to", "subject", "message-id"],
  ...["idempotency-key", "resend-idempotency-key"],
]);

function valuesByName(fields: readonly RawField[]): (name: string) => readonly string[] {
  const found = new Map<string, string[]>();
  for (const field of fields) {
    if (!WANTED.has(field.name)) continue;
    const values = found.get(field.name);
    if (values === undefined) found.set(field.name, [valueOf(field)]);
    else values.push(valueOf(field));
  }
  return (name) => found.get(name) ?? [];
}

/** The fields of one name: their addresses, or why one of them cannot be read, and what is shown of them. */
interface ReadFields {
  readonly addresses: readonly Address[];
  readonly refused: string | null;
  readonly shown: readonly string[];
}

function readAll(values: readonly string[]): ReadFields {
  const addresses: Address[] = [];
  const shown: string[] = [];
  let why: string | null = null;
  for (const value of values) {
    const list = readMailboxes(value);
    if (list.kind === "refused") {
      why ??= list.why;
      shown.push(decodeWords(value));
      continue;
    }
    for (const { name, address } of list.value) {
      addresses.push(address);
      shown.push(name === "" ? address : `${name} <${address}>`);
    }
  }
  return { addresses, refused: why, shown };
}

function together(all: readonly ReadFields[]): Parsed<readonly Address[]> {
  const unique = new Set<Address>();
  for (const one of all) {
    if (one.refused !== null) return refused(one.refused);
    for (const address of one.addresses) unique.add(address);
  }
  if (unique.size === 0) return refused("To, Cc and Bcc name nobody.");
  return { kind: "ok", value: [...unique] };
}

function readMailboxes(value: string): Parsed<readonly RawMailbox[]> {
  const list = parseMailboxes(value, "header");
  if (list.kind === "refused") return list;
  const decoded = list.value.map(({ name, address }) => ({ name: decodeWords(name), address }));
  return { kind: "ok", value: decoded };
}
