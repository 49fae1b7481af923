// Refusals that somebody on our side must mend - a missing PTR record, a listing, a relay's password - are said loudly, and seldom: once
// an hour for each site and class.
import { iso } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { Log } from "../base/log.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import type { Verdict } from "../mail/verdict.ts";

const QUIET_MS = 3_600_000;
/** Beyond it the oldest may be said again. */
const KEPT_MAX = 1000;
const SHOWN_MAX = 20;

/** As it was said last. */
export interface SiteAlert {
  readonly site: string;
  readonly class: string;
  readonly rule: string;
  readonly text: string;
  readonly at: string;
}

export interface Alerts {
  raise(site: string, verdict: Verdict, mono: number): void;
  /** Those of the last hour, the newest first. */
  recent(mono: number): readonly SiteAlert[];
}

export function createAlerts(log: Log): Alerts {
  const said = new Map<string, { readonly mono: number; readonly alert: SiteAlert }>();
  return {
    recent: (mono) =>
      [...said.values()]
        .filter((one) => mono - one.mono < QUIET_MS)
        .slice(-SHOWN_MAX)
        .reverse()
        .map(({ alert }) => alert),
    raise(site, verdict, mono) {
      if (verdict.alert === undefined) return;
      const key = `${verdict.class} ${site}`;
      if (mono - (said.get(key)?.mono ?? -Infinity) < QUIET_MS) return;
      const [step] = unpackTimeline(verdict.step);
      const fields = { site, class: verdict.class, rule: verdict.alert, text: step?.text ?? "" };
      said.delete(key);
      said.set(key, { mono, alert: { ...fields, at: iso(step?.at ?? 0) } });
      keepNewest(said, KEPT_MAX);
      log("warn", "deliver.alert", fields);
    },
  };
}
