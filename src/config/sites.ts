// Limits of sites: how a rate is written, and the table `[sites."google.com"]`, whose keys are those of the general settings.
import type { Machine } from "./machine.ts";
import { type Kind, integer, orNull } from "./kinds.ts";

/** So many within so long. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export function parseRate(text: string): Rate | undefined {
  const match = /^(\d{1,9}) ?\/ ?([smhd])$/.exec(text.trim());
  const perMs = UNITS[match?.[2] ?? ""];
  const count = Number(match?.[1]);
  return match === null || perMs === undefined || count === 0 ? undefined : { count, perMs };
}

export const rate: Kind<Rate> = {
  allowed: "a rate such as 5/s, 100/m, 1000/h or 20000/d",
  parse: (raw) => (typeof raw === "string" ? parseRate(raw) : undefined),
  show({ count, perMs }) {
    const unit = Object.keys(UNITS).find((name) => UNITS[name] === perMs);
    return `${count}/${unit ?? "?"}`;
  },
};

export const rateOrUnlimited: Kind<Rate | null> = orNull(rate, "unlimited");

/** What is said of one site; what is absent is as for all others. */
export interface SiteSettings {
  readonly connections?: number;
  readonly connectRate?: Rate | null;
  readonly messageRate?: Rate | null;
  readonly connectionMessages?: number;
  readonly transactionRecipients?: number;
}

const keys = {
  connections: { name: "connections", kind: integer({ min: 1, max: 1000 }) },
  connectRate: { name: "connect_rate", kind: rateOrUnlimited },
  messageRate: { name: "rate", kind: rateOrUnlimited },
  connectionMessages: { name: "connection_messages", kind: integer({ min: 1, max: 100_000 }) },
  transactionRecipients: { name: "recipients", kind: integer({ min: 1, max: 1000 }) },
} as const;

const rows = Object.entries(keys) as unknown as readonly (readonly [
  keyof SiteSettings,
  { readonly name: string; readonly kind: Kind<unknown> },
])[];

const SITES_MAX = 10_000;
/** As long as the name of a site can be. */
const NAME = /^[!-~]{1,100}$/;

function parseSite(raw: unknown, machine: Machine): SiteSettings | undefined {
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
  const table = raw as Readonly<Record<string, unknown>>;
  if (Object.keys(table).some((key) => rows.every(([, { name }]) => name !== key)))
    return undefined;
  const parsed: Partial<Record<keyof SiteSettings, unknown>> = {};
  for (const [key, { name, kind }] of rows) {
    if (table[name] === undefined) continue;
    const value = kind.parse(table[name], machine);
    if (value === undefined) return undefined;
    parsed[key] = value;
  }
  return parsed as SiteSettings;
}

function showSite(site: SiteSettings): string {
  return rows
    .filter(([key]) => site[key] !== undefined)
    .map(([key, { name, kind }]) => `${name}: ${kind.show(site[key])}`)
    .join(", ");
}

export const siteTable: Kind<Readonly<Record<string, SiteSettings>>> = {
  allowed:
    "a table for each site, by its name, with any of the keys " +
    rows.map(([, { name, kind }]) => `${name} (${kind.allowed})`).join("; "),
  parse(raw, machine) {
    if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return undefined;
    const sites = Object.entries(raw as Readonly<Record<string, unknown>>);
    if (sites.length > SITES_MAX) return undefined;
    const parsed: Record<string, SiteSettings> = {};
    for (const [name, table] of sites) {
      const site = NAME.test(name) ? parseSite(table, machine) : undefined;
      if (site === undefined) return undefined;
      parsed[name] = site;
    }
    return parsed;
  },
  show(sites) {
    const shown = Object.entries(sites).map(([name, site]) => `${name}: ${showSite(site)}`);
    return shown.length === 0 ? "none" : shown.join("; ");
  },
};
