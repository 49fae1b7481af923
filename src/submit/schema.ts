// The fields of a message as callers write them: one definition that checks, converts and documents (openapi.ts). What comes out
// is in the words of `mail/`, so nothing is parsed twice. A field-level fault never hides another field's.
import { z } from "zod";
import type { EpochMs } from "../base/clock.ts";
import { type Mailbox, parseMailbox } from "../mail/address.ts";
import { type HeaderText, parseHeaderText } from "../mail/compose/headerText.ts";
import type { DsnRequest, Priority } from "../mail/message.ts";
import { attachmentField } from "./attachment.ts";
import { fault, take } from "./fieldFault.ts";
import { readHeaders } from "./headers.ts";
import type { AttachmentUrls } from "./remote.ts";
import { AHEAD_MAX_DAYS, INSTANT_FORM, readInstant, readWhen } from "./schedule.ts";

export interface MessageLimits {
  readonly recipientsPerField: number;
  /** Absent: off. */
  readonly attachmentUrls?: AttachmentUrls | undefined;
}

export interface SchemaDeps extends MessageLimits {
  /** What times in words count from. */
  readonly now: () => EpochMs;
}

// Bounds beside the size of the whole message: generous for people, and each is named in the fault that it causes.

/** RFC 5322 2.1.1 allows 998 octets in a line; a longer subject is a mistake. */
const SUBJECT_MAX = 998;
const ATTACHMENTS_MAX = 100;
export const TAGS_MAX = 50;
const TAG_MAX = 256;
const METADATA_MAX = 50;
const METADATA_KEY_MAX = 64;
const METADATA_VALUE_MAX = 1024;
export const REFERENCE_MAX = 256;
const RETURN_PATH_MAX = 320;
const DURATION_MAX_MS = AHEAD_MAX_DAYS * 86_400_000;

/** A mailbox, and how the caller wrote it. */
export interface Given {
  readonly text: string;
  readonly mailbox: Mailbox;
}

export interface ReturnPath {
  readonly utf8: boolean;
  /** MAIL FROM of the message with this id. */
  for(uuid: string): string;
}

const mailbox = z
  .string()
  .transform((text, context): Given => {
    return { text, mailbox: take(context, parseMailbox(text), "invalid_address") };
  })
  .meta({ example: "Ada <ada@example.com>" });

/** One mailbox or a list, as Resend takes them; a list comes out in both cases. */
function mailboxes(min: number, max: number) {
  return z.union([mailbox.transform((one) => [one]), z.array(mailbox).min(min).max(max)]);
}

const text = z.string().transform((value, context) => {
  // Half a surrogate pair has no UTF-8: sending it on would silently change the message.
  if (!value.isWellFormed())
    return fault(context, "invalid_value", "The text holds half of a surrogate pair.");
  // RFC 5322 3.5 has no NUL in a message, and programs end a text there.
  if (value.includes("\0")) return fault(context, "invalid_value", "The text holds a NUL.");
  return value;
});

// Records keep their keys unchecked here: the transform sees the pairs together and names the one that is wrong.
const headers = z.record(z.string(), z.string()).transform((record, context) => {
  const read = readHeaders(record);
  for (const { key, why } of read.faults) fault(context, "invalid_header", why, [key]);
  return read;
});

const tagPattern = /^[A-Za-z0-9_-]+$/;
const tagText = z.string().min(1).max(TAG_MAX).regex(tagPattern);
const tag = z.strictObject({ name: tagText, value: tagText });

const metadata = z.record(z.string(), z.string()).transform((record, context) => {
  const entries = Object.entries(record);
  if (entries.length > METADATA_MAX)
    fault(context, "too_many", `metadata holds more than ${METADATA_MAX} entries.`);
  for (const [key, value] of entries.slice(0, METADATA_MAX)) {
    if (key.length > METADATA_KEY_MAX || value.length > METADATA_VALUE_MAX)
      fault(context, "too_long", METADATA_LONG, [key]);
    // As in a header: what is kept beside a message ends in logs, in webhooks and in other people's programs.
    take(context, parseHeaderText("The key", key), "invalid_value", [key]);
    take(context, parseHeaderText("The value", value), "invalid_value", [key]);
  }
  return record;
});
const METADATA_LONG =
  `A key of metadata has at most ${METADATA_KEY_MAX} characters ` +
  `and a value at most ${METADATA_VALUE_MAX}.`;

const instant = z
  .string()
  .transform((value, context): EpochMs => {
    const at = readInstant(value);
    if (!Number.isNaN(at)) return at;
    return fault(context, "invalid_time", INSTANT_FORM);
  })
  .meta({ format: "date-time" });

/** As `instant`, or in words that are read from now on. */
function when(now: () => EpochMs) {
  return z
    .string()
    .transform((value, context): EpochMs => {
      const read = readWhen(value, now());
      return read.kind === "at" ? read.at : fault(context, "invalid_time", read.why);
    })
    .meta(SCHEDULE_META);
}
export const SCHEDULE_META = {
  description:
    "RFC 3339, or words such as `in 10 min` or `Friday at 3pm ET`; UTC where no zone is named.",
  examples: ["2026-12-31T18:30:00Z", "in 10 min"],
};

