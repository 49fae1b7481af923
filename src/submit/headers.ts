// The caller's own header fields: which names are refused, and which the writer of messages sets itself, so that a caller's value
// replaces ours instead of standing beside it.
import type { EpochMs } from "../base/clock.ts";
import { type Mailbox, parseMailboxes } from "../mail/address.ts";
import {
  type HeaderName,
  type HeaderText,
  type Parsed,
  parseHeaderName,
  parseHeaderText,
  refused,
} from "../mail/compose/headerText.ts";

import { OWN_PREFIX } from "../mail/raw/readHeader.ts";
import { DATE_FORM, readMailDate } from "./mailDate.ts";
import { readInstant } from "./schedule.ts";

/** Bytes of all fields together, as RFC 5322 servers commonly bound a header. */
const HEADER_BLOCK_MAX_BYTES = 65_536;
const FIELDS_MAX = 200;

/** Set by fields of the body, by us, or by servers on the way. */
const forbidden = new Set([
  "from",
  "to",
  "cc",
  "bcc",
  "subject",
  "received",
  "return-path",
  "dkim-signature",
  "authentication-results",
  "mime-version",
  // Never sent on from raw mail either: it would show recipients that nobody may see.
  "resent-bcc",
]);

/** What raw mail says in its header, a request says elsewhere. Here it would do nothing, and be sent on. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "idempotency-key": "Send it as a header of the request.",
  "resend-idempotency-key": "Send Idempotency-Key as a header of the request.",
  "x-postrider-priority": 'Use the field "priority".',
  "x-postrider-tag": 'Use the field "tags".',
  "x-postrider-reference": 'Use the field "reference".',
};

export interface ReadHeaders {
  readonly fields: readonly { readonly name: HeaderName; readonly value: HeaderText }[];
  /** Without angle brackets. */
  readonly messageId: HeaderText | null;
  readonly date: EpochMs | null;
  readonly replyTo: readonly Mailbox[] | null;
  /** `key` is empty for a fault of the whole block. */
  readonly faults: readonly { readonly key: string; readonly why: string }[];
}

export const noHeaders: ReadHeaders = {
  fields: [],
  messageId: null,
  date: null,
  replyTo: null,
  faults: [],
};

export function readHeaders(record: Readonly<Record<string, string>>): ReadHeaders {
  const fields: { name: HeaderName; value: HeaderText }[] = [];
  const faults: { key: string; why: string }[] = [];
  const own: {
    messageId: HeaderText | null;
    date: EpochMs | null;
    replyTo: readonly Mailbox[] | null;
  } = { messageId: null, date: null, replyTo: null };
  // The size first: thousands of faults of a hostile block would help nobody.
  const entries = Object.entries(record);
  const sizeBytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length + 4, 0);
  if (sizeBytes > HEADER_BLOCK_MAX_BYTES || entries.length > FIELDS_MAX) {
    const why =
      `The headers hold ${entries.length} fields and ${sizeBytes} bytes; ` +
      `at most ${FIELDS_MAX} fields and ${HEADER_BLOCK_MAX_BYTES} bytes are taken.`;
    return { ...noHeaders, faults: [{ key: "", why }] };
  }
  for (const [key, given] of entries) {
    const name = readName(key);
    const value = readValue(key, given);
    const fault = name.kind === "refused" ? name : value;
    if (name.kind === "refused" || value.kind === "refused") {
      if (fault.kind === "refused") faults.push({ key, why: fault.why });
      continue;
    }
    const taken = takeOwn(own, name.value, value.value);
    if (taken === "other") fields.push({ name: name.value, value: value.value });
    else if (taken.kind === "refused") faults.push({ key, why: taken.why });
  }
  return { fields, faults, ...own };
}

const SHOWN_MAX = 60;

function shown(key: string): string {
  return JSON.stringify(key.length > SHOWN_MAX ? `${key.slice(0, SHOWN_MAX)}…` : key);
}

/** Named only where something is wrong with it: that costs more than to read it. */
function readValue(key: string, given: string): Parsed<HeaderText> {
  const value = parseHeaderText("The header", given);
  return value.kind === "ok" ? value : parseHeaderText(`The header ${shown(key)}`, given);
}

function readName(key: string): Parsed<HeaderName> {
  const lower = key.toLowerCase();
  if (forbidden.has(lower) || lower.startsWith("content-"))
    return refused(`${shown(key)} may not be set here. Remove it.`);
  const elsewhere = Object.hasOwn(ELSEWHERE, lower) ? ELSEWHERE[lower] : undefined;
  if (elsewhere !== undefined || lower.startsWith(OWN_PREFIX))
    return refused(`${shown(key)} may not be set here. ${elsewhere ?? "Remove it."}`);
  return parseHeaderName(key);
}

type Own = {
  messageId: HeaderText | null;
  date: EpochMs | null;
  replyTo: readonly Mailbox[] | null;
};

/** Fields that the writer sets: taken out of the list. Given twice in different spellings, the second is refused. */
function takeOwn(own: Own, name: HeaderName, value: HeaderText): Parsed<true> | "other" {
  switch (name.toLowerCase()) {
    case "message-id": {
      const id = MESSAGE_ID.exec(value)?.[1];
      if (id === undefined) return refused(MESSAGE_ID_FORM);
      if (own.messageId !== null) return refused("The Message-ID is given twice.");
      own.messageId = id as HeaderText;
      return { kind: "ok", value: true };
    }
    case "date": {
      const mail = readMailDate(value.trim());
      const at = Number.isNaN(mail) ? readInstant(value.trim()) : mail;
      if (Number.isNaN(at)) return refused(DATE_FORM);
      own.date = at;
      return { kind: "ok", value: true };
    }
    case "reply-to": {
      const list = parseMailboxes(value);
      if (list.kind === "refused") return list;
      if (own.replyTo !== null) return refused("The Reply-To is given twice.");
      own.replyTo = list.value;
      return { kind: "ok", value: true };
    }
    default:
      return "other";
  }
}

/** It has to stand in one line, and in the References of every answer. */
const MESSAGE_ID_MAX = 250;
/** In ASCII: in encoded words it would be another one. */
const MESSAGE_ID = new RegExp(`^(?=.{1,${MESSAGE_ID_MAX + 2}}$)<?([!-;=?A-~]+@[!-;=?A-~]+)>?$`);
const MESSAGE_ID_FORM =
  "A Message-ID has the form <left@right>, in ASCII, without blanks (a left side that needs quotation marks is obsolete: " +
  `RFC 5322 4.5.4) and of at most ${MESSAGE_ID_MAX} characters.`;
