// When the messages of the last moments were accepted, so that a trace whose attempt failed can tell of its beginning too, though nobody
// knew then that anybody would ask. A message overwrites an older one; those whose trace is kept by share have a room of their own.
import type { Clock, EpochMs } from "../base/clock.ts";
import { IDS_PER_MS, type MessageId } from "../mail/id.ts";
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

/** Of each room; ten seconds of the fastest daemon in the one, hours in the other. */
const SLOTS = 16_384;
const FIELDS = 6;
/** A prime, so that milliseconds do not fall into step with the slots. */
const A_MS = 61;

export function createAcceptances(
  clock: Pick<Clock, "now" | "monotonicMs">,
  share: () => number,
): Acceptances {
  const rooms = [new Float64Array(SLOTS * FIELDS), new Float64Array(SLOTS * FIELDS)] as const;
  /** The first 61 messages of one millisecond lie side by side. */
  const slotOf = (message: MessageId): number =>
    ((Math.floor(message / IDS_PER_MS) * A_MS + (message % IDS_PER_MS)) % SLOTS) * FIELDS;
  return {
    note({ message, trace, way, acceptedAt, dueAt, composedAtMs }) {
      const room = rooms[isSampled(message, trace, share()) ? 0 : 1];
      const at = slotOf(message);
      const committedAt = clock.now();
      const epochMs = committedAt - clock.monotonicMs();
      room[at] = message;
      room[at + 1] = ways.indexOf(way);
      // Whole milliseconds, and what is known of the rest.
      const composedAt = Math.min(committedAt, epochMs + composedAtMs);
      room[at + 2] = Math.min(acceptedAt, composedAt);
      room[at + 3] = composedAt;
      room[at + 4] = committedAt;
      room[at + 5] = dueAt;
    },
    find(message) {
      const at = slotOf(message);
      const room = rooms.find((one) => one[at] === message);
      if (room === undefined) return undefined;
      const [, way, receivedAt, composedAt, committedAt, dueAt] = room.subarray(at, at + FIELDS);
      return {
        way: ways[way ?? 0] ?? "POST /send",
        receivedAt: receivedAt ?? 0,
        composedAt: composedAt ?? 0,
        committedAt: committedAt ?? 0,
        dueAt: dueAt ?? 0,
      };
    },
  };
}
