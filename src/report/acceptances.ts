// When the messages of the last moments were accepted, so that a trace whose attempt failed can tell of its beginning too, though nobody
// knew then that anybody would ask. Those whose trace is kept by share have a room of their own, in which they last longer.
import type { Clock, EpochMs } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { MessageId } from "../mail/id.ts";
import { type Way, ways } from "../mail/submission.ts";
import { isSampled } from "./sampling.ts";

export interface Acceptance {
  readonly way: Way;
  /** When work on it began, when it was composed, and when it was committed. */
  readonly receivedAt: EpochMs;
  readonly composedAt: EpochMs;
  readonly committedAt: EpochMs;
  /** Not before; the instant of its acceptance for nearly all mail. */
  readonly dueAt: EpochMs;
}

export interface NotedAcceptance {
  readonly message: MessageId;
  readonly trace: string | null;
  readonly way: Way;
  readonly dueAt: EpochMs;
  /** When work on it began. */
  readonly acceptedAt: EpochMs;
  /** By the monotonic clock. */
  readonly composedAtMs: number;
}

export interface Acceptances {
  /** It was committed just now. */
  note(noted: NotedAcceptance): void;
  find(message: MessageId): Acceptance | undefined;
}

/** Messages whose trace is kept by share, and the last ones of all: more than a second of the fastest daemon. */
const SAMPLED_MAX = 10_000;
const SLOTS = 16_384;
const FIELDS = 5;

export function createAcceptances(
  clock: Pick<Clock, "now" | "monotonicMs">,
  share: () => number,
): Acceptances {
  const sampled = new Map<MessageId, Acceptance>();
  const last = createRing();
  return {
    note({ message, trace, way, acceptedAt, dueAt, composedAtMs }) {
      const committedAt = clock.now();
      const composedAt = Math.min(committedAt, committedAt - clock.monotonicMs() + composedAtMs);
      const receivedAt = Math.min(acceptedAt, composedAt);
      if (!isSampled(message, trace, share()))
        return last.put(message, [ways.indexOf(way), receivedAt, composedAt, committedAt, dueAt]);
      sampled.set(message, { way, receivedAt, composedAt, committedAt, dueAt });
      keepNewest(sampled, SAMPLED_MAX);
    },
    find: (message) => sampled.get(message) ?? last.find(message),
  };
}

/**
 * A message takes the place of the oldest, and no object is made for it. One is looked for from end to end, which is done for few and
 * costs some microseconds.
 */
function createRing() {
  const ids = new Float64Array(SLOTS);
  const fields = new Float64Array(SLOTS * FIELDS);
  let next = 0;
  return {
    put(message: MessageId, values: readonly number[]): void {
      ids[next] = message;
      fields.set(values, next * FIELDS);
      next = (next + 1) % SLOTS;
    },
    find(message: MessageId): Acceptance | undefined {
      const slot = ids.indexOf(message);
      if (slot === -1) return undefined;
      const at = slot * FIELDS;
      const [way = 0, receivedAt = 0, composedAt = 0, committedAt = 0, dueAt = 0] = fields.subarray(
        at,
        at + FIELDS,
      );
      return { way: ways[way] ?? "POST /send", receivedAt, composedAt, committedAt, dueAt };
    },
  };
}
