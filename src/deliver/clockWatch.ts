// A wrong clock makes every certificate in the world invalid, and looks like the fault of everybody else. Where most hosts of the last
// hour are out of time, it is ours: that is worth an alarm, and nothing is refused for it that need not be.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";

export interface ClockWatch {
  /** A host's certificate was judged. */
  judged(host: string, outOfTime: boolean): void;
}

const WINDOW_MS = 3_600_000;
const HOSTS_MAX = 1_000;
/** So many hosts must be out of time, and outnumber those in time four to one. */
const HOSTS_LEAST = 5;
const RATIO = 4;

export function createClockWatch(deps: {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
}): ClockWatch {
  const { clock, log } = deps;
  const seen = new Map<string, { readonly bad: boolean; readonly at: number }>();
  const gauge = deps.meter.gauge("postrider_clock_doubted");
  let bad = 0;
  let doubted = false;

  const forget = (host: string): void => {
    if (seen.get(host)?.bad === true) bad--;
    seen.delete(host);
  };

  return {
    judged(host, outOfTime) {
      // Nothing to learn, and nothing to take back: the usual case.
      if (!outOfTime && bad === 0 && seen.size >= HOSTS_MAX) return;
      const now = clock.monotonicMs();
      forget(host);
      seen.set(host, { bad: outOfTime, at: now });
      if (outOfTime) bad++;
      for (const [oldest, { at }] of seen) {
        if (seen.size <= HOSTS_MAX && now - at < WINDOW_MS) break;
        forget(oldest);
      }
      const isDoubted = bad >= HOSTS_LEAST && bad >= RATIO * (seen.size - bad);
      if (isDoubted === doubted) return;
      doubted = isDoubted;
      gauge.set(isDoubted ? 1 : 0);
      if (isDoubted) {
        const text = "most certificates are out of time: is the clock of this machine right?";
        log("error", "clock.doubted", { hosts: bad, text });
      } else log("info", "clock.trusted", { hosts: bad });
    },
  };
}
