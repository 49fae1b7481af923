// From the fields of a request to what the queue takes: what the fields mean together, the envelope, the facts, and the composed
// message - in memory when it is small, in a spool file when it is large.
import { hash } from "node:crypto";
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Address } from "../mail/address.ts";
import { composeMessage, type Draft, draftNeedsUtf8 } from "../mail/compose/compose.ts";
import { parseHeaderText } from "../mail/compose/headerText.ts";
import type { Attachment } from "../mail/compose/part.ts";
import { type HostTag, type MessageId, uuidOf } from "../mail/id.ts";
import { domainOf, type MessageFacts, type MessageHead } from "../mail/message.ts";
import type { Submission } from "../mail/submission.ts";
import type { WarningCode } from "../mail/warning.ts";
import type { Caller } from "./caller.ts";
import { contentLength } from "./content.ts";
import { noHeaders } from "./headers.ts";
import type { Known } from "./once.ts";
import { createPlainText } from "./plainText.ts";
import { type Result, ok, problem } from "./problem.ts";
import { createFetching, type FetchAttachment, isRemote } from "./remote.ts";
import type { Attachments, Fields, Given } from "./schema.ts";
import { foreignSenders, notAllowed } from "./senders.ts";
import type { Spool, SpoolFile } from "./spool.ts";
import { createStoring, type StoreDraft } from "./storing.ts";
import { warningsOf } from "./warnings.ts";

/** A message up to this size travels with its head; a larger one lies in the spool (DESIGN 3). */
export const INLINE_MAX_BYTES = 262_144;

/** A message that is ready for the queue. */
export interface Prepared {
  readonly uuid: string;
  readonly submission: Submission;
  /** To be discarded when the queue does not take the message. */
  readonly file: SpoolFile | null;
  /** What the request is known by; absent: it carries no idempotency key. */
  readonly once?: Known;
  /** What the sender should know of it; absent for nothing. */
  readonly warnings?: readonly WarningCode[];
}

export interface Preparer {
  prepare(fields: Fields, now: EpochMs, caller: Caller): Prepared | Promise<Result<Prepared>>;
}

export type ReturnPathOf = (senderDomain: string, uuid: string) => string | undefined;

export interface PrepareDeps {
  readonly ids: (now: EpochMs) => MessageId;
  readonly tag: HostTag;
  readonly hostname: string;
  /** The reverse-path that the settings give a sender's domain; undefined: the address in From. */
  readonly returnPathOf?: ReturnPathOf;
  readonly spool: Spool;
  readonly clock: Clock;
  readonly fetchAttachment?: FetchAttachment | undefined;
  readonly messageBytesMax: number;
  /** Whether a DKIM key here covers this domain; absent: nobody knows. */
  readonly signs?: ((domain: string) => boolean) | undefined;
}

/** What of a head is known only when the bytes are. */
type Written = Pick<MessageHead, "sizeBytes" | "sha256" | "eightBit" | "body">;

/** A message that is about to be written. */
interface Writing {
  readonly id: MessageId;
  readonly uuid: string;
  readonly fields: Fields;
  readonly draft: Draft;
  readonly facts: string;
  readonly warnings: readonly WarningCode[];
  readonly now: EpochMs;
  readonly caller: Caller;
}

export function createPreparer(deps: PrepareDeps): Preparer {
  const store = createStoring(deps);
  const fetching = createFetching(deps);
  const plainText = createPlainText(deps.clock);
  const make = (
    fields: Fields,
    attachments: readonly Attachment[],
    now: EpochMs,
    caller: Caller,
  ): Prepared | Promise<Result<Prepared>> => {
    const { text, html } = fields;
    if (html === undefined || text !== undefined) {
      // An empty text beside html says that none is wanted, as with Resend.
      const given = text === "" && html !== undefined ? null : (text ?? null);
      const parts = { text: given, lacksText: false, attachments };
      return composed(deps, store, fields, parts, now, caller);
    }
    const derived = plainText(html);
    if (!(derived instanceof Promise))
      return composed(deps, store, fields, ofHtml(derived, attachments), now, caller);
    return derived.then((found) => {
      const made = composed(deps, store, fields, ofHtml(found, attachments), now, caller);
      return made instanceof Promise ? made : ok(made);
    });
  };
  return {
    prepare(fields, now, caller) {
      const foreign = foreignSenders(caller, fields);
      if (foreign.length > 0) return Promise.resolve(problem(notAllowed(foreign)));
      const given = fields.attachments ?? none;
      if (areHere(given)) return make(fields, given, now, caller);
      return fetching(given).then(async (got) => {
        if (got.kind === "problem") return got;
        try {
          const made = make(fields, got.value.attachments, now, caller);
          return made instanceof Promise ? await made : ok(made);
        } finally {
          await got.value.release();
        }
      });
    },
  };
}

const none: readonly Attachment[] = [];

function areHere(given: Attachments | readonly Attachment[]): given is readonly Attachment[] {
  return given.every(({ content }) => !isRemote(content));
}

interface Parts {
  readonly text: string | null;
  /** There is html, and no text could be derived from it. */
  readonly lacksText: boolean;
  readonly attachments: readonly Attachment[];
}

function ofHtml(text: string | null, attachments: readonly Attachment[]): Parts {
  return { text, lacksText: text === null, attachments };
}

