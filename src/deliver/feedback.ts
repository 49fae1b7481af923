// What verdicts teach a sender about a site, at once: the queue hears the same a moment later.
import { blamesSite, HOST_FAILURES, praisesSite, slowsSite, stopsSite } from "../mail/blame.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { AttemptEnd, Work } from "./attempt.ts";
import { busyAt } from "./decide.ts";
import { slotsOf } from "./shares.ts";
import type { Site } from "./site.ts";

/** True when the site wants no further mail for now. */
export function hear(site: Site, verdict: Verdict): boolean {
  if (slowsSite(verdict)) {
    if (verdict.class !== "network" || verdict.pause !== undefined) site.heard = "bad";
    else if (site.heard !== "bad") site.heard = "lost";
  } else if (praisesSite(verdict) && site.heard !== "bad" && site.heard !== "lost")
    site.heard = "good";
  if (blamesSite(verdict)) site.streak++;
  else if (praisesSite(verdict)) site.streak = 0;
  return stopsSite(verdict) || site.streak >= HOST_FAILURES;
}

/** What the verdicts of an attempt and its end say of how many connections the site bears. */
export function learn(site: Site, { job }: Work, { end }: AttemptEnd, nowMs: number): void {
  const { heard, pace } = site;
  site.heard = "nothing";
  const busy = busyAt(site) + 1;
  if (heard === "bad") pace.bad({ busy, nowMs });
  else if (heard === "lost" || end === "broken") pace.bad({ busy, nowMs, lost: true });
  else if (heard === "good")
    pace.good({ busy, usable: slotsOf(pace.window())[job.priority], nowMs });
}
