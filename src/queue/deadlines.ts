// Limits that senders asked for, kept to the letter: who waits behind a pause, for an operator or for our own line is in no line that
// anybody looks at, and expires all the same at that time. The store has no order by limit, since on the hot path that would cost more
// than all else: the earliest limits of those that wait are known here, and the others are searched for once these have gone by.
import type { EpochMs } from "../base/clock.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import type { Instant } from "./duetime.ts";
import { createHeap } from "./heap.ts";
import type { Turn } from "./launch.ts";
import { after, attemptsOf, eventOf, type Happening } from "./lifecycle.ts";
import type { Lulls } from "./lulls.ts";
import type { Untried } from "./routing.ts";
import { note } from "./settlement.ts";
import type { QueueStore, WalkPlace } from "./store.ts";

export interface Deadlines {
  /** The message waits, and its sender asked for a limit; null: it did not. */
  add(message: MessageId, expiresAt: EpochMs | null): void;
  /** Outside of a transaction: searches on, a stretch at a time. */
  look(now: Instant): void;
  hasWork(now: Instant): boolean;
  /** Inside a transaction: what waits and whose time has come expires. */
  run(turn: Turn): void;
  committed(): void;
  /** The transaction did not stand. */
  undo(): void;
  /** How long until there is something to do. */
  waitMs(now: Instant): number;
}

/** Messages whose limits are known; some 10 MB. */
const KNOWN_MAX = 50_000;
/** Recipients looked at in one stretch of the search, and the rest after it: 1,000,000 take some minutes and a few percent of a core. */
const STRETCH = 500;
const STRETCH_REST_MS = 100;
/** Less is the slewing of NTP. */
const SET_BACK_MS = 60_000;
/** Messages that expire in one transaction. */
const A_TURN = 200;

export interface DeadlineOptions {
  /** Told after the commit. */
  readonly expired?: (message: MessageId, address: string, text: string) => void;
  readonly untried?: Untried | undefined;
  readonly knownMax?: number;
}

const LATE = "4.4.7 not delivered by the time that its sender set";

interface Search {
  readonly which: "waiting" | "held";
  readonly after: WalkPlace | null;
  readonly atMono: number;
}

const FROM_START: Search = { which: "waiting", after: null, atMono: 0 };

export function createDeadlines(
  store: Pick<QueueStore, "walk" | "recipients" | "expiresAt" | "settle" | "traceOf">,
  lulls: Pick<Lulls, "leapt">,
  { expired = () => {}, untried, knownMax = KNOWN_MAX }: DeadlineOptions = {},
): Deadlines {
  const heap = createHeap<MessageId>();
  const known = new Set<MessageId>();
  /** Limits from then on are not all known. */
  let horizon = Infinity;
  let search: Search | null = FROM_START;
  let lastWall = 0;
  /** Taken out by the present transaction. */
  let taken: MessageId[] = [];

  const learn = (message: MessageId, at: EpochMs): void => {
    if (at >= horizon || known.has(message)) return;
    known.add(message);
    heap.push(at, message);
    if (known.size > knownMax) halve();
  };

  const take = (): MessageId | undefined => {
    const message = heap.pop();
    if (message !== undefined) known.delete(message);
    return message;
  };

  /** The later half is forgotten. */
  const halve = (): void => {
    const kept: [EpochMs, MessageId][] = [];
    while (kept.length < knownMax >> 1) {
      const at = heap.earliest();
      const message = take();
      if (message === undefined) break;
      kept.push([at, message]);
    }
    horizon = heap.earliest();
    while (take() !== undefined);
    for (const [at, message] of kept) {
      known.add(message);
      heap.push(at, message);
    }
  };

  const isSearchDue = (wall: EpochMs): boolean =>
    horizon !== Infinity && (known.size <= knownMax >> 2 || wall >= horizon);

  const goOn = ({ which, after: from }: Search, mono: number): void => {
    const rows = store.walk(which, { after: from, limit: STRETCH });
    for (const { message, expiresAt } of rows) if (expiresAt !== null) learn(message, expiresAt);
    const atMono = mono + STRETCH_REST_MS;
    if (rows.length === STRETCH) search = { which, after: rows.at(-1) ?? null, atMono };
    else search = which === "waiting" ? { which: "held", after: null, atMono } : null;
  };

  /** Who is with a sender is not touched: what becomes of the attempt is looked at when it is over. */
  const expire = (turn: Turn, message: MessageId): void => {
    const { wall } = turn.now;
    const given = store.expiresAt(message);
    if (given === null) return;
    // An operator gave it a new life, or the clock leapt.
    const expiresAt = given + lulls.leapt(acceptedAtOf(message), wall);
    if (expiresAt > wall) return learn(message, expiresAt);
    const happening: Happening = { kind: "expired", at: wall, counted: false };
    const event = eventOf[happening.kind];
    for (const { n, state, address, priority } of store.recipients(message)) {
      const next = state.at === "sending" ? null : after(state, happening);
      if (next === null) continue;
      const step = note(wall, "expired", LATE);
      if (!store.settle({ message, n, claim: null, next, step, event, at: wall })) continue;
      turn.ended.push("expired");
      const attempts = attemptsOf(state);
      turn.afterwards.push(() => {
        expired(message, address, LATE);
        const trace = untried === undefined ? undefined : store.traceOf(message);
        untried?.({ message, n, address, attempts, priority, trace }, undefined, {
          kind: "failed",
          step,
        });
      });
    }
  };

  return {
    add(message, expiresAt) {
      if (expiresAt !== null) learn(message, expiresAt);
    },
    look({ wall, mono }) {
      // Set back, the clock takes leaps with it, and with them limits that were put off: they are looked for anew.
      if (wall < lastWall - SET_BACK_MS) {
        while (take() !== undefined);
        horizon = Infinity;
        search = FROM_START;
      }
      lastWall = wall;
      if (search === null && isSearchDue(wall)) {
        horizon = Infinity;
        search = FROM_START;
      }
      if (search !== null && mono >= search.atMono) goOn(search, mono);
    },
    hasWork: ({ wall }) => heap.earliest() <= wall,
    run(turn) {
      for (let count = 0; count < A_TURN && heap.earliest() <= turn.now.wall; count++) {
        const message = take();
        if (message === undefined) return;
        taken.push(message);
        expire(turn, message);
      }
    },
    committed() {
      if (taken.length > 0) taken = [];
    },
    undo() {
      for (const message of taken.splice(0)) learn(message, 0);
    },
    waitMs({ wall, mono }) {
      const untilDueMs = isSearchDue(wall) ? 0 : horizon - wall;
      const searchMs = search === null ? untilDueMs : search.atMono - mono;
      return Math.min(searchMs, heap.earliest() - wall);
    },
  };
}
