// What a verdict says of its site counts at once, not at the commit: the next claim must know it. What it says of our own line goes
// before: a site is not to blame for that.
import { iso } from "../base/clock.ts";
import type { Log, LogFields } from "../base/log.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Instant } from "./duetime.ts";
import type { Flight } from "./flight.ts";
import type { Hindrances } from "./hindrances.ts";
import type { Measure } from "./measure.ts";
import type { Outage } from "./outage.ts";
import { learnFrom } from "./pace.ts";
import type { Site } from "./site.ts";

export interface LearningDeps {
  readonly outage: Pick<Outage, "heard">;
  readonly measure: Pick<Measure, "paused">;
  readonly hindrances: Pick<Hindrances, "begin" | "end">;
  /** A pause that a provider asked for has begun or ended. */
  readonly rested: () => void;
  readonly log: Log;
  readonly roll: () => number;
  readonly expect: (site: Site) => void;
}

/** True when it failed since our own line is down. */
export type Learn = (flight: Flight, verdict: Verdict, now: Instant) => boolean;

export function createLearn(deps: LearningDeps): Learn {
  const { outage, measure, hindrances, log, roll, expect } = deps;
  return (flight, verdict, now) => {
    const { site, probe } = flight;
    const isOurs = outage.heard(flight, verdict, now);
    if (isOurs) {
      if (probe) site.probing = false;
      expect(site);
      return true;
    }
    const alone = site.leased <= 1;
    const { rule } = site;
    const change = learnFrom(site, verdict, { alone, probe, now, roll });
    if (change !== null) {
      const why = whyOf(site, verdict, change);
      log("info", `queue.site_${change}`, { site: site.name, ...why });
      if (change === "resumed") hindrances.end(`site:${site.name}`, now.wall);
      else hindrances.begin(`site:${site.name}`, restWords(site.rule, why), now.wall);
      if (rule !== "" || site.rule !== "") deps.rested();
      measure.paused(site.name, change === "paused");
    }
    expect(site);
    return false;
  };
}

/** Why the site rested, as a timeline tells it. */
export function restWords(rule: string, said: LogFields = {}): string {
  const why =
    rule === "" ? "the site rested after failures" : `the site asked for a pause (${rule})`;
  const { host, phase, code, enhanced, text } = said;
  const parts = [host, phase === undefined ? phase : `at ${String(phase)}:`, code, enhanced, text];
  const words = parts.filter((one) => one !== undefined && one !== "").join(" ");
  return words === "" ? why : `${why}: ${words}`;
}

/** With the server's words, or ours. */
function whyOf(site: Site, verdict: Verdict, change: "paused" | "resumed"): LogFields {
  const rule = site.rule === "" ? undefined : site.rule;
  if (change === "resumed") return { rule };
  const step = unpackTimeline(verdict.step).find((one) => one.kind === "attempt");
  const { host, phase, code = 0, enhanced, text } = step ?? {};
  const words = { host, phase, code: code === 0 ? undefined : code, enhanced, text };
  return { rule, until: iso(site.pausedUntil), class: verdict.class, ...words };
}