function composed(
  deps: PrepareDeps,
  store: StoreDraft,
  fields: Fields,
  parts: Parts,
  now: EpochMs,
  caller: Caller,
): Prepared | Promise<Result<Prepared>> {
  const id = deps.ids(now);
  const uuid = uuidOf(id, deps.tag);
  const draft = draftOf(fields, parts, uuid, deps.hostname, now);
  const aligned = deps.signs?.(domainOf(draft.from.address)) ?? true;
  const warnings = warningsOf(aligned, fields.priority, parts.lacksText, draft.headers);
  const facts = factsOf(fields, draft.messageId, warnings);
  const writing: Writing = { id, uuid, fields, draft, facts, warnings, now, caller };
  const estimate = estimateBytes(draft);
  if (estimate > INLINE_MAX_BYTES) return spooled(deps, store, writing, estimate);
  const { bytes, free, eightBit } = composeMessage(draft);
  const head = headOf(deps, writing, {
    sizeBytes: bytes.length,
    sha256: hash("sha256", bytes, "base64url"),
    eightBit,
    body: { kind: "inline", length: bytes.length },
  });
  return { uuid, submission: { head, body: bytes, copied: free }, file: null, warnings };
}

function draftOf(
  fields: Fields,
  { text, attachments }: Parts,
  uuid: string,
  hostname: string,
  now: EpochMs,
): Draft {
  const headers = fields.headers ?? noHeaders;
  const mailboxes = (list: readonly Given[] | undefined) => list?.map((one) => one.mailbox) ?? [];
  return {
    from: fields.from.mailbox,
    to: mailboxes(fields.to),
    cc: mailboxes(fields.cc),
    replyTo: headers.replyTo ?? mailboxes(fields.reply_to),
    subject: fields.subject,
    text,
    html: fields.html ?? null,
    headers: headers.fields,
    attachments,
    // Scheduled mail carries the time of its release (DESIGN 7).
    date: headers.date ?? Math.max(now, fields.scheduled_at ?? now),
    messageId: headers.messageId ?? ownMessageId(uuid, hostname),
    // Unique is enough: the writer makes sure that no part holds it.
    boundary: uuid.replaceAll("-", ""),
    received: null,
  };
}

function ownMessageId(uuid: string, hostname: string) {
  const id = parseHeaderText("Message-ID", `${uuid}@${hostname}`);
  if (id.kind === "refused") throw new Error(`the host name cannot stand in a header: ${id.why}`);
  return id.value;
}

/** In one piece: every message pays for a copy of so many fields. */
function headOf(
  { returnPathOf }: PrepareDeps,
  { id, uuid, fields, draft, facts, now, caller }: Writing,
  { sizeBytes, sha256, eightBit, body }: Written,
): MessageHead {
  // In wire form, so that two spellings of one mailbox get one copy.
  const recipients = new Set<Address>();
  let utf8 = draftNeedsUtf8(draft);
  for (const list of [fields.to, fields.cc, fields.bcc])
    for (const { mailbox } of list ?? []) {
      recipients.add(mailbox.address);
      utf8 ||= mailbox.utf8;
    }
  const path = fields.return_path;
  const { address } = draft.from;
  const usual = returnPathOf?.(domainOf(address), uuid) ?? address;
  const dueAt = Math.max(now, fields.scheduled_at ?? now);
  return {
    id,
    acceptedAt: now,
    from: path === undefined ? usual : path.for(uuid),
    recipients: [...recipients],
    priority: fields.priority ?? 1,
    dueAt,
    expiresAt:
      fields.expires_at ?? (fields.expires_in === undefined ? null : dueAt + fields.expires_in),
    sizeBytes,
    sha256,
    eightBit,
    utf8: utf8 || path?.utf8 === true,
    dsn: fields.dsn,
    key: caller.key === 0 ? undefined : caller.key,
    capture: caller.capture || undefined,
    requireTls: fields.require_tls || undefined,
    facts,
    body,
  };
}

function factsOf(fields: Fields, messageId: string, warnings: readonly WarningCode[]): string {
  const texts = (list: readonly Given[] | undefined) => list?.map((one) => one.text) ?? null;
  const facts: MessageFacts = {
    message_id: `<${messageId}>`,
    from: fields.from.text,
    to: texts(fields.to) ?? [],
    cc: texts(fields.cc),
    bcc: texts(fields.bcc),
    reply_to: texts(fields.reply_to),
    subject: fields.subject,
    tags: fields.tags ?? [],
    metadata: fields.metadata ?? null,
    reference: fields.reference ?? null,
    warnings: warnings.length === 0 ? undefined : warnings,
  };
  return JSON.stringify(facts);
}

/** At least as large as what is composed, or nearly so: decides where it is composed, not whether it is taken. */
function estimateBytes(draft: Draft): number {
  let bytes = 1024 + 3 * ((draft.text?.length ?? 0) + (draft.html?.length ?? 0));
  // Most mail is ASCII and far below the bound: only a large text is measured.
  if (bytes > INLINE_MAX_BYTES)
    bytes = 1024 + Buffer.byteLength(draft.text ?? "") + Buffer.byteLength(draft.html ?? "");
  for (const { content } of draft.attachments)
    bytes += 512 + Math.ceil(contentLength(content) * 1.37);
  return bytes;
}

async function spooled(
  deps: PrepareDeps,
  store: StoreDraft,
  writing: Writing,
  estimate: number,
): Promise<Result<Prepared>> {
  const { uuid, draft, warnings } = writing;
  const stored = await store(draft, estimate);
  if (stored.kind === "problem") return stored;
  const { file, sizeBytes, sha256 } = stored.value;
  const eightBit = draftNeedsUtf8(draft);
  const body = { kind: "spool", file: file.name } as const;
  const head = headOf(deps, writing, { sizeBytes, sha256, eightBit, body });
  return ok({ uuid, submission: { head, body: null }, file, warnings });
}
