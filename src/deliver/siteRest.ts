// A site that wants no mail for now: what waits for it goes back to the queue, which pauses it on the same word and keeps the pause.
import type { Verdict } from "../mail/verdict.ts";
import { tidy } from "./groups.ts";
import type { PoolState } from "./poolState.ts";
import type { Site } from "./site.ts";

/** The queue hears of a site's refusal within that time, and sends no more. */
const REST_MS = 2_000;
/** Where a provider asked for a pause, a queue that stands at its disk is waited for too. Less than any such pause (queue/pace.ts). */
const PROVIDER_REST_MS = 30_000;
export const RESTS = "its site wants no mail for now";

/** What comes meanwhile goes back too. */
export function isAtRest({ clock }: PoolState, { restsUntilMs }: Site): boolean {
  return restsUntilMs !== 0 && clock.monotonicMs() < restsUntilMs;
}

/** What has not begun is tried no more, and counts as untried. */
export function rest(state: PoolState, site: Site, { pause }: Pick<Verdict, "pause">): void {
  const forMs = pause === undefined ? REST_MS : PROVIDER_REST_MS;
  site.restedAtMs = state.clock.monotonicMs();
  site.restsUntilMs = Math.max(site.restsUntilMs, site.restedAtMs + forMs);
  site.streak = 0;
  for (const group of [...site.groups]) {
    for (const work of group.lanes.takeAll()) state.interrupted(work, RESTS);
    for (const link of group.links) {
      const work = state.working.get(link);
      if (work !== undefined) work.unwanted = true;
    }
    tidy(state, group);
  }
}
