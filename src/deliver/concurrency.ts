// How many connections of a site may work at one time, learned from what its servers say: Postfix's feedback (SCHEDULER_README) with
// hysteresis. Growth is one connection for each whole round of successes at the present number; a failure takes one away. A number at
// which the site refused while it served others is remembered as a ceiling, and tried again only after a while that doubles: without
// it a site that bears three connections would be asked for a fourth every few seconds. Pure functions of (state, now).

export interface Concurrency {
  /** At least 1. */
  readonly window: number;
  /** Successes towards the next connection, in rounds; below 1. */
  readonly gained: number;
  /** What the site was found to bear; Infinity: not known. */
  readonly ceiling: number;
  /** Then one above the ceiling is tried. */
  readonly ceilingUntilMs: number;
  /** How long the present ceiling holds; the next one holds twice as long. */
  readonly heldMs: number;
  readonly lastSuccessMs: number;
}

const HOLD_MS = 60_000;
const HOLD_MAX_MS = 3_600_000;
/** A site that took something so short ago is not down: when it refuses then, it refuses the number. */
const SERVING_MS = 30_000;

export function startOf(window: number): Concurrency {
  return {
    window: Math.max(1, window),
    gained: 0,
    ceiling: Infinity,
    ceilingUntilMs: 0,
    heldMs: 0,
    lastSuccessMs: -Infinity,
  };
}

/** As it goes to another thread, and as it comes from there. */
export function standingOf(state: Concurrency, nowMs: number) {
  const { window, gained, ceiling, ceilingUntilMs, heldMs, lastSuccessMs } = state;
  return {
    window,
    gained,
    ceiling: ceiling === Infinity ? null : ceiling,
    ceilingLeftMs: Math.max(0, ceilingUntilMs - nowMs),
    heldMs,
    servedAgoMs: lastSuccessMs === -Infinity ? null : nowMs - lastSuccessMs,
  };
}

export function fromStanding(
  { window, gained, ceiling, ceilingLeftMs, heldMs, servedAgoMs }: ReturnType<typeof standingOf>,
  nowMs: number,
): Concurrency {
  return {
    window,
    gained,
    ceiling: ceiling ?? Infinity,
    ceilingUntilMs: nowMs + ceilingLeftMs,
    heldMs,
    lastSuccessMs: servedAgoMs === null ? -Infinity : nowMs - servedAgoMs,
  };
}

export interface Present {
  /** The limit in force. */
  readonly limit: number;
  /** Connections at work or being opened, the one that reports included. */
  readonly busy: number;
  /** How many of the window the waiting mail may use: lanes leave some of it free (DESIGN 7). */
  readonly usable: number;
  readonly nowMs: number;
  /** A connection at work was lost without a word, which happens on the way too, and says nothing of how many there may be. */
  readonly lost?: boolean;
}

/** The window as the limit lets it be. */
export function windowOf({ window }: Concurrency, limit: number): number {
  return Math.max(1, Math.min(window, limit));
}

export function succeeded(
  state: Concurrency,
  { limit, busy, usable, nowMs }: Present,
): Concurrency {
  const window = windowOf(state, limit);
  // What is not used is not proven: an idle site keeps its number.
  if (window >= limit || busy < usable) return heard(state, nowMs);
  const gained = state.gained + 1 / window;
  if (gained < 1 - 1e-9) return { ...state, gained, lastSuccessMs: nowMs };
  if (window < state.ceiling)
    return { ...state, window: window + 1, gained: 0, lastSuccessMs: nowMs };
  if (nowMs < state.ceilingUntilMs) return heard(state, nowMs);
  return { ...state, window: window + 1, gained: 0, ceiling: window + 1, lastSuccessMs: nowMs };
}

/** A second is fine enough, and spares the hot path a new state for each message. */
function heard(state: Concurrency, nowMs: number): Concurrency {
  return nowMs - state.lastSuccessMs < 1000 ? state : { ...state, lastSuccessMs: nowMs };
}

export function failed(
  state: Concurrency,
  { limit, busy, nowMs, lost = false }: Present,
): Concurrency {
  const window = Math.max(1, windowOf(state, limit) - 1);
  const isServing = nowMs - state.lastSuccessMs < SERVING_MS;
  if (lost || !isServing || busy <= 1) return { ...state, window, gained: 0 };
  const heldMs = Math.min(HOLD_MAX_MS, Math.max(HOLD_MS, state.heldMs * 2));
  const ceiling = Math.max(1, Math.min(busy - 1, state.window));
  return {
    ...state,
    window: Math.min(window, ceiling),
    gained: 0,
    ceiling,
    heldMs,
    ceilingUntilMs: nowMs + heldMs,
  };
}
