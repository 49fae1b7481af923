// What kept mail waiting, remembered for a while after it is over, so that the timeline of whatever waited says why: a site at rest, what
// an operator stopped, our own line. A few spans for each of them serve a million messages; each message's are looked up when it was tried.
import type { EpochMs } from "../base/clock.ts";
import { domainOf } from "../mail/message.ts";
import type { WaitReason } from "../mail/timeline.ts";
import type { Paused } from "./pauses.ts";

/** Where mail is held up: everything for one of two reasons, a site, or a domain. */
export type Place = "line" | "all" | `site:${string}` | `domain:${string}`;

export interface Hindrances {
  /** One that stands already goes on, for this reason from now on. */
  begin(place: Place, why: string, at: EpochMs): void;
  end(place: Place, at: EpochMs): void;
  /** What held up mail for this address between two instants; undefined: nothing. */
  during(
    site: string,
    address: string,
    from: EpochMs,
    until: EpochMs,
  ): readonly WaitReason[] | undefined;
}

/** The oldest goes first. */
const PLACES_MAX = 1000;
const SPANS_MAX = 4;
/** Nobody asks why something took so little. */
const SPAN_MIN_MS = 1000;
const WHY_MAX = 300;

interface Span {
  readonly from: EpochMs;
  /** Infinity: it stands. */
  until: EpochMs;
  why: string;
}

export function placeOfPause({ kind, name }: Paused): Place {
  return kind === "all" ? "all" : `${kind}:${name}`;
}

export function createHindrances(): Hindrances {
  const places = new Map<Place, Span[]>();
  /** Spans that stand, and the end of the last one that does not: mail that came later was held up by nothing. */
  let open = 0;
  let lastEnd: EpochMs = -Infinity;

  const standing = (place: Place): Span | undefined => {
    const last = places.get(place)?.at(-1);
    return last?.until === Infinity ? last : undefined;
  };

  const add = (place: Place, span: Span): void => {
    const spans = [...(places.get(place) ?? []), span].slice(-SPANS_MAX);
    places.delete(place);
    places.set(place, spans);
    open++;
    const [oldest] = places.keys();
    if (places.size <= PLACES_MAX || oldest === undefined) return;
    if (standing(oldest) !== undefined) open--;
    places.delete(oldest);
  };

  return {
    begin(place, why, at) {
      const stands = standing(place);
      if (stands !== undefined) stands.why = why.slice(0, WHY_MAX);
      else add(place, { from: at, until: Infinity, why: why.slice(0, WHY_MAX) });
    },
    end(place, at) {
      const stands = standing(place);
      if (stands === undefined) return;
      stands.until = at;
      open--;
      lastEnd = Math.max(lastEnd, at);
    },
    during(site, address, from, until) {
      // The usual case, once a verdict: nothing is held up.
      if (open === 0 && from >= lastEnd) return undefined;
      const found: WaitReason[] = [];
      const about = [`site:${site}`, `domain:${domainOf(address)}`, "all", "line"] as const;
      for (const place of about)
        for (const span of places.get(place) ?? []) {
          const [begin, end] = [Math.max(from, span.from), Math.min(until, span.until)];
          if (end - begin >= SPAN_MIN_MS) found.push({ from: begin, until: end, why: span.why });
        }
      return found.length === 0 ? undefined : found.sort((a, b) => a.from - b.from);
    },
  };
}
