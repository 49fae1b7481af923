// Simulated time: nothing waits, and everything that is due happens in one order. The wall may jump; the monotonic clock never does.
import type { Clock, EpochMs, Timer } from "../../src/base/clock.ts";
import { createHeap } from "../../src/queue/heap.ts";

export interface SimClock extends Clock {
  /** Sets the wall clock forward or back; timers keep their distance. */
  jump(byMs: number): void;
  /** Does the next thing; false when nothing is left before `untilMono`. */
  step(untilMono: number): boolean;
  /** Timers and turns that belong to a process which is gone never run. */
  kill(owner: number): void;
  /** A clock whose timers and turns die with `kill(owner)`. */
  of(owner: number): Clock;
}

interface Event {
  readonly owner: number;
  run: (() => void) | undefined;
}

export function createSimClock(start: EpochMs): SimClock {
  const heap = createHeap<Event>();
  const dead = new Set<number>();
  let soon: Event[] = [];
  let soonHead = 0;
  let mono = 0;
  let offset = start;

  const after = (owner: number, delayMs: number, run: () => void): Timer => {
    const event: Event = { owner, run };
    heap.push(mono + Math.max(0, delayMs), event);
    return { cancel: () => void (event.run = undefined) };
  };
  const fire = (event: Event | undefined): void => {
    if (event === undefined || dead.has(event.owner)) return;
    const { run } = event;
    event.run = undefined;
    run?.();
  };
  const of = (owner: number): Clock => ({
    now: () => Math.floor(offset + mono),
    monotonicMs: () => mono,
    after: (delayMs, run) => after(owner, delayMs, run),
    soon: (run) => void soon.push({ owner, run }),
  });

  return {
    ...of(0),
    of,
    jump: (byMs) => void (offset += byMs),
    kill: (owner) => void dead.add(owner),
    step(untilMono) {
      if (soonHead < soon.length) {
        const event = soon[soonHead++];
        if (soonHead === soon.length) {
          soon = [];
          soonHead = 0;
        }
        fire(event);
        return true;
      }
      const at = heap.earliest();
      if (at > untilMono) {
        mono = Math.max(mono, Math.min(untilMono, at));
        return false;
      }
      mono = Math.max(mono, at);
      fire(heap.pop());
      return true;
    },
  };
}
