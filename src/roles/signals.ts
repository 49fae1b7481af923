// How the process is told to end, and how it ends when it must not go on.
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { exitCodes } from "../commands/exitCodes.ts";

/** For the last log line to be written. */
const LAST_WORD_MS = 100;

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process at once. */
export function stopSignal(log: Log): Promise<void> {
  return new Promise((resolve) => {
    let told = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.on(signal, () => {
        if (told) {
          log("warn", "daemon.stopped_at_once", { signal });
          process.exit(exitCodes.failed);
        }
        told = true;
        log("info", "daemon.stopping", { signal });
        resolve();
      });
  });
}

/** Runs at each SIGHUP, until `stop`. */
export function onHangUp(run: () => void): { stop(): void } {
  process.on("SIGHUP", run);
  return { stop: () => void process.off("SIGHUP", run) };
}

/** All is done, and what would still hold the process is nothing that anybody waits for. */
export function leave(code: number): never {
  process.exit(code);
}

/** Nothing that this process believes can be trusted: it ends now and its manager starts it anew. */
export function die(log: Log, text: string): void {
  log("error", "daemon.died", { text });
  systemClock.after(LAST_WORD_MS, () => process.exit(exitCodes.disk));
}
