// How much of a site's backlog may be in memory, and whose turn it is. The window is bounded and the backlog is not; lanes share it
// by weight, never strictly, so that bulk does not starve and a code never waits behind it.
import type { EpochMs } from "../base/clock.ts";
import type { Priority } from "../mail/message.ts";
import type { Health } from "./pace.ts";

/** 16:4:1 (DESIGN 7). */
const laneWeights: readonly number[] = [16, 4, 1];

/** How much of the window a lane and those below it may hold: what is left is for those who cannot wait. */
const laneShares = [1, 15 / 16, 3 / 4] as const;

export interface Window extends Health {
  /** Recipients with the sender. */
  leased: number;
  /** The same by lane. */
  readonly leasedBy: [number, number, number];
  /** Bytes of bodies with the sender. */
  leasedBytes: number;
  /** By lane: not later than the due time of the earliest that waits in the store; Infinity: none waits. */
  readonly dueAt: [EpochMs, EpochMs, EpochMs];
}

/** How many more recipients of a lane may go to the sender. */
export function roomOf(window: Window, lane: Priority, windowMax: number): number {
  const share = Math.max(1, Math.floor(windowMax * laneShares[lane]));
  const { leased, leasedBy } = window;
  const held = lane === 0 ? leased : lane === 1 ? leasedBy[1] + leasedBy[2] : leasedBy[2];
  return Math.max(0, Math.min(share - held, windowMax - leased));
}

/** Due work waits in the store: new arrivals of the lane must queue behind it. */
export function isHungry(window: Window, lane: Priority, now: EpochMs): boolean {
  return window.dueAt[lane] <= now;
}

/** Work waits until half the window is free, so that each look into the store brings much. */
export function wantsRefill(window: Window, windowMax: number): boolean {
  return window.leased <= windowMax >> 1;
}

export function noteDue(window: Window, lane: Priority, dueAt: EpochMs): void {
  if (dueAt < window.dueAt[lane]) window.dueAt[lane] = dueAt;
}

export function earliestDue({ dueAt }: Window): EpochMs {
  return Math.min(dueAt[0], dueAt[1], dueAt[2]);
}

/** A turn shares `room` among the lanes that have due work; each of those gets at least one. */
export function sharesOf(
  hungry: readonly [boolean, boolean, boolean],
  room: number,
): [number, number, number] {
  const weights = laneWeights.map((weight, lane) => (hungry[lane] === true ? weight : 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return [0, 0, 0];
  const share = (weight: number): number =>
    weight === 0 ? 0 : Math.max(1, Math.floor((room * weight) / total));
  return [share(weights[0] ?? 0), share(weights[1] ?? 0), share(weights[2] ?? 0)];
}
