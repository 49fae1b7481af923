// How this host's addresses fare: one that cannot be bound, or whose connections fail everywhere while those of others do not, rests,
// longer each time. Without an other to compare with, the fault may be anybody's, and none rests.
import { ipFamily } from "../base/cidr.ts";
import { type EpochMs, iso } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { Log } from "../base/log.ts";
import { SOURCE_UNBOUND, type Verdict } from "../mail/verdict.ts";

export interface SourceHealth {
  /** This host did not have the address; it is tried again then, since it may come with a lease or a failover. */
  awayUntil(address: string): EpochMs;
  restsUntil(address: string): EpochMs;
  /** The hosts of its family failed at the site: those of the other are next until then. */
  deadEndUntil(address: string, site: string): EpochMs;
  learn(
    at: { readonly address: string; readonly site: string },
    verdict: Verdict,
    now: EpochMs,
  ): void;
}

const RESTS_MS = [60_000, 120_000, 300_000, 900_000, 1_800_000, 3_600_000] as const;
/** Sites in a row, each another, at which every connection failed. */
const FAILED_SITES = 3;
const JITTER = 0.15;
/**
 * An attempt goes to the hosts of one family alone. Where they fail, those of the other are next (RFC 5321 5.1), for so long: then the
 * best host may be back.
 */
const DEAD_END_MS = 900_000;
const DEAD_ENDS_MAX = 10_000;

/** One connection in so long finds whether an address is there again. */
export const AWAY_MS = 60_000;

interface Standing {
  readonly failedSites: Set<string>;
  failingSince: EpochMs;
  workedAt: EpochMs;
  restsUntil: EpochMs;
  awayUntil: EpochMs;
  /** Rests in a row. */
  level: number;
}

export function createSourceHealth(log: Log, roll: () => number): SourceHealth {
  const standings = new Map<string, Standing>();
  /** Until when, by family and site. */
  const deadEnds = new Map<string, EpochMs>();

  function standingOf(address: string): Standing {
    const standing = standings.get(address) ?? {
      failedSites: new Set<string>(),
      failingSince: 0,
      workedAt: -Infinity,
      restsUntil: 0,
      awayUntil: 0,
      level: 0,
    };
    standings.set(address, standing);
    return standing;
  }

  function rest(address: string, standing: Standing, now: EpochMs): void {
    if (standing.restsUntil > now) return;
    const pauseMs = RESTS_MS[Math.min(standing.level, RESTS_MS.length - 1)] as number;
    standing.level++;
    standing.restsUntil = now + Math.round(pauseMs * (1 + JITTER * roll()));
    standing.failedSites.clear();
    const why = "its connections fail, those of other addresses do not";
    log("warn", "source.rests", {
      address,
      until: iso(standing.restsUntil),
      why,
    });
  }

  const othersWorked = (address: string, since: EpochMs): boolean =>
    [...standings].some(([other, { workedAt }]) => other !== address && workedAt >= since);

  return {
    awayUntil: (address) => standings.get(address)?.awayUntil ?? 0,
    restsUntil: (address) => standings.get(address)?.restsUntil ?? 0,
    deadEndUntil: (address, site) =>
      // Asked for each message, and mostly there is none.
      deadEnds.size === 0 ? 0 : (deadEnds.get(roadOf(address, site)) ?? 0),
    learn({ address, site }, verdict, now) {
      const standing = standingOf(address);
      const road = roadOf(address, site);
      if (isDeadEnd(verdict)) {
        deadEnds.delete(road);
        deadEnds.set(road, now + DEAD_END_MS);
        keepNewest(deadEnds, DEAD_ENDS_MAX);
      } else if (worked(verdict)) deadEnds.delete(road);
      if (worked(verdict)) {
        standing.workedAt = now;
        standing.failedSites.clear();
        standing.restsUntil = 0;
        standing.awayUntil = 0;
        standing.level = 0;
      } else if (verdict.alert === SOURCE_UNBOUND) {
        if (standing.awayUntil > now) return;
        standing.awayUntil = now + AWAY_MS;
        log("warn", "source.away", { address, until: iso(standing.awayUntil) });
      } else if (verdict.unreached !== undefined) {
        if (standing.failedSites.size === 0) standing.failingSince = now;
        if (standing.failedSites.size < FAILED_SITES) standing.failedSites.add(site);
        if (standing.failedSites.size < FAILED_SITES) return;
        if (othersWorked(address, standing.failingSince)) rest(address, standing, now);
      }
    },
  };
}

const roadOf = (address: string, site: string): string => `${ipFamily(address)} ${site}`;

/** Some trouble of the hosts, which others need not have; what asks us to come again from the same address, or less often, is none. */
function isDeadEnd({ kind, scope, class: about }: Verdict): boolean {
  if (kind !== "deferred" || scope !== "host") return false;
  return about !== "greylist" && about !== "rate" && about !== "local";
}

/** A server spoke with us from there, whatever it said. */
function worked({ kind, scope }: Verdict): boolean {
  if (kind === "delivered" || kind === "failed") return true;
  return kind === "deferred" && (scope === "recipient" || scope === "message");
}
