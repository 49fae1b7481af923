// What a new address may send to a site in a day, reckoned by what servers heard of it: never more than the ladder allows, whatever
// dies or jumps. An upper bound: a rung for each day since the first.
import type { Source } from "../../src/route/source.ts";
import type { Dispatch } from "../../src/queue/launch.ts";
import type { Verdict } from "../../src/mail/verdict.ts";

export const coldSource: Source = {
  address: "198.51.100.1",
  ehlo: null,
  weight: 3,
  warmup: true,
};
export const warmSource: Source = {
  address: "198.51.100.2",
  ehlo: null,
  weight: 1,
  warmup: false,
};

export interface CapWatch {
  sent(dispatch: Dispatch, now: number): void;
  heard(verdict: Verdict): void;
}

const DAY_MS = 86_400_000;

export function createCapWatch(
  steps: readonly number[] | null,
  violation: (text: string) => void,
): CapWatch {
  /** Per site: the day that counts, which never goes back, and the first one. */
  const days = new Map<string, { first: number; last: number }>();
  const charged = new Map<number, { readonly site: string; readonly day: number }>();
  const heard = new Map<string, number>();
  return {
    sent({ job, route }, now) {
      if (route.source?.address !== coldSource.address) return;
      const today = Math.floor(now / DAY_MS);
      const known = days.get(route.site) ?? { first: today, last: today };
      known.last = Math.max(known.last, today);
      days.set(route.site, known);
      for (const { claim } of job.recipients)
        charged.set(claim, { site: route.site, day: known.last });
    },
    heard({ claim, kind, unreached, class: about }) {
      const at = charged.get(claim);
      charged.delete(claim);
      if (steps === null || at === undefined) return;
      if (kind === "interrupted" || unreached !== undefined) return;
      // It comes again, and is one recipient of the day.
      if (about === "greylist") return;
      const key = `${at.site} ${at.day}`;
      const count = (heard.get(key) ?? 0) + 1;
      heard.set(key, count);
      const cap = steps[at.day - (days.get(at.site)?.first ?? at.day)] ?? Infinity;
      if (count > cap)
        violation(`${at.site} had ${count} of a new address in a day, and ${cap} are allowed`);
    },
  };
}
