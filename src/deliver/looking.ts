// When something comes free - a slot, a token, a place - those that wait for it are looked at: not at once, but when all that happens
// now has happened, so that one end of a job cannot call the next from within itself.
import { type Group, mostUrgent, type Site } from "./site.ts";
import type { PoolState } from "./poolState.ts";

/** How many of those that wait are looked at for one thing that came free. */
const LOOKS = 16;

export function lookSoon(state: PoolState, site: Site): void {
  if (site.turns.size > 0) state.moved.add(site);
  if (state.looking || (state.moved.size === 0 && state.hungry.size === 0)) return;
  state.looking = true;
  state.clock.soon(() => {
    state.looking = false;
    // Before those that gave a place up, or it would be theirs again.
    lookAtSome(state, state.hungry, () => hasRoom(state));
    for (const one of state.moved) {
      state.moved.delete(one);
      lookAtSome(state, one.turns, () => true);
    }
  });
}

function hasRoom({ total, resting, settings }: PoolState): boolean {
  return total < settings.maxConnections || resting.size > 0;
}

/** Those that are looked at in vain stand at the end of the line afterwards. */
function lookAtSome(state: PoolState, line: Set<Group>, goesOn: () => boolean): void {
  let looks = Math.min(line.size, LOOKS);
  for (const group of line) {
    if (looks <= 0 || !goesOn()) return;
    line.delete(group);
    if (group.lanes.size() > 0) looks--;
    state.pump(group);
  }
}

/** The rate of messages allows one now; else the site is looked at when it does. */
export function mayBegin(state: PoolState, site: Site): boolean {
  const waitMs = site.pace.messageWaitMs(state.clock.monotonicMs());
  if (waitMs === 0) return true;
  wakeIn(state, site, waitMs);
  return false;
}

/** The same for the rate of connecting. */
export function mayConnect(state: PoolState, site: Site): boolean {
  const waitMs = site.pace.connectWaitMs(state.clock.monotonicMs());
  if (waitMs === 0) return true;
  wakeIn(state, site, waitMs);
  return false;
}

/** The same for the pause after a round of connections that broke: mail that is more urgent than theirs does not wait for it. */
export function mayReopen(state: PoolState, { site, lanes, round }: Group): boolean {
  const waitMs = round.untilMs - state.clock.monotonicMs();
  if (waitMs <= 0 || mostUrgent(lanes) < round.urgency) return true;
  wakeIn(state, site, waitMs);
  return false;
}

function wakeIn(state: PoolState, site: Site, delayMs: number): void {
  const atMs = state.clock.monotonicMs() + delayMs;
  if (site.wake !== null) {
    if (site.wake.atMs <= atMs) return;
    site.wake.timer.cancel();
  }
  const timer = state.clock.after(delayMs, () => {
    site.wake = null;
    lookSoon(state, site);
  });
  site.wake = { timer, atMs };
}
