// One message as the API shows it, and its bytes while they are kept.
import { createHash } from "node:crypto";
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { join } from "node:path";
import PostalMime from "postal-mime";
import { iso } from "../base/clock.ts";
import type { EventType } from "../mail/event.ts";
import { acceptedAtOf, type HostTag, idOf, uuidOf } from "../mail/id.ts";
import type { EmailView, RecipientView, SettledView } from "../mail/query.ts";
import { FIRST_FINAL, recipientStates, type StateName, stateNumber } from "../mail/state.ts";
import { lastWord } from "./events.ts";
import type { Stored, StoredMessage, StoredRecipient } from "./stored.ts";
import { noTexts, type Texts, textsOf } from "./texts.ts";

/** A larger message is shown without its text: parsing it would hold up every other question. */
const SHOWN_BYTES_MAX = 2_000_000;

/** The word of `last_event` for each state: always one of Resend's. */
const lastEvents: Readonly<Record<StateName, string>> = {
  scheduled: "scheduled",
  queued: "queued",
  held: "queued",
  sending: "queued",
  deferred: "delivery_delayed",
  delivered: "delivered",
  bounced: "bounced",
  expired: wordOf("email.failed"),
  canceled: "canceled",
  suppressed: "suppressed",
};

function wordOf(type: EventType): string {
  return type.slice("email.".length);
}

/** The least advanced recipient decides; the states' numbers are in that order. */
function leastState(states: readonly StateName[]): StateName {
  const least = Math.min(...states.map((state) => stateNumber[state]));
  return recipientStates[least] ?? "queued";
}

export function emailView(
  message: StoredMessage,
  recipients: readonly StoredRecipient[],
  { tag, texts }: { readonly tag: HostTag; readonly texts: Texts },
): EmailView {
  const { facts, id, dueAt, priority } = message;
  const acceptedAt = acceptedAtOf(id);
  return {
    object: "email",
    id: uuidOf(id, tag),
    message_id: facts.message_id,
    from: facts.from,
    to: facts.to,
    cc: facts.cc,
    bcc: facts.bcc,
    reply_to: facts.reply_to,
    subject: facts.subject,
    ...texts,
    tags: facts.tags,
    created_at: iso(acceptedAt),
    scheduled_at: dueAt > acceptedAt ? iso(dueAt) : null,
    last_event: lastEvents[leastState(recipients.map((one) => one.state))],
    recipients: recipients.map(recipientView),
    priority: `p${priority}`,
    reference: facts.reference,
    metadata: facts.metadata,
    warnings: facts.warnings ?? [],
  };
}

function recipientView({ address, state, attempts, dueAt, steps }: StoredRecipient): RecipientView {
  const last = steps.at(-1);
  return {
    address,
    state,
    attempts,
    next_attempt_at: dueAt === null ? null : iso(dueAt),
    last: last === undefined ? null : lastWord(last),
  };
}

const OPEN_BITS = (1 << FIRST_FINAL) - 1;

/** Nothing while a recipient is not final: one row each is looked at until then. */
export function settledView(uuid: string, stored: Stored, tag: HostTag): SettledView[] {
  const id = idOf(uuid, tag);
  const bits = id === undefined ? 0 : stored.stateBits(id);
  if (id === undefined || bits === 0 || (bits & OPEN_BITS) !== 0) return [];
  const recipients = stored.recipients(id).map(recipientView);
  return [
    {
      id: uuid,
      status: leastState(recipients.map((one) => one.state)),
      recipients: recipients.map(({ address, state: status, last }) => ({ address, status, last })),
    },
  ];
}

/** Undefined: they are gone, or are not what was accepted. */
export function readBytes(
  message: StoredMessage,
  stored: Stored,
  dataDir: string,
): Uint8Array | undefined {
  const bytes =
    stored.body(message.id) ?? readSpool(message, dataDir) ?? readRing(message, stored, dataDir);
  if (bytes === undefined) return undefined;
  const sha256 = createHash("sha256").update(bytes).digest("base64url");
  return sha256 === message.sha256 ? bytes : undefined;
}

function readSpool({ spool }: StoredMessage, dataDir: string): Uint8Array | undefined {
  if (spool === null) return undefined;
  try {
    return new Uint8Array(readFileSync(join(dataDir, "spool", spool)));
  } catch (error) {
    // It is deleted once its message is final, which may be at this moment.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** While a sender has the message. The place may be given to another at any moment, which the hash then tells. */
function readRing(
  { id, ring, sizeBytes }: StoredMessage,
  stored: Stored,
  dataDir: string,
): Uint8Array | undefined {
  const sending = (stored.stateBits(id) & (1 << stateNumber.sending)) !== 0;
  if (ring === null || !sending) return undefined;
  const handle = openSync(join(dataDir, "postrider.ring"), "r");
  try {
    const bytes = new Uint8Array(sizeBytes);
    return readSync(handle, bytes, 0, sizeBytes, ring) === sizeBytes ? bytes : undefined;
  } finally {
    closeSync(handle);
  }
}

export async function readTexts(
  message: StoredMessage,
  stored: Stored,
  dataDir: string,
): Promise<Texts> {
  if (message.sizeBytes > SHOWN_BYTES_MAX) return noTexts;
  const bytes = readBytes(message, stored, dataDir);
  if (bytes === undefined) return noTexts;
  try {
    return textsOf(await PostalMime.parse(bytes));
  } catch {
    // Raw mail may be stranger than its parser bears, such as parts nested 300 deep; it is sent all the same.
    return noTexts;
  }
}
