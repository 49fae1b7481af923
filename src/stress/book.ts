// The books of a load: what became of each request and of each message, by number, so that in the end every one is accounted for. A few
// octets a message, since there may be millions.
import type { EpochMs } from "../base/clock.ts";
import { createSpread, type SpreadSummary } from "../base/spread.ts";
import type { Outcome } from "./client.ts";
import { createLabels } from "./labels.ts";

export const troubles = ["deferred", "bounced", "expired", "suppressed", "canceled"] as const;
export type Trouble = (typeof troubles)[number];

export interface Counts {
  readonly started: number;
  readonly accepted: number;
  /** Answered otherwise. */
  readonly refused: number;
  /** Sent, and never answered. */
  readonly unanswered: number;
  /** Could not be sent. */
  readonly unsent: number;
  readonly delivered: number;
  /** Final, and not delivered. */
  readonly failed: number;
  /** To be tried again. */
  readonly deferred: number;
  /** Delivered after a try that failed. */
  readonly deliveredLate: number;
  /** Takings beyond the first one of each message. */
  readonly repeated: number;
  /** Taken though the request was never answered. */
  readonly unseen: number;
}

export interface ClassCount {
  readonly class: string;
  readonly count: number;
}

export interface Book {
  started(n: number): void;
  /** `tookMs` from when the request was to begin. */
  ended(n: number, outcome: Outcome, tookMs: number): void;
  delivered(n: number, at: EpochMs): void;
  troubled(n: number, trouble: Trouble, label: string, nextAt: EpochMs | null): void;
  counts(): Counts;
  accepting(): SpreadSummary | null;
  delivering(): SpreadSummary | null;
  acceptFailures(): readonly ClassCount[];
  deliveryFailures(): readonly ClassCount[];
  /** By the daemon's clock, as everything about messages is; null before it. */
  firstAcceptedAt(): EpochMs | null;
  /** From the first acceptance to the last delivery; 0 without one. */
  deliveredWithinMs(): number;
  /** Nothing more will come before that instant. */
  isQuietUntil(at: EpochMs): boolean;
  /** Accepted messages without an end. */
  unfinished(): number;
}

const ACCEPTED = 1;
const FINAL = 2;
const DELIVERED = 4;
const UNANSWERED = 8;
const TROUBLED = 16;
const UNSEEN = 32;
const FIRST_ROOM = 16_384;

