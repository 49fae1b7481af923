// Where the mail of a domain goes, as a function that answers at once for a domain it has met: routes are kept here as long as the
// shortest-lived DNS answer they were made of, on top of the DNS cache.
import { hostOnlyRanges, ipFamily, type Cidr } from "../base/cidr.ts";
import type { Clock, EpochMs } from "../base/clock.ts";
import { whenKnown, type Answer, type Lookup } from "../dns/answer.ts";
import { createRecent } from "../dns/recent.ts";
import { explainTls } from "./explain.ts";
import { betterThanOwn, nobody, refuseLoop, type Own } from "./own.ts";
import { policyOf, type DomainPolicies, type PolicySettings, type TlsPlan } from "./policy.ts";
import type { Relay } from "./relay.ts";
import type { Endpoint, Route, RouteFor, RouteHost, Routing, TlsDemand } from "./route.ts";
import { secure, type Secured } from "./secure.ts";
import {
  candidatesOf,
  enhanced,
  isMailHost,
  literalOf,
  locate,
  refused,
  refuseNowhere,
  type Candidate,
  type HostAnswers,
} from "./select.ts";
import { relaySite, siteOf } from "./site.ts";
import type { StsBook, StsState } from "./stsBook.ts";

/** The reserved domain that the built-in sink takes, also without internet. */
const SINK_DOMAIN = "postrider.test";

export interface RouterSettings extends PolicySettings {
  /** Empty: straight to the MX. */
  readonly relays: readonly Relay[];
  /** The setting `[senders]`: relays of a sender domain, in the place of all else. */
  readonly senderRelays?: ReadonlyMap<string, readonly Relay[]>;
  readonly denyDestinations: readonly Cidr[];
  /** This host; absent where mail to itself is no circle. */
  readonly own?: Own;
  /** The setting `smtp_port`. */
  readonly smtpPort: number;
  /** The table `[domains]`; it and the policies above are for everything but relays. */
  readonly domains: DomainPolicies;
  /** Where the built-in sink listens. */
  readonly sink: { readonly address: string; readonly port: number };
  /** The setting `capture`: everything goes to the sink. */
  readonly capture: boolean;
  readonly entriesMax: number;
}

export const defaultRouterSettings: RouterSettings = {
  relays: [],
  denyDestinations: hostOnlyRanges,
  smtpPort: 25,
  tls: "opportunistic",
  mtaSts: true,
  dane: true,
  domains: new Map(),
  sink: { address: "127.0.0.1", port: 0 },
  capture: false,
  entriesMax: 10_000,
};

export interface RouterDeps {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly settings: RouterSettings;
  /** Absent: no domain has an MTA-STS policy. */
  readonly sts?: StsBook;
}

export interface Router {
  readonly routeFor: RouteFor;
  /** Forgets every route: the next question makes it anew from the DNS cache. */
  forget(): void;
  /** What is known of this domain has changed. */
  renew(domain: string): void;
  /** How many domains are known to share each site; those of a relay are left out, and all where there are too many to count. */
  domainsBySite(): ReadonlyMap<string, number>;
  /** Other settings from now on; every route is made anew. */
  configure(next: RouterSettings): void;
  /** The TLS policy of a domain and where it comes from. Never rejects. */
  explainTls(domain: string): Promise<TlsPlan>;
}

/** A route of fixed parts, such as a literal address, is made anew after so long. */
const FIXED_MS = 3_600_000;
/** Of more nobody counts which site they share: it would hold up the mail. */
const DOMAINS_COUNTED_MAX = 20_000;
/** Bytes of routes that are kept, by a rough count. */
const ROUTE_BYTES = 2_048;

