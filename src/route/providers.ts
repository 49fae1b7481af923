// The big providers: by which names their MX hosts are known, and what they want of a sender. Data, not code. A limit stands here
// only with its source beside it; where a provider publishes none, the general settings and what its servers say hold.
import type { SiteLimits } from "./limits.ts";

interface Provider {
  /** The name of the site, as in metrics and in `[sites."google.com"]`. */
  readonly site: string;
  /** Suffixes of MX host names. */
  readonly suffixes: readonly string[];
  readonly limits?: Partial<SiteLimits>;
}

export const providers: readonly Provider[] = [
  {
    site: "google.com",
    suffixes: ["google.com", "googlemail.com"],
    // Google publishes no number (support.google.com/a/answer/81126: "start with a low volume", reduce at 421 4.7.28). 50 messages on a
    // connection is what KumoMTA ships for it (docs.kumomta.com/userguide/trafficshaping/shapingfiles).
    limits: { connectionMessages: 50 },
  },
  {
    site: "outlook.com",
    suffixes: ["protection.outlook.com", "mx.microsoft"],
    // "Senders must not open more than 500 simultaneous connections" without arrangement: postmaster.live.com, Policies and
    // Guidelines; a sender of ordinary reputation is told 451 4.7.650-652 or 421 RP-002 long before.
    limits: { connections: 500 },
  },
  {
    site: "yahoo.com",
    suffixes: ["yahoodns.net", "mx.aol.com"],
    // help.yahoo.com/kb/SLN3433: a connection is ended after 20 messages, without an error code; a new one may follow at once.
    limits: { connectionMessages: 20 },
  },
  {
    site: "icloud.com",
    suffixes: ["icloud.com"],
    // support.apple.com/102322 names no number. 50 messages a connection: Validity's suggested settings for Apple
    // (help.returnpath.com, "Apple overview").
    limits: { connectionMessages: 50 },
  },
  {
    site: "comcast.net",
    suffixes: ["comcast.net"],
    // postmaster.comcast.net, "Watch the sending limits": 25 simultaneous connections of one address, 100 recipients a message.
    limits: { connections: 25, transactionRecipients: 100 },
  },
  // postmaster.gmx.net and postmaster.web.de publish no number; both are one platform, which says 421 at a sender's whole rate.
  { site: "gmx.net", suffixes: ["gmx.net", "gmx.com", "web.de"] },
  // Hosts of many customers' mail, which judge a sender as a whole; none of them publishes a limit for strangers.
  { site: "pphosted.com", suffixes: ["pphosted.com", "ppe-hosted.com"] },
  { site: "mimecast.com", suffixes: ["mimecast.com"] },
  { site: "fastmail.com", suffixes: ["messagingengine.com"] },
  { site: "proton.me", suffixes: ["protonmail.ch"] },
  { site: "zoho.com", suffixes: ["zoho.com", "zoho.eu"] },
  { site: "secureserver.net", suffixes: ["secureserver.net"] },
  { site: "qq.com", suffixes: ["qq.com"] },
  { site: "mail.ru", suffixes: ["mail.ru"] },
  { site: "yandex.net", suffixes: ["yandex.net", "yandex.ru"] },
];

const bySite = new Map(providers.map((provider) => [provider.site, provider.limits]));
const bySuffix = new Map(
  providers.flatMap(({ site, suffixes }) => suffixes.map((suffix) => [suffix, site] as const)),
);

export function providerLimits(site: string): Partial<SiteLimits> | undefined {
  return bySite.get(site);
}

/** The provider that all of these MX hosts belong to. */
export function providerOf(hosts: readonly string[]): string | undefined {
  const sites = new Set(hosts.map(ownerOf));
  const [only] = sites;
  return sites.size === 1 ? only : undefined;
}

function ownerOf(host: string): string | undefined {
  for (let from = 0; from >= 0; from = host.indexOf(".", from + 1)) {
    const site = bySuffix.get(host.slice(from === 0 ? 0 : from + 1));
    if (site !== undefined) return site;
  }
  return undefined;
}
