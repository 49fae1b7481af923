// Refusals that somebody on our side must mend - a missing PTR record, a listing, a relay's password - are said loudly, and seldom: once
// an hour for each site and class.
import type { Log } from "../base/log.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import type { Verdict } from "../mail/verdict.ts";

const QUIET_MS = 3_600_000;
/** Beyond it the oldest may be said again. */
const KEPT_MAX = 1000;

export interface Alerts {
  raise(site: string, verdict: Verdict, mono: number): void;
}

export function createAlerts(log: Log): Alerts {
  const saidAt = new Map<string, number>();
  return {
    raise(site, verdict, mono) {
      if (verdict.alert === undefined) return;
      const key = `${verdict.class} ${site}`;
      if (mono - (saidAt.get(key) ?? -Infinity) < QUIET_MS) return;
      saidAt.delete(key);
      saidAt.set(key, mono);
      const [oldest] = saidAt.keys();
      if (saidAt.size > KEPT_MAX && oldest !== undefined) saidAt.delete(oldest);
      const [step] = unpackTimeline(verdict.step);
      const text = step?.text ?? "";
      log("warn", "deliver.alert", { site, class: verdict.class, rule: verdict.alert, text });
    },
  };
}