export function createRouter({ lookup, clock, sts, settings: atStart }: RouterDeps): Router {
  let settings = atStart;
  const known = createRecent<Exclude<Routing, { kind: "unknown" }>>({
    entriesMax: settings.entriesMax,
    weightMax: settings.entriesMax * ROUTE_BYTES,
  });
  const inFlight = new Map<string, Promise<Routing>>();

  function routeFor(domain: string, senderDomain = ""): Routing | Promise<Routing> {
    const ownRelays = domain === SINK_DOMAIN ? undefined : relaysOf(senderDomain);
    const key = ownRelays === undefined ? cacheKey(domain) : `from ${senderDomain}`;
    const kept = known.get(key);
    if (kept !== undefined && clock.now() < kept.freshUntil) return kept;
    const flight = inFlight.get(key);
    if (flight !== undefined) return flight;
    const finding =
      ownRelays === undefined ? find(domain) : relayRouting(ownRelays, `/${senderDomain}`);
    const routing = whenKnown(finding, (found) => {
      inFlight.delete(key);
      if (found.kind !== "unknown") known.set(key, found, weigh(key, found));
      return found;
    });
    if (routing instanceof Promise) inFlight.set(key, routing);
    return routing;
  }

  function relaysOf(senderDomain: string): readonly Relay[] | undefined {
    return settings.capture ? undefined : settings.senderRelays?.get(senderDomain);
  }

  /** With a relay or `capture`, all domains but the sink's share one route, and one entry. */
  function cacheKey(domain: string): string {
    const isShared = settings.relays.length > 0 || settings.capture;
    return isShared && domain !== SINK_DOMAIN ? "" : domain;
  }

  function find(domain: string): Routing | Promise<Routing> {
    if (settings.capture || domain === SINK_DOMAIN) return sinkRouting();
    if (settings.relays.length > 0) return relayRouting(settings.relays);
    const literal = literalOf(domain);
    if (literal !== undefined) return literalRouting(domain, literal);
    if (!isMailHost(domain))
      return refused(enhanced.badSystem, `${domain} is no mail domain`, clock.now() + FIXED_MS);
    // Both questions leave at once: a new domain waits no longer for having two.
    const state = stsOf(domain);
    return whenKnown(lookup("MX", domain), (mx) => {
      const candidates = candidatesOf(domain, mx);
      if (candidates.kind !== "candidates") return candidates;
      const mxSecure = mx.kind !== "unknown" && mx.secure;
      return whenKnown(addressesOf(candidates.hosts), (answers) =>
        whenKnown(state, (policy) => mxRouting(domain, candidates, answers, mxSecure, policy)),
      );
    });
  }

  function stsOf(domain: string): StsState | null | Promise<StsState | null> {
    const { mtaSts, tls } = policyOf(settings, settings.domains, domain);
    return sts === undefined || !mtaSts || tls === "off" ? null : sts.stateOf(domain);
  }

  function mxRouting(
    domain: string,
    candidates: Extract<ReturnType<typeof candidatesOf>, { kind: "candidates" }>,
    answers: readonly HostAnswers[],
    mxSecure: boolean,
    state: StsState | null,
  ): Routing | Promise<Routing> {
    const { own = nobody } = settings;
    const better = betterThanOwn(answers, own);
    if (better.length === 0 && answers.length > 0)
      return refuseLoop(domain, answers, own, candidates.freshUntil);
    const located = locate(better, settings.denyDestinations);
    if (located.kind === "unknown") return located;
    const freshUntil = Math.min(located.freshUntil, candidates.freshUntil);
    if (located.kind === "nowhere") {
      if (candidates.cut)
        return { kind: "unknown", text: `The first hosts of ${domain} are unusable` };
      const refusal = refuseNowhere(domain, located.denied, freshUntil);
      if (candidates.implicit || located.denied !== undefined) return refusal;
      // Whoever names servers wants mail, and may have moved them a moment ago.
      return { kind: "unknown", text: refusal.text, bounces: refusal.enhanced };
    }
    // By all hosts that the MX records name: which of them have an address just now changes more often.
    const site = siteOf(candidates.hosts.map((host) => host.name));
    const policy = policyOf(settings, settings.domains, domain);
    const port = settings.smtpPort;
    const { hosts } = located;
    const isNamed = settings.domains.has(domain);
    const asked = { domain, policy, isNamed, port, mxSecure, sts: state, answers, hosts };
    return whenKnown(secure(lookup, asked), (secured) => {
      if (secured.hosts.length === 0) return noneSecure(domain, secured);
      const endpoint: Endpoint = { port, tls: policy.tls, implicitTls: false, login: null };
      return routing(
        { site, via: "mx", hosts: secured.hosts, ...endpoint },
        Math.min(freshUntil, secured.freshUntil),
      );
    });
  }

  function literalRouting(domain: string, address: string): Routing {
    const freshUntil = clock.now() + FIXED_MS;
    if (address === "")
      return refused(enhanced.badSystem, `${domain} is no address literal`, freshUntil);
    const { own = nobody } = settings;
    const answers = [literalAnswers(domain, address, freshUntil)];
    if (betterThanOwn(answers, own).length === 0)
      return refuseLoop(domain, answers, own, freshUntil);
    const located = locate(answers, settings.denyDestinations);
    if (located.kind !== "hosts") return refuseNowhere(domain, address, freshUntil);
    return routing({ site: domain, via: "mx", hosts: located.hosts, ...straight() }, freshUntil);
  }

  function sinkRouting(): Routing {
    const { address, port } = settings.sink;
    const hosts = [{ name: SINK_DOMAIN, preference: 0, addresses: [address] }];
    const endpoint: Endpoint = { port, tls: "off", implicitTls: false, login: null };
    return routing({ site: SINK_DOMAIN, via: "sink", hosts, ...endpoint }, clock.now() + FIXED_MS);
  }

  /** A smarthost is the operator's word: it is exempt from `deny_destinations`, and its absence is never a bounce. */
  function relayRouting(relays: readonly Relay[], siteEnd = ""): Routing | Promise<Routing> {
    const candidates = relays.map(({ host }, i) => ({ name: host, preference: i }));
    return whenKnown(addressesOf(candidates), (answers) => {
      const located = locate(answers, []);
      const first = relays[0] as Relay;
      if (located.kind === "unknown") return located;
      if (located.kind === "nowhere")
        return { kind: "unknown", text: `The relay ${first.host} has no address` };
      const hosts = located.hosts.map((host): RouteHost => {
        const { port, tls, implicitTls, login } = relays[host.preference] ?? first;
        return { ...host, endpoint: { port, tls, implicitTls, login } };
      });
      const { port, tls, implicitTls, login } = first;
      const site = relaySite(first.host, first.port, siteEnd);
      return routing(
        { site, via: "relay", hosts, port, tls, implicitTls, login },
        located.freshUntil,
      );
    });
  }

  function addressesOf(
    hosts: readonly Candidate[],
  ): readonly HostAnswers[] | Promise<readonly HostAnswers[]> {
    const asked = hosts.map((host) => {
      if (ipFamily(host.name) !== 0)
        return literalAnswers(host.name, host.name, clock.now() + FIXED_MS, host.preference);
      return { host, v6: lookup("AAAA", host.name), v4: lookup("A", host.name) };
    });
    return allKnown(asked);
  }

  function straight(): Endpoint {
    return { port: settings.smtpPort, tls: settings.tls, implicitTls: false, login: null };
  }

  return {
    routeFor,
    forget: known.clear,
    renew: known.delete,
    domainsBySite() {
      const counts = new Map<string, number>();
      if (known.size() > DOMAINS_COUNTED_MAX) return counts;
      for (const domain of known.keys()) {
        const found = known.peek(domain);
        if (found?.kind !== "route" || found.route.via === "relay") continue;
        counts.set(found.route.site, (counts.get(found.route.site) ?? 0) + 1);
      }
      return counts;
    },
    configure(next) {
      settings = next;
      known.clear();
    },
    explainTls(domain) {
      const policy = policyOf(settings, settings.domains, domain);
      const isNamed = settings.domains.has(domain);
      const { smtpPort: port } = settings;
      return explainTls({ lookup, sts, policy, isNamed, port, addressesOf }, domain);
    },
  };
}

