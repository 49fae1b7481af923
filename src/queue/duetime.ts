// The time by which due work is chosen. The wall clock may jump; what is due must neither freeze nor run away. The rules:
// - Forward: due time follows the wall. What waited becomes due early, which costs at most one attempt too soon; nothing expires
//   by its lifetime on the word of a clock alone (placing.ts asks for a failure seen since the jump).
// - Backward: due time does not follow; it goes on by the clock that never goes back, so a retry in 15 s is in 15 s. Instants that
//   a caller named are carried over by the difference. A restart begins at the youngest accepted message.
import type { Clock, EpochMs } from "../base/clock.ts";

/** Smaller steps are the slewing of NTP and the grain of the clocks. */
const JUMP_MS = 60_000;

export interface Instant {
  /** For rows, events and expiry. */
  readonly wall: EpochMs;
  /** For due times. */
  readonly due: EpochMs;
  readonly mono: number;
}

export interface DueTime {
  now(): Instant;
  /** When the wall last jumped forward, on the monotonic clock; -1 for never. */
  jumpedAtMono(): number;
}

export function createDueTime(
  clock: Clock,
  floor: EpochMs,
  onJump: (byMs: number) => void,
): DueTime {
  let lastWall = clock.now();
  let lastMono = clock.monotonicMs();
  let base = Math.max(lastWall, floor);
  let baseMono = lastMono;
  let jumpedAtMono = -1;
  return {
    now() {
      const wall = clock.now();
      const mono = clock.monotonicMs();
      const jumpMs = wall - lastWall - (mono - lastMono);
      if (Math.abs(jumpMs) > JUMP_MS) {
        if (jumpMs > 0) jumpedAtMono = mono;
        onJump(Math.round(jumpMs));
      }
      lastWall = wall;
      lastMono = mono;
      const steady = base + Math.floor(mono - baseMono);
      if (wall >= steady) {
        base = wall;
        baseMono = mono;
      }
      return { wall, due: Math.max(wall, steady), mono };
    },
    jumpedAtMono: () => jumpedAtMono,
  };
}
