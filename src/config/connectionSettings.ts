// The settings about how many speak SMTP with others: sender threads, connections and messages, of all and of each site.
import { integer, orNull } from "./kinds.ts";
import { setting } from "./setting.ts";
import { type Rate, rateOrUnlimited, type SiteSettings, siteTable } from "./sites.ts";

const MINUTE = 60_000;

export const connectionSettings = {
  workers: setting({
    name: "workers",
    kind: integer({ min: 1, max: 64 }),
    default: ({ cores }) => Math.min(64, Math.max(1, cores)),
    usually: "number of cores",
    help: "Sender threads; as few of them work at a time as keep up",
  }),
  maxConnections: setting({
    name: "max_connections",
    kind: integer({ min: 1, max: 60_000 }),
    default: ({ fileLimit }) => Math.max(1, Math.min(4000, Math.floor(fileLimit / 2))),
    usually: "4000, or half the file limit if that is less",
    help: "Open SMTP connections, all sites together",
  }),
  siteConnections: setting<number | null>({
    name: "site_connections",
    kind: orNull(integer({ min: 1, max: 1000 }), "auto"),
    default: null,
    usually: "10; an explicit `relay` 20",
    help: "Open SMTP connections per site; it begins with 2 and learns how many are welcome",
  }),
  siteConnectRate: setting<Rate | null>({
    name: "site_connect_rate",
    kind: rateOrUnlimited,
    default: { count: 100, perMs: MINUTE },
    help: "New SMTP connections per site, not counted for an explicit `relay`",
  }),
  siteRate: setting<Rate | null>({
    name: "site_rate",
    kind: rateOrUnlimited,
    default: null,
    help: "Messages per site",
  }),
  connectionMessages: setting({
    name: "connection_messages",
    kind: integer({ min: 1, max: 100_000 }),
    default: 100,
    help: "Messages on one connection before it is replaced, as soon as `site_connect_rate` allows",
  }),
  sites: setting<Readonly<Record<string, SiteSettings>>>({
    name: "sites",
    kind: siteTable,
    default: {},
    usually: "the shipped table of big providers",
    help: 'A table for a site, such as `[sites."google.com"]`: `connections`, `connect_rate`, `rate`, `connection_messages`, `recipients`',
    table: true,
  }),
} as const;
