// How it stands with the collector, for the log: that it takes no more of one signal is told once, and once that it takes it again.
import type { Log } from "../base/log.ts";

/** Told after each try: null, or why what was sent was not taken. */
export function createStanding(
  log: Log,
  signal: "traces" | "metrics",
): (text: string | null) => void {
  let failing = false;
  return (text) => {
    if ((text !== null) === failing) return;
    failing = text !== null;
    if (text === null) log("info", "otlp.recovered", { signal });
    else log("warn", "otlp.failing", { signal, text });
  };
}
