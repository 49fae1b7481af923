// What the header of a raw message says: who sends it to whom, and our own options. Read before they are taken out of it.
import { parseMailboxes } from "../address.ts";
import type { Address } from "../address.ts";
import { refused } from "../compose/headerText.ts";
import type { Parsed } from "../compose/headerText.ts";
import { decodeWords } from "./decodeWords.ts";
import { fault, valueOf } from "./header.ts";
import type { RawFault, RawField } from "./header.ts";

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
  /** The values as they are shown, one string for each mailbox; unreadable values whole. */
  readonly to: readonly string[];
  readonly cc: readonly string[];
  readonly bcc: readonly string[];
  readonly replyTo: readonly string[];
  readonly subject: string;
  /** To, Cc and Bcc, each address once: the envelope when the caller names none. */
  readonly recipients: Parsed<readonly Address[]>;
  readonly idempotencyKey: string | null;
  /** `X-Postrider-Priority: p0` as `priority` and `p0`, in order, repeated ones too. */
  readonly options: readonly { readonly name: string; readonly value: string }[];
  /** The header holds octets above 127: by the letter it needs SMTPUTF8 (RFC 6531). */
  readonly utf8: boolean;
}

const OWN_PREFIX = "x-postrider-";

export function readHeader(fields: readonly RawField[], messageId: string): RawHeader | RawFault {
  const values = (name: string): string[] =>
    fields.filter((field) => field.name === name).map(valueOf);
  const senders = values("from");
  if (senders[0] === undefined) return fault("missing_from", "The message has no From field.");
  if (senders.length > 1)
    return fault("duplicate_from", "The message has more than one From field (RFC 5322 3.6).");
  const from = readMailboxes([senders[0]]);
  if (from.kind === "refused") return fault("bad_from", `The From field: ${from.why}`);
  const [first, ...others] = from.value;
  if (first === undefined) return fault("missing_from", "The From field names nobody.");
  const ownId = values("message-id")[0];
  return {
    kind: "header",
    messageId: ownId === undefined ? messageId : (/<([^<>]+)>/.exec(ownId)?.[1] ?? ownId),
    from: [first, ...others],
    to: shown(values("to")),
    cc: shown(values("cc")),
    bcc: shown(values("bcc")),
    replyTo: shown(values("reply-to")),
    subject: decodeWords(values("subject")[0] ?? ""),
    recipients: readRecipients([...values("to"), ...values("cc"), ...values("bcc")]),
    idempotencyKey: values("idempotency-key")[0] ?? null,
    options: fields
      .filter((field) => field.name.startsWith(OWN_PREFIX))
      .map((field) => ({ name: field.name.slice(OWN_PREFIX.length), value: valueOf(field) })),
    utf8: fields.some((field) => field.bytes.some((byte) => byte > 127)),
  };
}

function readMailboxes(values: readonly string[]): Parsed<readonly RawMailbox[]> {
  const found: RawMailbox[] = [];
  for (const value of values) {
    const list = parseMailboxes(value, "header");
    if (list.kind === "refused") return list;
    for (const { name, address } of list.value) found.push({ name: decodeWords(name), address });
  }
  return { kind: "ok", value: found };
}

function readRecipients(values: readonly string[]): Parsed<readonly Address[]> {
  const list = readMailboxes(values);
  if (list.kind === "refused") return list;
  const unique = new Set(list.value.map((mailbox) => mailbox.address));
  if (unique.size === 0) return refused("To, Cc and Bcc name nobody.");
  return { kind: "ok", value: [...unique] };
}

function shown(values: readonly string[]): readonly string[] {
  return values.flatMap((value) => {
    const list = readMailboxes([value]);
    if (list.kind === "refused") return [decodeWords(value)];
    return list.value.map(({ name, address }) => (name === "" ? address : `${name} <${address}>`));
  });
}
