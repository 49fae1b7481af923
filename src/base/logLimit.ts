// A burst of lines that say the same is told by its first ones and a count. It is cut where lines are made, in each thread, so that ten
// thousand refusals a second cost neither the disk nor the way to it.
import type { Clock, Timer } from "./clock.ts";
import type { Log, LogFields, LogLevel } from "./log.ts";
import { likeOf } from "./logTable.ts";

const WINDOW_MS = 10_000;
/** Lines of one kind in a window, and of all kinds together. Who asks for `debug` wants more of them. */
const OF_KIND_MAX = 20;
const IN_ALL_MAX = 400;
const DEBUG_SHARE = 10;
/** Kinds that are told apart: with more, a line counts for its event alone. */
const KINDS_MAX = 300;

interface Kind {
  told: number;
  /** Not told. */
  more: number;
  last: readonly [LogLevel, string, LogFields] | null;
}

export interface LimitedLog {
  readonly log: Log;
  /** Tells what was counted, before the end. */
  flush(): void;
}

/** The last of those that were not told is written at the end of the window, with their number as `more`. */
export function limitLog(write: Log, clock: Pick<Clock, "after">): LimitedLog {
  const kinds = new Map<string, Kind>();
  let inAll = 0;
  let timer: Timer | undefined;

  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    inAll = 0;
    for (const { more, last } of kinds.values()) {
      if (last === null) continue;
      const [level, event, fields] = last;
      write(level, event, more === 1 ? fields : { ...fields, more: more - 1 });
    }
    kinds.clear();
  };

  const kindOf = (event: string, fields: LogFields): Kind => {
    const like = likeOf(event);
    const key = like === undefined ? event : `${event} ${String(fields[like] ?? "")}`;
    const found = kinds.get(key) ?? (kinds.size < KINDS_MAX ? undefined : kinds.get(event));
    if (found !== undefined) return found;
    const made: Kind = { told: 0, more: 0, last: null };
    kinds.set(kinds.size < KINDS_MAX ? key : event, made);
    return made;
  };

  return {
    flush,
    log(level, event, fields = {}) {
      timer ??= clock.after(WINDOW_MS, flush);
      const share = level === "debug" ? DEBUG_SHARE : 1;
      const kind = kindOf(event, fields);
      if (kind.told < OF_KIND_MAX * share && (inAll < IN_ALL_MAX * share || kind.told === 0)) {
        kind.told++;
        inAll++;
        return write(level, event, fields);
      }
      kind.more++;
      kind.last = [level, event, fields];
    },
  };
}