export function createBook(): Book {
  const state = createColumn((room) => new Uint8Array(room));
  const label = createColumn((room) => new Uint8Array(room));
  const acceptedAt = createColumn((room) => new Float64Array(room));
  const deliveredAt = createColumn((room) => new Float64Array(room));
  const labels = createLabels();
  const refusals = new Map<string, number>();
  const waiting = new Map<number, EpochMs>();
  const accepting = createSpread();
  const delivering = createSpread();
  let [started, accepted, refused, unanswered, unsent] = [0, 0, 0, 0, 0];
  let [delivered, failed, deliveredLate, repeated, unseen] = [0, 0, 0, 0, 0];
  let firstAcceptedAt = Infinity;
  let lastDeliveredAt = 0;

  const count = (by: Map<string, number>, name: string): void =>
    void by.set(name, (by.get(name) ?? 0) + 1);
  const is = (n: number, flag: number): boolean => (state.get(n) & flag) !== 0;
  const mark = (n: number, flag: number): void => state.set(n, state.get(n) | flag);
  /** Of a request that was never answered, something is heard of its message. */
  const see = (n: number): void => {
    if (!is(n, UNANSWERED) || is(n, UNSEEN) || !is(n, DELIVERED | TROUBLED)) return;
    mark(n, UNSEEN);
    unseen++;
  };
  /** Whichever of both is heard last tells how long it took. */
  const measure = (n: number): void => {
    if (is(n, ACCEPTED) && is(n, DELIVERED)) delivering.add(deliveredAt.get(n) - acceptedAt.get(n));
  };

  const accept = (n: number, id: string, tookMs: number): void => {
    accepted++;
    accepting.add(tookMs);
    const at = acceptedAtIn(id);
    acceptedAt.set(n, at);
    if (at < firstAcceptedAt) firstAcceptedAt = at;
    mark(n, ACCEPTED);
    measure(n);
  };

  return {
    started: () => void started++,
    ended(n, outcome, tookMs) {
      if (outcome.kind === "answered") {
        const { status, name, id } = outcome.reply;
        if (status < 300 && id !== "") return accept(n, id, tookMs);
        refused++;
        return count(refusals, labels.labelOf(labels.indexOf(`${status} ${name}`.trimEnd())));
      }
      if (outcome.kind === "unreachable") unsent++;
      else {
        unanswered++;
        mark(n, UNANSWERED);
        see(n);
      }
      const what = outcome.kind === "lost" ? "unanswered" : "unreachable";
      count(refusals, labels.labelOf(labels.indexOf(`${what} ${outcome.why}`)));
    },
    delivered(n, at) {
      if (is(n, DELIVERED)) return void repeated++;
      if (at > lastDeliveredAt) lastDeliveredAt = at;
      delivered++;
      if (is(n, FINAL)) failed--;
      else if (is(n, TROUBLED)) deliveredLate++;
      deliveredAt.set(n, at);
      waiting.delete(n);
      mark(n, DELIVERED | FINAL);
      see(n);
      measure(n);
    },
    troubled(n, trouble, name, nextAt) {
      if (is(n, FINAL)) return;
      label.set(n, labels.indexOf(`${trouble} ${name}`.trimEnd()));
      mark(n, TROUBLED);
      see(n);
      if (trouble === "deferred") return void waiting.set(n, nextAt ?? 0);
      waiting.delete(n);
      failed++;
      mark(n, FINAL);
    },
    counts: () => ({
      ...{ started, accepted, refused, unanswered, unsent, delivered, failed },
      ...{ deferred: waiting.size, deliveredLate, repeated, unseen },
    }),
    accepting: accepting.summary,
    delivering: delivering.summary,
    acceptFailures: () => sorted(refusals),
    deliveryFailures() {
      const by = new Map<string, number>();
      const failedOnes = TROUBLED | DELIVERED;
      for (let n = 0; n < state.length(); n++)
        if ((state.get(n) & failedOnes) === TROUBLED) count(by, labels.labelOf(label.get(n)));
      return sorted(by);
    },
    firstAcceptedAt: () => (firstAcceptedAt === Infinity ? null : firstAcceptedAt),
    deliveredWithinMs: () => Math.max(0, lastDeliveredAt - firstAcceptedAt),
    isQuietUntil(at) {
      if (accepted + unseen > delivered + failed + waiting.size) return false;
      for (const nextAt of waiting.values()) if (nextAt <= at) return false;
      return true;
    },
    unfinished: () => Math.max(0, accepted + unseen - delivered - failed),
  };
}

/** The milliseconds that a UUIDv7 begins with (RFC 9562 5.7): the daemon's own time. */
function acceptedAtIn(id: string): EpochMs {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

function sorted(by: ReadonlyMap<string, number>): ClassCount[] {
  return [...by]
    .map(([name, count]) => ({ class: name, count }))
    .sort((a, b) => b.count - a.count || (a.class < b.class ? -1 : 1));
}

type Room = Uint8Array | Float64Array;

/** Numbers come nearly in order, so room is made by doubling. */
function createColumn(make: (room: number) => Room) {
  let values = make(FIRST_ROOM);
  let length = 0;
  return {
    length: () => length,
    get: (n: number): number => values[n] ?? 0,
    set(n: number, value: number): void {
      if (n >= values.length) {
        const wider = make(Math.max(n + 1, values.length * 2));
        wider.set(values);
        values = wider;
      }
      values[n] = value;
      if (n >= length) length = n + 1;
    },
  };
}
