// The log of the whole process: lines of the door and of all threads come together here, are named as the outside names things, go to
// the log, and those that concern the daemon itself into the journal too.
import { type Clock, type EpochMs, iso } from "../base/clock.ts";
import { createMakingGate, type Log, type LogFields, type LogLevels } from "../base/log.ts";
import { jsonLine } from "../base/logLine.ts";
import { limitLog } from "../base/logLimit.ts";
import { isKept } from "../base/logTable.ts";
import { type HostTag, uuidOf } from "../mail/id.ts";
import type { JournalFilter, JournalView } from "../mail/journal.ts";
import { type Before, type Journal, openJournal } from "../report/journal.ts";

export interface Journaling {
  /** Of the door itself. */
  readonly log: Log;
  /** Of another thread, which has cut its bursts. */
  readonly hear: Log;
  /** The data folder is ours. Lines that came before are kept too. */
  open(dataDir: string, tag: HostTag): Before;
  read(filter: JournalFilter): Promise<JournalView>;
  logFrom(levels: LogLevels): void;
  close(): void;
}

const nothing: JournalView = { object: "list", has_more: false, data: [] };
/** Lines that may come before the folder is ours. */
const EARLY_MAX = 100;

export function createJournaling(deps: {
  readonly clock: Pick<Clock, "now" | "after">;
  readonly levels: LogLevels;
  readonly write: Log;
  /** Told before a line that says that mail stands still, or flows again. */
  readonly turning?: () => void;
}): Journaling {
  const { clock, write } = deps;
  let isWanted = createMakingGate(deps.levels);
  let journal: Journal | undefined;
  let tag: HostTag | undefined;
  const early: string[] = [];
  const thrift = createThrift();

  const hear: Log = (level, event, fields = {}) => {
    if (turns.has(event)) deps.turning?.();
    const named = namedBy(fields, tag);
    write(level, event, named);
    if (!isKept(event)) return;
    const skipped = thrift(event, clock.now());
    if (skipped === null) return;
    const more = skipped + Number(named["more"] ?? 0);
    const kept = more === 0 ? named : { ...named, more };
    const line = jsonLine(iso(clock.now()), level, event, kept);
    if (journal !== undefined) journal.add(line);
    else if (early.length < EARLY_MAX) early.push(line);
  };
  const limited = limitLog(hear, clock);

  return {
    hear,
    log(level, event, fields) {
      if (isWanted(level, event)) limited.log(level, event, fields);
    },
    open(dataDir, hostTag) {
      tag = hostTag;
      try {
        journal = openJournal({ dataDir, clock });
      } catch (error) {
        // A full disk, for one: that must not keep the daemon from beginning.
        hear("warn", "daemon.journal_closed", { text: (error as Error).message });
        return { after: "first", aliveAt: null };
      }
      for (const line of early.splice(0)) journal.add(line);
      return journal.before;
    },
    read(filter) {
      return journal?.read(filter) ?? Promise.resolve(nothing);
    },
    logFrom: (levels) => void (isWanted = createMakingGate(levels)),
    close() {
      limited.flush();
      journal?.close();
      journal = undefined;
    },
  };
}

const turns: ReadonlySet<string> = new Set([
  ...["uplink.down", "uplink.up", "queue.disk_low", "queue.disk_ok", "queue.disk_full"],
  ...["queue.disk_recovered", "queue.order"],
]);

/** Lines of one key that the journal takes at once, and then one in so long: else a site that flaps would push the night out of it. */
const AT_ONCE = 30;
const ONE_IN_MS = 60_000;

/** How many were left out before this line; null: it is left out too. */
function createThrift(): (event: string, now: EpochMs) => number | null {
  const kinds = new Map<string, { left: number; at: EpochMs; skipped: number }>();
  return (event, now) => {
    const kind = kinds.get(event) ?? { left: AT_ONCE, at: now, skipped: 0 };
    kinds.set(event, kind);
    const gained = Math.floor(Math.max(0, now - kind.at) / ONE_IN_MS);
    kind.left = Math.min(AT_ONCE, kind.left + gained);
    kind.at = kind.left === AT_ONCE || now < kind.at ? now : kind.at + gained * ONE_IN_MS;
    if (kind.left === 0) {
      kind.skipped++;
      return null;
    }
    kind.left--;
    const { skipped } = kind;
    kind.skipped = 0;
    return skipped;
  };
}

/** Threads know messages by number; outside they have an id. */
function namedBy(fields: LogFields, tag: HostTag | undefined): LogFields {
  const { message, ...rest } = fields;
  if (typeof message !== "number" || tag === undefined) return fields;
  return { email_id: uuidOf(message, tag), ...rest };
}
