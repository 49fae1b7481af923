// The way out for log lines: never in the way of mail. Whoever reads the log may have stopped reading (a full pipe, a hung terminal), so
// what waits is bounded, and what finds no room is counted and told once there is room again.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";

/** Some thousands of lines. */
const WAITING_MAX_BYTES = 2_000_000;

export interface LogOut {
  write(line: string): void;
  /** Resolves with true once nothing waits, with false after `timeoutMs`. */
  drained(clock: Pick<Clock, "after">, timeoutMs: number): Promise<boolean>;
}

/** `send` takes a line and calls back when it has left the process. */
export function createLogOut(deps: {
  readonly send: (line: string, sent: () => void) => void;
  /** Tells how many lines were lost: called at a moment at which there is room. */
  readonly lost: (lines: number) => void;
  readonly waitingMaxBytes?: number;
}): LogOut {
  const { send, lost, waitingMaxBytes = WAITING_MAX_BYTES } = deps;
  let waiting = 0;
  let dropped = 0;
  let whenDrained = (): void => {};
  return {
    drained(clock, timeoutMs) {
      if (waiting === 0) return Promise.resolve(true);
      return new Promise((resolve) => {
        const timer = clock.after(timeoutMs, () => resolve(false));
        whenDrained = () => {
          timer.cancel();
          resolve(true);
        };
      });
    },
    write(line) {
      if (waiting > 0 && waiting + line.length > waitingMaxBytes) return void dropped++;
      waiting += line.length;
      send(line, () => {
        waiting -= line.length;
        if (waiting === 0) whenDrained();
        if (dropped === 0 || waiting > waitingMaxBytes / 2) return;
        const lines = dropped;
        dropped = 0;
        lost(lines);
      });
    },
  };
}

export function tellLost(log: Log): (lines: number) => void {
  return (lines) => log("warn", "log.lines_lost", { lines });
}
