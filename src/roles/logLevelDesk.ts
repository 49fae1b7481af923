// Which lines of the log are written at this moment: those that the settings name, or others for a while (`postrider log level`).
import { type Clock, iso, type Timer } from "../base/clock.ts";
import { type Log, type LogLevels, showLogLevels } from "../base/log.ts";
import type { LogLevelView } from "../mail/journal.ts";

export interface LogLevelDesk {
  view(): LogLevelView;
  /** `forMs`: then those of the settings hold again; null: until a reload. */
  set(levels: LogLevels, forMs: number | null): LogLevelView;
  /** Other settings: they hold from now on. */
  configure(levels: LogLevels): void;
  close(): void;
}

export function createLogLevelDesk(deps: {
  readonly clock: Pick<Clock, "now" | "after">;
  readonly levels: LogLevels;
  readonly log: Log;
  /** Tells every thread. */
  readonly apply: (levels: LogLevels) => void;
  /** The threads know of new settings by themselves. */
  readonly configured: (levels: LogLevels) => void;
}): LogLevelDesk {
  const { clock, log, apply } = deps;
  let configured = deps.levels;
  let current = configured;
  let until: string | null = null;
  let timer: Timer | undefined;

  const turn = (levels: LogLevels, forMs: number | null): void => {
    timer?.cancel();
    current = levels;
    until = forMs === null ? null : iso(clock.now() + forMs);
    if (forMs !== null) timer = clock.after(forMs, () => turn(configured, null));
    apply(levels);
    log("info", "log.level_changed", { levels: showLogLevels(levels), until });
  };
  const view = (): LogLevelView => ({
    ...{ object: "log_level", level: showLogLevels(current), until },
  });
  return {
    view,
    set(levels, forMs) {
      turn(levels, forMs);
      return view();
    },
    configure(levels) {
      timer?.cancel();
      configured = levels;
      current = levels;
      until = null;
      deps.configured(levels);
    },
    close: () => timer?.cancel(),
  };
}