const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const duration = z
  .string()
  .transform((value, context): number => {
    const match = /^(\d{1,9})([smhd])$/.exec(value);
    const ms = match === null ? 0 : Number(match[1]) * unitMs[match[2] as keyof typeof unitMs];
    if (ms > 0 && ms <= DURATION_MAX_MS) return ms;
    const detail = `Write a duration such as 90s, 10m, 72h or 5d, of at most ${AHEAD_MAX_DAYS} days.`;
    return fault(context, "invalid_time", detail);
  })
  .meta({ example: "10m" });

/** Priorities as callers write them. */
export const lanes: Readonly<Record<"p0" | "p1" | "p2", Priority>> = { p0: 0, p1: 1, p2: 2 };

const subject = z
  .string()
  .max(SUBJECT_MAX)
  .transform((value, context): HeaderText => {
    return take(context, parseHeaderText("The subject", value), "invalid_value");
  });

const reference = z
  .string()
  .min(1)
  .max(REFERENCE_MAX)
  .transform((value, context): string => {
    return take(context, parseHeaderText("The reference", value), "invalid_value");
  });

/** Stands in for the message's id while the path is checked: it is not yet known. */
const SAMPLE_ID = "00000000-0000-7000-8000-000000000000";

const returnPath = z
  .string()
  .max(RETURN_PATH_MAX)
  .transform((value, context): ReturnPath => {
    // The null reverse-path (RFC 5321 4.5.5), for mail that must never cause a bounce.
    if (value === "" || value === "<>") return { utf8: false, for: () => "" };
    const parsed = parseMailbox(value.replaceAll("{id}", SAMPLE_ID));
    if (parsed.kind === "refused")
      return fault(context, "invalid_address", parsed.why.replaceAll(SAMPLE_ID, "{id}"));
    const { address, utf8 } = parsed.value;
    return { utf8, for: (uuid) => address.replaceAll(SAMPLE_ID, uuid) };
  })
  .meta({ example: "bounces+{id}@example.com" });

const ENVID_MAX = 100;

/** RFC 3461: what the sender wants to be told of, by whom the message passes. */
export const dsnField = z
  .strictObject({
    notify: z
      .array(z.enum(["never", "success", "failure", "delay"]))
      .min(1)
      .max(4)
      .optional(),
    ret: z.enum(["full", "headers"]).optional(),
    envid: z.string().min(1).max(ENVID_MAX).optional(),
  })
  .transform((given, context): DsnRequest => {
    const { notify, envid } = given;
    if (envid !== undefined && !/^[\x21-\x7e]+$/.test(envid))
      fault(context, "invalid_value", "envid is printable ASCII without spaces.", ["envid"]);
    if (notify?.includes("never") === true && notify.length > 1)
      fault(context, "conflict", "never stands alone: it forbids all notices.", ["notify"]);
    return given;
  });

/** Fields that the API knows and this version cannot honour: said, never ignored. */
export const unsupportedFields: ReadonlySet<string> = new Set(["template", "topic_id"]);

export function createMessageSchema(limits: SchemaDeps) {
  // An empty list of others says nothing, as with Resend: programs give what they have.
  const others = mailboxes(0, limits.recipientsPerField);
  const attachment = attachmentField(limits.attachmentUrls ?? "off");
  return z.strictObject({
    from: mailbox,
    to: mailboxes(1, limits.recipientsPerField),
    subject,
    cc: others.optional(),
    bcc: others.optional(),
    reply_to: others.optional(),
    html: text.optional(),
    text: text.optional(),
    headers: headers.optional(),
    attachments: z.array(attachment).max(ATTACHMENTS_MAX).optional(),
    tags: z.array(tag).max(TAGS_MAX).optional(),
    metadata: metadata.optional(),
    reference: reference.optional(),
    scheduled_at: when(limits.now).optional(),
    expires_at: instant.optional(),
    expires_in: duration.optional(),
    priority: z
      .enum(["p0", "p1", "p2"])
      .transform((lane) => lanes[lane])
      .optional(),
    return_path: returnPath.optional(),
    dsn: dsnField.optional(),
    require_tls: z
      .boolean()
      .meta({ description: "Encrypted on its way to the next server, or not sent." })
      .optional(),
  });
}

/** To compile takes as long as ten thousand messages are faster by it: few begin with that, and a start does not wait for it. */
const COMPILED_AFTER = 100;

export type MessageCheck = Pick<MessageSchema, "safeParse" | "shape">;

/** The same schema, as one function for what is right once many ask; what is wrong is told by the schema itself. */
export function createMessageCheck(schema: MessageSchema): MessageCheck {
  let current = schema;
  let left = COMPILED_AFTER;
  return {
    shape: schema.shape,
    safeParse(body) {
      if (left > 0 && --left === 0) current = z.compile(schema, { strict: true });
      return current.safeParse(body);
    },
  };
}

export type MessageSchema = ReturnType<typeof createMessageSchema>;
/** A message whose fields are each right; what they mean together is checked in `draft.ts`. */
export type Fields = z.output<MessageSchema>;
export type Attachments = NonNullable<Fields["attachments"]>;
