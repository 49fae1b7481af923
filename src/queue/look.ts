// A site as an operator sees it.
import type { SiteHealthView } from "../mail/explain.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import type { Site } from "./site.ts";

/** The remote server's own words, as the last failed attempt has them. */
function failureOf({ lastFailure }: Site): SiteHealthView["last_failure"] {
  const [step] = lastFailure === "" ? [] : unpackTimeline(lastFailure);
  if (step?.kind !== "attempt") return null;
  const { at, host, phase, code, enhanced, text } = step;
  return { at: new Date(at).toISOString(), class: step.class, host, phase, code, enhanced, text };
}

export function lookAt(site: Site | undefined): SiteHealthView | null {
  if (site === undefined) return null;
  const { name, leased, pausedUntil, level, streak, rule } = site;
  return {
    site: name,
    leased,
    paused_until: level === 0 ? null : new Date(pausedUntil).toISOString(),
    pauses: level,
    paused_by: level === 0 ? null : rule === "" ? "backoff" : rule,
    failures: streak,
    last_failure: failureOf(site),
  };
}
