// Which log lines are written, and in which of their two forms (base/logLine.ts).
import { type Clock, iso } from "../base/clock.ts";
import { createLogGate, type Log, type LogGate, type LogLevels } from "../base/log.ts";
import { jsonLine, prettyLine } from "../base/logLine.ts";

export interface LogWriter {
  readonly log: Log;
  /** Other lines from now on. */
  logFrom(levels: LogLevels): void;
}

export function createLogWriter(deps: {
  readonly clock: Pick<Clock, "now">;
  readonly levels: LogLevels;
  readonly format: "json" | "pretty";
  readonly color: boolean;
  readonly write: (line: string) => void;
}): LogWriter {
  let isWanted: LogGate = createLogGate(deps.levels);
  const format = deps.format === "json" ? jsonLine : prettyLine({ color: deps.color });
  return {
    log(level, event, fields = {}) {
      if (!isWanted(level, event)) return;
      deps.write(format(iso(deps.clock.now()), level, event, fields));
    },
    logFrom: (levels) => void (isWanted = createLogGate(levels)),
  };
}
