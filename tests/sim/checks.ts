// The promise of DESIGN 1, put to the books at the end of a run and compared with what the remote servers say they took.
import { type EventType, WHOLE_MESSAGE } from "../../src/mail/event.ts";
import { acceptedAtOf, type MessageId } from "../../src/mail/id.ts";
import { domainOf } from "../../src/mail/message.ts";
import { isFinal } from "../../src/mail/state.ts";
import { unpackTimeline } from "../../src/mail/timeline.ts";
import { expiryOf, type RetryPolicy } from "../../src/queue/retry.ts";
import type { QueueStore, RecipientRow } from "../../src/queue/store.ts";
import { keyOf, type Truth } from "./server.ts";

export interface Books {
  readonly store: QueueStore;
  readonly truth: Truth;
  readonly denied: ReadonlySet<string>;
  readonly retry: RetryPolicy;
  /** Answered with `accepted`. */
  readonly accepted: ReadonlySet<MessageId>;
  /** All that was ever handed in, with the sender's own limit. */
  readonly submitted: ReadonlyMap<MessageId, number | null>;
  readonly violation: (text: string) => void;
  /** For how long of this time nothing could be sent; 0 where that cannot be told. */
  readonly heldMs: (from: number, to: number) => number;
}

export function checkBooks(books: Books): void {
  const { store, accepted, submitted, violation } = books;
  for (const message of accepted)
    if (store.recipients(message).length === 0)
      violation(`message ${message} was answered and is gone`);
  for (const message of submitted.keys())
    for (const row of store.recipients(message)) checkRecipient(books, row);
  for (const key of books.truth.taken.keys()) {
    const message = Number(key.split(" ", 1)[0]);
    if (store.recipients(message).length === 0)
      violation(`${key} was taken, and the queue does not know it`);
  }
  checkEvents(books);
}

function checkRecipient(books: Books, row: RecipientRow): void {
  const { truth, violation } = books;
  const { state } = row;
  const name = keyOf(String(row.message), row.address);
  if (!isFinal(state.at)) return violation(`${name} is ${state.at} at the end`);
  const steps = unpackTimeline(row.timeline);
  const doubts = steps.filter((step) => step.doubt).length;
  const taken = truth.taken.get(name) ?? 0;
  const delivered = state.at === "delivered" ? 1 : 0;
  if (taken < delivered) violation(`${name} is delivered, and nobody took it`);
  if (taken - delivered > doubts)
    violation(`${name} was taken ${taken} times, is ${state.at} and has ${doubts} doubts`);
  if (state.at === "bounced") {
    const refused = truth.refused.has(name) || truth.refused.has(String(row.message));
    if (!refused && !books.denied.has(domainOf(row.address)))
      violation(`${name} is bounced, and nobody refused it`);
  }
  // A retry by the operator begins another life.
  const reborn = steps.some((step) => step.kind === "note" && step.note === "requeued");
  if (state.at === "expired" && !reborn) {
    const expiresAt = books.submitted.get(row.message) ?? null;
    const acceptedAt = acceptedAtOf(row.message);
    const expiry = expiryOf(books.retry, { priority: row.priority, acceptedAt, expiresAt });
    const heldMs = expiresAt === null ? books.heldMs(acceptedAt, state.endedAt) : 0;
    if (state.endedAt < expiry + heldMs) violation(`${name} expired before its time`);
    if (expiresAt === null && steps.length === 0) violation(`${name} expired without an attempt`);
  }
}

const finalOf: Partial<Readonly<Record<EventType, string>>> = {
  "email.delivered": "delivered",
  "email.bounced": "bounced",
  "email.failed": "expired",
  "email.canceled": "canceled",
  "email.suppressed": "suppressed",
};

/** The events alone must lead to the same states as the rows, and none may be missing. */
function checkEvents({ store, submitted, violation }: Books): void {
  const last = new Map<string, string>();
  const told = new Set<MessageId>();
  let seq = 0;
  for (const event of store.events(0, Number.MAX_SAFE_INTEGER)) {
    if (event.seq !== ++seq) violation(`event ${seq} is missing`);
    if (event.n === WHOLE_MESSAGE) {
      told.add(event.message);
      continue;
    }
    const key = `${event.message} ${event.n}`;
    if (!told.has(event.message)) violation(`${key} has an event before its acceptance`);
    const before = last.get(key);
    if (event.type === "email.requeued") {
      if (before !== "bounced" && before !== "expired")
        violation(`${key} is requeued, and was ${before ?? "not final"}`);
      last.delete(key);
      continue;
    }
    if (before !== undefined) violation(`${key} has ${event.type} after ${before}`);
    const final = finalOf[event.type];
    if (final !== undefined) last.set(key, final);
  }
  for (const message of submitted.keys())
    for (const { n, state } of store.recipients(message)) {
      const replayed = last.get(`${message} ${n}`);
      if (isFinal(state.at) && replayed !== state.at)
        violation(`${message} ${n} is ${state.at}, and its events say ${replayed ?? "nothing"}`);
    }
}