/** No word of this is a bounce: a policy may be mended, and an impostor goes away. */
function noneSecure(domain: string, { plans }: Secured): Routing {
  const [first] = plans;
  const why = first === undefined ? "" : `: ${first.host}: ${first.why}`;
  return { kind: "unknown", text: `No host of ${domain} fits its TLS policy${why}`, class: "tls" };
}

function routing(route: Route, freshUntil: EpochMs): Routing {
  return { kind: "route", route, freshUntil };
}

function literalAnswers(
  name: string,
  address: string,
  freshUntil: EpochMs,
  preference = 0,
): HostAnswers {
  const found: Answer<string> = { kind: "found", records: [address], freshUntil, secure: false };
  const none: Answer<string> = { kind: "none", why: "nodata", freshUntil, secure: false };
  const isV6 = address.includes(":");
  return { host: { name, preference }, v6: isV6 ? found : none, v4: isV6 ? none : found };
}

interface AskedHost {
  readonly host: Candidate;
  readonly v6: Answer<string> | Promise<Answer<string>>;
  readonly v4: Answer<string> | Promise<Answer<string>>;
}

function allKnown(
  asked: readonly AskedHost[],
): readonly HostAnswers[] | Promise<readonly HostAnswers[]> {
  const isKnown = (one: AskedHost): one is HostAnswers =>
    !(one.v6 instanceof Promise) && !(one.v4 instanceof Promise);
  if (asked.every(isKnown)) return asked;
  return Promise.all(
    asked.map(async ({ host, v6, v4 }) => {
      const [six, four] = await Promise.all([v6, v4]);
      return { host, v6: six, v4: four };
    }),
  );
}

function weigh(key: string, routing: Routing): number {
  if (routing.kind !== "route") return 200 + key.length + routing.text.length;
  const hostBytes = routing.route.hosts.map(
    ({ addresses, endpoint }) => 150 + addresses.length * 50 + weighDemand(endpoint?.demand),
  );
  return hostBytes.reduce((sum, bytes) => sum + bytes, 300 + key.length);
}

function weighDemand(demand: TlsDemand | undefined): number {
  if (demand === undefined) return 0;
  if (demand.source !== "dane") return 100;
  return demand.tlsa.reduce((sum, { data }) => sum + 100 + data.length, 300);
}
