// Sites that bear only so much: so many connections at a time, so many messages in a quarter of an hour. One that has had too much says
// so in a provider's words, and remembers who asked it again too soon. Drawn apart from the rest of a world, so that what a seed meant
// before there were such sites, it mostly still means.
import { seededRandom } from "../../src/base/random.ts";

export interface Temper {
  /** True when this connection is one too many. */
  opened(): boolean;
  closed(): void;
  /** True when this message is too much. */
  asked(now: number): boolean;
}

export interface Tempers {
  of(site: number): Temper;
  /** Something happened by which a pause that has just begun may be forgotten. */
  disturbed(now: number): void;
  /** All that is known of time is void. */
  upset(): void;
}

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;
/** Verdicts may be late, jobs may be on their way, and a death may come before the pause is on the disk. */
const GRACE_MS = MINUTE_MS;

export function drawTempers(
  seed: number,
  deps: {
    readonly isHealed: () => boolean;
    /** Somebody is there to hear what is said. */
    readonly isHeard: () => boolean;
    readonly violation: (text: string) => void;
  },
): Tempers {
  const { isHealed, isHeard, violation } = deps;
  const { roll } = seededRandom(seed * 7919 + 17);
  const isTempered = roll() < 0.4;
  const kept: { pausedAt: number | null }[] = [];

  const draw = (site: number): Temper => {
    const limit = (most: number): number =>
      isTempered && roll() < 0.5 ? 1 + Math.floor(roll() * most) : Infinity;
    const bears = limit(3);
    const perQuarter = limit(8);
    const memory: { pausedAt: number | null } = { pausedAt: null };
    kept[site] = memory;
    let open = 0;
    let taken: number[] = [];
    let offendedUntil = -Infinity;

    return {
      opened: () => ++open > bears && !isHealed(),
      closed: () => void open--,
      asked(now) {
        const { pausedAt } = memory;
        const sincePause = pausedAt === null ? Infinity : now - pausedAt;
        if (sincePause > GRACE_MS && sincePause < QUARTER_MS - GRACE_MS)
          violation(`s${site}.test was asked ${sincePause} ms after it wanted a pause`);
        if (isHealed()) return false;
        taken = taken.filter((at) => now - at < QUARTER_MS);
        if (now >= offendedUntil && taken.length < perQuarter) {
          taken.push(now);
          memory.pausedAt = null;
          return false;
        }
        offendedUntil = now + 10 * MINUTE_MS;
        if (sincePause > GRACE_MS) memory.pausedAt = isHeard() ? now : null;
        return true;
      },
    };
  };

  return {
    of: draw,
    disturbed(now) {
      for (const one of kept)
        if (one.pausedAt !== null && now - one.pausedAt < GRACE_MS) one.pausedAt = null;
    },
    upset() {
      for (const one of kept) one.pausedAt = null;
    },
  };
}
