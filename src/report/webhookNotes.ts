// What one endpoint has still to tell the queue thread, so that it is written: how far it came, what waits, what failed, and a part of what
// was taken, for the log.
import type { EpochMs } from "../base/clock.ts";
import type {
  HookAttempt,
  HookEntry,
  HookProgress,
  HookStatus,
  WebhookRecord,
} from "../mail/webhook.ts";
import type { HookItem } from "./webhookWindow.ts";

/** Of what is taken at once, the log keeps so many between two writes: the rest is only counted by the cursor. */
const LOGGED_MAX = 200;
/** What is noted and not yet written; beyond that nothing is sent. */
const NOTED_MAX = 2000;

export interface HookNotes {
  note(item: HookItem, status: HookStatus, attempts: readonly HookAttempt[]): void;
  /** A fact about the endpoint itself, for its log. */
  remark(type: string, text: string, now: EpochMs): void;
  /** We switched it off. */
  disabled(why: string): void;
  /** It was switched on again, which is written: it neither fails nor is off. */
  enabled(): void;
  isFull(): boolean;
  /** What has changed since the last time; null: nothing. */
  progress(now: Pick<HookProgress, "cursor" | "failingSince">): HookProgress | null;
  /** It was not written: it is told again. */
  untold(progress: HookProgress, isOff: boolean): void;
}

export function createHookNotes({ number, cursor, failingSince }: WebhookRecord): HookNotes {
  /** By event: what must be written. */
  let owed = new Map<number, HookEntry>();
  /** What would be good to have in the log. */
  let taken: HookEntry[] = [];
  let toldCursor = cursor;
  let toldFailing = failingSince;
  /** Why it is off, until that is told. */
  let disable: string | null = null;

  return {
    note(item, status, attempts) {
      const { event, type, email, tries, parked } = item;
      const dueAt = status === "pending" ? item.dueAt : null;
      const entry: HookEntry = { event, type, email, status, dueAt, tries, attempts };
      if (!parked && status === "success") {
        taken.push(entry);
        if (taken.length > 2 * LOGGED_MAX) taken = taken.slice(-LOGGED_MAX);
        return;
      }
      const before = owed.get(event);
      owed.set(event, { ...entry, attempts: [...(before?.attempts ?? []), ...attempts] });
    },
    remark(type, text, now) {
      // No event has such a number.
      let event = -now;
      while (owed.has(event)) event--;
      const attempts = [{ at: now, status: 0, durationMs: 0, text }];
      owed.set(event, {
        ...{ event, type, email: "", status: "failed", dueAt: null, tries: 0, attempts },
      });
    },
    disabled: (why) => void (disable = why),
    enabled() {
      toldFailing = null;
      disable = null;
    },
    isFull: () => owed.size >= NOTED_MAX,
    progress(now) {
      const changed =
        now.cursor !== toldCursor || now.failingSince !== toldFailing || disable !== null;
      if (!changed && owed.size === 0 && taken.length === 0) return null;
      const entries = [...taken.slice(-LOGGED_MAX), ...owed.values()];
      const progress = { ...now, number, entries, disable };
      owed = new Map();
      taken = [];
      disable = null;
      toldCursor = now.cursor;
      toldFailing = now.failingSince;
      return progress;
    },
    untold({ entries, disable: why }, isOff) {
      toldCursor = -1;
      if (isOff) disable ??= why;
      for (const entry of entries) {
        const later = owed.get(entry.event);
        if (later === undefined) owed.set(entry.event, entry);
        else owed.set(entry.event, { ...later, attempts: [...entry.attempts, ...later.attempts] });
      }
    },
  };
}
