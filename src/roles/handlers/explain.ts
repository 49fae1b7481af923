// Where a domain's mail goes, as the queue thread knows it: the half of `explain` that needs the DNS, the policies and the site's health.
import { type Clock, type EpochMs, iso } from "../../base/clock.ts";
import { type CommandAnswer, done, type QueueCommand } from "../../mail/command.ts";
import type { DnsControl } from "../../mail/dns.ts";
import type { HostView, RouteView, SurveyView, TlsView } from "../../mail/explain.ts";
import type { Queue } from "../../queue/queue.ts";
import type { Sources } from "../../queue/sources.ts";
import type { QueueStore } from "../../queue/store.ts";
import type { TlsPlan } from "../../route/policy.ts";
import type { RouteFor, RouteHost, Routing } from "../../route/route.ts";
import type { Handlers } from "./handle.ts";

export interface ExplainDeps {
  readonly queue: Pick<Queue, "look" | "survey" | "health">;
  readonly store: Pick<QueueStore, "pauses">;
  readonly sources: Pick<Sources, "look">;
  readonly clock: Pick<Clock, "now">;
  readonly routing: {
    readonly routeFor: RouteFor;
    readonly dns: Pick<DnsControl, "lookup">;
    explainTls(domain: string): Promise<TlsPlan>;
    domainsBySite(): ReadonlyMap<string, number>;
  };
}

/** Hosts whose addresses are looked at for their age; the rest is shown without. */
const HOSTS_AGED_MAX = 10;

type Explaining = Pick<Handlers<QueueCommand>, "queue.route" | "queue.survey">;

export function explainHandlers(deps: ExplainDeps): Explaining {
  return {
    "queue.route": ({ domain }) => routeView(deps, domain),
    "queue.survey": ({ sites }) => done(surveyView(deps, sites)),
  };
}

const nothing: ReadonlyMap<string, number> = new Map();

function surveyView({ queue, store, routing }: ExplainDeps, names: readonly string[]): SurveyView {
  const domains = names.length === 0 ? nothing : routing.domainsBySite();
  return {
    ...queue.survey(names),
    paused: store.pauses().map(({ kind, name, at }) => ({ kind, name, since: iso(at) })),
    domains: Object.fromEntries(names.map((site) => [site, domains.get(site) ?? 0])),
  };
}

async function routeView(deps: ExplainDeps, domain: string): Promise<CommandAnswer> {
  const { queue, store, routing, sources, clock } = deps;
  const found = await routing.routeFor(domain);
  const direct = found.kind !== "route" || found.route.via === "mx";
  const hosts = found.kind === "route" ? found.route.hosts : [];
  const view: RouteView = {
    domain,
    route: shown(found),
    mx: direct ? await routing.dns.lookup("MX", domain) : null,
    hosts: await Promise.all(
      hosts.map((host, i) => aged(routing.dns, host, direct && i < HOSTS_AGED_MAX)),
    ),
    // Where no host fits the policy there is no route, and the policy is what one wants to see.
    tls: found.kind !== "refused" && direct ? tlsView(await routing.explainTls(domain)) : null,
    site: found.kind === "route" ? queue.look(found.route.site) : null,
    sources: found.kind === "route" ? sources.look(found.route.site, clock.now()) : [],
    paused: pausesOf(store, domain, found),
    uplink: queue.health().uplink,
  };
  return done(view);
}

/** Logins of relays are left out: this is shown. */
function shown(found: Routing): RouteView["route"] {
  if (found.kind === "unknown") return { result: "unknown", text: found.text };
  if (found.kind === "refused")
    return { result: "refused", enhanced: found.enhanced, text: found.text };
  const { site, via, port } = found.route;
  return { result: "route", site, via, port, fresh_until: instantOf(found.freshUntil) };
}

async function aged(
  dns: Pick<DnsControl, "lookup">,
  { name, preference, addresses }: RouteHost,
  ask: boolean,
): Promise<HostView> {
  const isV6 = addresses[0]?.includes(":") === true;
  const ttlMs = ask ? (await dns.lookup(isV6 ? "AAAA" : "A", name)).ttlMs : null;
  return { name, preference, addresses, ttl_ms: ttlMs };
}

function tlsView({ tls, setting, mtaSts, dane, hosts }: TlsPlan): TlsView {
  return {
    tls,
    setting,
    mta_sts: mtaSts.kind === "policy" ? `${mtaSts.mode} (id ${mtaSts.id})` : mtaSts.why,
    dane: dane.kind === "off" ? dane.why : dane.kind,
    hosts,
  };
}

function pausesOf(
  store: Pick<QueueStore, "pauses">,
  domain: string,
  found: Routing,
): RouteView["paused"] {
  const site = found.kind === "route" ? found.route.site : "";
  return store
    .pauses()
    .filter(({ kind, name }) => kind === "all" || name === (kind === "site" ? site : domain))
    .map(({ kind, at }) => ({ kind, since: iso(at) }));
}

/** A route of fixed parts holds for ever, which is no instant. */
function instantOf(at: EpochMs): string | null {
  return Number.isFinite(at) ? iso(at) : null;
}
