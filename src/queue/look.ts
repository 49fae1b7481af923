// A site as an operator sees it.
import { iso } from "../base/clock.ts";
import type { FailureView, SiteHealthView } from "../mail/explain.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import type { Site, Sites } from "./site.ts";

/** As the last failed attempt has it. */
function failureOf({ lastFailure }: Site): FailureView | null {
  const [step] = lastFailure === "" ? [] : unpackTimeline(lastFailure);
  if (step?.kind !== "attempt") return null;
  const { at, host, phase, code, enhanced, text } = step;
  return { at: iso(at), class: step.class, host, phase, code, enhanced, text };
}

/** Sites that are shown because something is the matter with them, whether anybody asked for them or not. */
const TROUBLED_MAX = 100;

/** Those of these names that are known, and those that rest. */
export function survey(sites: Pick<Sites, "find" | "all">, names: readonly string[]) {
  const shown = new Set<Site>();
  for (const name of names) {
    const site = sites.find(name);
    if (site !== undefined) shown.add(site);
  }
  let troubled = 0;
  for (const site of sites.all()) {
    if (troubled >= TROUBLED_MAX) break;
    if (site.level === 0 && !site.stopped) continue;
    troubled++;
    shown.add(site);
  }
  return [...shown].flatMap((site) => lookAt(site) ?? []);
}

export function lookAt(site: Site | undefined): SiteHealthView | null {
  if (site === undefined) return null;
  const { name, leased, pausedUntil, level, streak, rule, closedUntil } = site;
  return {
    site: name,
    leased,
    paused_until: level === 0 ? null : iso(pausedUntil),
    pauses: level,
    paused_by: level === 0 ? null : rule === "" ? "backoff" : rule,
    failures: streak,
    closed_until: closedUntil === 0 ? null : iso(closedUntil),
    last_failure: failureOf(site),
  };
}
