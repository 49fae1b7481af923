// Whose turn it is at a site: of the connections that may work, a code always finds one, normal mail and bulk together leave one, and
// bulk takes three quarters at most (DESIGN 7). Pure functions of what runs.

/** Jobs at work, by lane. */
export type Running = readonly [number, number, number];

/** How many connections each lane may use, those below it included. */
export function slotsOf(window: number): Running {
  return [window, Math.max(1, window - 1), Math.max(1, Math.floor((window * 3) / 4))];
}

/**
 * The lanes of which a further job may begin, one bit each. `opening`: connections on their way, which will work for whoever is first.
 * Runs several times a message, so nothing is made on the way.
 */
export function openLanes(running: Running, window: number, opening = 0): number {
  const bulk = running[2] + opening;
  const low = running[1] + bulk;
  if (running[0] + low >= window) return 0;
  if (low >= Math.max(1, window - 1)) return 0b001;
  return bulk < Math.max(1, Math.floor((window * 3) / 4)) ? 0b111 : 0b011;
}
