// Messages and settlements for the tests of the stores.
import { IDS_PER_MS } from "../../src/mail/id.ts";
import type { MessageHead, Priority } from "../../src/mail/message.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import type {
  Committed,
  NewMessage,
  QueueStore,
  Settlement,
  Tally,
} from "../../src/queue/store.ts";

export const NOW = 1_800_000_000_000;

export interface MessageSketch {
  readonly id: number;
  readonly states: readonly RecipientState[];
  readonly site?: number;
  readonly priority?: Priority;
  readonly body?: Uint8Array;
  readonly spool?: string;
}

export function message({
  id,
  states,
  site = 0,
  priority = 1,
  body = new Uint8Array(10),
  spool,
}: MessageSketch): NewMessage {
  const recipients = states.map((_, n) => `user${n}@example.com`);
  const head: MessageHead = {
    id,
    acceptedAt: Math.floor(id / IDS_PER_MS),
    from: "sender@s.example",
    recipients,
    priority,
    dueAt: Math.floor(id / IDS_PER_MS),
    expiresAt: null,
    sizeBytes: body.length,
    sha256: "x".repeat(43),
    eightBit: true,
    utf8: false,
    facts: "{}",
    body:
      spool === undefined
        ? { kind: "inline", length: body.length }
        : { kind: "spool", file: spool },
  };
  return {
    head,
    body: spool === undefined ? body : null,
    recipients: states.map((state, n) => ({ n, address: recipients[n] ?? "", site, state })),
  };
}

export function idAt(ms: number, counter = 0): number {
  return ms * IDS_PER_MS + counter;
}

export function queued(dueAt = NOW, attempts = 0): RecipientState {
  return { at: "queued", dueAt, attempts };
}

export function delivered(
  message: number,
  n: number,
  claim: number | null,
  step: string | null = '["a"]',
): Settlement {
  return {
    message,
    n,
    claim,
    next: { at: "delivered", endedAt: NOW + 1, attempts: 1 },
    step,
    event: "email.delivered",
    at: NOW + 1,
  };
}

export function committed<T>(result: Committed<T>): T {
  if (result.kind === "failed") throw new Error(result.text);
  return result.value;
}

/** The count that the store's own books must agree with. */
export function recount(store: QueueStore, ids: Iterable<number>): Tally[] {
  const counts = new Map<string, Tally>();
  for (const id of ids) {
    for (const { state, priority } of store.recipients(id)) {
      const key = `${state.at} ${priority}`;
      const recipients = (counts.get(key)?.recipients ?? 0) + 1;
      counts.set(key, { state: state.at, priority, recipients });
    }
  }
  return [...counts.values()].sort(byStateAndPriority);
}

export function byStateAndPriority(a: Tally, b: Tally): number {
  return a.state < b.state ? -1 : a.state > b.state ? 1 : a.priority - b.priority;
}
