// The DNS client and the router of the queue thread, with their metrics and their second level in the store.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Random } from "../base/random.ts";
import type { Config } from "../config.ts";
import { createAhead } from "../dns/ahead.ts";
import { createBusy } from "../dns/busy.ts";
import { createDnsMeter } from "../dns/metering.ts";
import { createResolver } from "../dns/resolver.ts";
import { followSystemHosts } from "../dns/system.ts";
import { createUpstream } from "../dns/upstream.ts";
import type { DnsControl } from "../mail/dns.ts";
import type { NetworkSigns } from "../queue/outage.ts";
import type { KeptAnswer, QueueStore } from "../queue/store.ts";
import type { TlsPlan } from "../route/policy.ts";
import { createPolicyFetch } from "../route/policyFetch.ts";
import type { RouteFor } from "../route/route.ts";
import { createRouter } from "../route/router.ts";
import { createStsBook } from "../route/stsBook.ts";
import { createTrust } from "../route/trust.ts";
import { createDnsControl } from "./dnsControl.ts";
import { authoritiesOf, routerSettings, upstreamSettings } from "./settings.ts";
import { hasWayOut } from "./wayOut.ts";

/** How often fresh answers are written to the store; they ride in a transaction of their own. */
const KEEP_EVERY_MS = 5000;
/** How often the host's own files are read: two small ones. */
const LOOK_AROUND_MS = 30_000;

/** Reserved for such uses (RFC 2606 3); asked for while the line is down, to hear whether a resolver lives. */
const NEUTRAL_NAME = "example.com";

export interface Routing {
  readonly routeFor: RouteFor;
  /** Whether a sender's domain has relays of its own. */
  ownRelays(senderDomain: string): boolean;
  readonly dns: DnsControl;
  /** The TLS policy of a domain and where it comes from. */
  explainTls(domain: string): Promise<TlsPlan>;
  /** How many domains are known to share each site. */
  domainsBySite(): ReadonlyMap<string, number>;
  readonly signs: NetworkSigns;
  /** Brings the gauges up to date. */
  measure(): void;
  /** Other resolvers from now on; what is known of the DNS stays. */
  configure(config: Config): void;
  close(): void;
}

export function createRouting(deps: {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Meter;
  readonly log: Log;
  readonly store: QueueStore;
}): Routing {
  const { config, clock, random, store } = deps;
  const measure = createDnsMeter(deps.meter);
  let current = config;
  const hosts = followSystemHosts();
  let answeredAtMono = -1;
  let hasServers = upstreamSettings(config).servers.length > 0;
  const upstream = createUpstream({
    clock,
    random,
    settings: upstreamSettings(config),
    onQuery(type, result, took) {
      // An error may be the word of a forwarder that has lost its own line.
      if (result === "ok" || result === "nxdomain") answeredAtMono = clock.monotonicMs();
      measure.queried(type, result, took);
    },
  });
  const keeper = createKeeper(clock, store, deps.log);
  let isOpen = true;
  /** Questions that are out at the end are answered by it, when the store is closed already. */
  const recall = (key: string): KeptAnswer | undefined =>
    isOpen ? store.recallOne(key) : undefined;
  const resolver = createResolver({
    clock,
    random,
    ask: upstream.ask,
    hosts: hosts(),
    entriesMax: config.dnsCacheEntries,
    keep: keeper.keep,
    recall,
    isSilent: upstream.isSilent,
    onLookup: measure.lookedUp,
  });
  const trust = createTrust(authoritiesOf(config, deps.log));
  let settings = routerSettings(config);
  let stsPort = config.mtaStsPort;
  const sts = createStsBook({
    clock,
    lookup: resolver.lookup,
    fetch: createPolicyFetch({
      clock,
      lookup: resolver.lookup,
      deny: () => settings.denyDestinations,
      context: trust.context,
      port: () => stsPort,
    }),
    log: deps.log,
    keep: keeper.keep,
    recall,
    changed: (domain) => router.renew(domain),
    entriesMax: settings.entriesMax,
  });
  const router = createRouter({ lookup: resolver.lookup, clock, settings, sts });
  const busy = createBusy();
  const ahead = createAhead({ clock, cache: resolver, busy, isSilent: upstream.isSilent });
  ahead.start();

  /** A host that moves to another network, or comes up before it, has other resolvers than at the start. */
  function lookAround(): void {
    const resolvers = upstreamSettings(current);
    hasServers = resolvers.servers.length > 0;
    upstream.configure(resolvers);
    resolver.configure({ entriesMax: current.dnsCacheEntries, hosts: hosts() });
  }
  const lookAgain = (): void => {
    lookAround();
    around = clock.after(LOOK_AROUND_MS, lookAgain);
  };
  let around = clock.after(LOOK_AROUND_MS, lookAgain);
  return {
    routeFor(domain, senderDomain) {
      const found = router.routeFor(domain, senderDomain);
      if (found instanceof Promise || found.kind !== "route" || found.route.via !== "relay")
        busy.note(domain);
      else for (const { name } of found.route.hosts) busy.note(name);
      return found;
    },
    ownRelays: (senderDomain) => settings.senderRelays?.has(senderDomain) === true,
    explainTls: router.explainTls,
    domainsBySite: router.domainsBySite,
    dns: createDnsControl({ clock, resolver, router, store, keeper }),
    signs: {
      read: () => ({
        // Without a server nobody was asked, which is no silence.
        resolverSilent: !current.capture && hasServers && upstream.isSilent(),
        answeredAtMono,
        get wayOut() {
          // What is captured needs none.
          return current.capture || hasWayOut();
        },
      }),
      askResolver: async () => void (await upstream.ask({ type: "A", name: NEUTRAL_NAME })),
    },
    measure: () => measure.entries(resolver.size()),
    configure(next) {
      current = next;
      lookAround();
      trust.configure(authoritiesOf(next, deps.log));
      settings = routerSettings(next);
      stsPort = next.mtaStsPort;
      sts.forgetFailures();
      router.configure(settings);
    },
    close() {
      isOpen = false;
      ahead.stop();
      around.cancel();
      keeper.write();
      upstream.close();
    },
  };
}

export interface Keeper {
  keep(row: KeptAnswer): void;
  /** Writes what was collected. */
  write(): void;
}

/** Collects answers and writes them now and then. Losing some costs a question after the next start, nothing else. */
function createKeeper(clock: Clock, store: QueueStore, log: Log): Keeper {
  let fresh: KeptAnswer[] = [];
  const write = (): void => {
    if (fresh.length === 0) return;
    const rows = fresh;
    fresh = [];
    const committed = store.transaction(() => store.remember(rows));
    if (committed.kind === "failed") log("warn", "dns.not_kept", { text: committed.text });
  };
  return {
    write,
    keep(row) {
      if (fresh.length === 0) clock.after(KEEP_EVERY_MS, write);
      fresh.push(row);
    },
  };
}
