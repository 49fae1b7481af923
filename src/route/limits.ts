// How much a site is given at most, as one pure function of the settings, the shipped table of providers and the site: the senders
// obey it and `explain` prints it, each number with where it comes from.
import { providerLimits } from "./providers.ts";
import type { Route } from "./route.ts";

/** So many within so long; `100/m` in the settings. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

export interface SiteLimits {
  /** Open at one time. */
  readonly connections: number;
  /** New connections; null: as many as are wanted. */
  readonly connectRate: Rate | null;
  /** Messages; null: as many as are wanted. */
  readonly messageRate: Rate | null;
  /** Messages on one connection before it is replaced. */
  readonly connectionMessages: number;
  /** Recipients in one transaction. */
  readonly transactionRecipients: number;
}

/** The settings that hold for every site without a word of its own. */
export interface LimitSettings {
  readonly siteConnections: number;
  /** An explicit relay is the operator's own choice and expected to take more. */
  readonly relayConnections: number;
  readonly connectRate: Rate | null;
  readonly messageRate: Rate | null;
  readonly connectionMessages: number;
  readonly transactionRecipients: number;
  /** The table `[sites]`, by the site's name. */
  readonly sites: Readonly<Record<string, Partial<SiteLimits>>>;
}

/** `own`: the table `[sites]`. `shipped`: the table of providers. `general`: the settings for all. */
export type LimitOrigin = "own" | "shipped" | "general";

export interface LimitsInForce {
  readonly limits: SiteLimits;
  readonly from: Readonly<Record<keyof SiteLimits, LimitOrigin>>;
}

/**
 * A word of the operator about this very site stands. Without one, the shipped table only tightens what the general settings say: who
 * sets `site_connections = 2` means Google too. What the built-in sink takes is never limited.
 */
export function limitsOf(settings: LimitSettings, { site, via }: SiteAt): LimitsInForce {
  const general = generalLimits(settings, via);
  if (via === "sink") return { limits: general, from: allGeneral };
  const own = Object.hasOwn(settings.sites, site) ? settings.sites[site] : undefined;
  const shipped = via === "mx" ? providerLimits(site) : undefined;
  if (own === undefined && shipped === undefined) return { limits: general, from: allGeneral };
  const from: Record<keyof SiteLimits, LimitOrigin> = { ...allGeneral };
  const pick = <K extends keyof SiteLimits>(
    key: K,
    tighter: (a: SiteLimits[K], b: SiteLimits[K]) => SiteLimits[K],
  ): SiteLimits[K] => {
    const said = own?.[key];
    if (said !== undefined) {
      from[key] = "own";
      return said;
    }
    const ours = shipped?.[key];
    if (ours === undefined || tighter(ours, general[key]) !== ours) return general[key];
    from[key] = "shipped";
    return ours;
  };
  const limits: SiteLimits = {
    connections: pick("connections", Math.min),
    connectRate: pick("connectRate", slower),
    messageRate: pick("messageRate", slower),
    connectionMessages: pick("connectionMessages", Math.min),
    transactionRecipients: pick("transactionRecipients", Math.min),
  };
  return { limits, from };
}

export type SiteAt = Pick<Route, "site" | "via">;

const allGeneral: LimitsInForce["from"] = {
  connections: "general",
  connectRate: "general",
  messageRate: "general",
  connectionMessages: "general",
  transactionRecipients: "general",
};

function generalLimits(settings: LimitSettings, via: Route["via"]): SiteLimits {
  const { connectRate, messageRate, connectionMessages, transactionRecipients } = settings;
  const isOwn = via !== "mx";
  return {
    connections: via === "relay" ? settings.relayConnections : settings.siteConnections,
    // The rate guards strangers against a storm of connections; who names a relay has made room there.
    connectRate: isOwn ? null : connectRate,
    messageRate: via === "sink" ? null : messageRate,
    connectionMessages,
    transactionRecipients,
  };
}

function slower(a: Rate | null, b: Rate | null): Rate | null {
  if (a === null) return b;
  if (b === null) return a;
  return a.count / a.perMs <= b.count / b.perMs ? a : b;
}
