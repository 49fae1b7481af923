// Whose turn it is at a site: of the connections that may work, a code always finds one, normal mail and bulk together leave one, and
// bulk takes three quarters at most (DESIGN 7). Pure functions of what runs.
import type { Priority } from "../mail/message.ts";

/** Jobs at work, by lane. */
export type Running = readonly [number, number, number];

/** How many connections each lane may use, those below it included. */
export function slotsOf(window: number): Running {
  return [window, Math.max(1, window - 1), Math.max(1, Math.floor((window * 3) / 4))];
}

/** `opening`: connections on their way, which will work for whoever is first. */
export function mayRun(running: Running, lane: Priority, window: number, opening = 0): boolean {
  const [codes, normal, bulk] = running;
  const slots = slotsOf(window);
  if (codes + normal + bulk + opening >= slots[0]) return false;
  if (lane === 0) return true;
  if (normal + bulk + opening >= slots[1]) return false;
  return lane === 1 || bulk + opening < slots[2];
}
