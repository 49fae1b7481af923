// The simulated DNS: which domain belongs to which site, with silence, delay and denial as the plan has them.
import type { Clock } from "../../src/base/clock.ts";
import type { Random } from "../../src/base/random.ts";
import type { Route, Routing } from "../../src/route/route.ts";
import type { FaultRates } from "./plan.ts";

export interface NamesDeps {
  readonly random: Random;
  readonly sites: number;
  readonly faults: () => FaultRates;
  /** The resolver is beyond the line. */
  readonly isCut: () => boolean;
}

export interface Names {
  readonly domains: readonly string[];
  /** Domains that do not exist: a bounce to them is right. */
  readonly denied: ReadonlySet<string>;
  /** A resolver with a cache, for one process. */
  resolver(clock: Clock): (domain: string) => Routing | Promise<Routing>;
}

const DOMAINS_A_SITE = 2;
const FRESH_MS = 600_000;

export function createNames({ random, sites, faults, isCut }: NamesDeps): Names {
  const routes = new Map<string, Route>();
  for (let site = 0; site < sites; site++)
    for (let i = 0; i < DOMAINS_A_SITE; i++)
      routes.set(`d${site}-${i}.test`, {
        site: `s${site}.test`,
        via: "mx",
        hosts: [
          { name: `mx1.s${site}.test`, preference: 10, addresses: [`198.${site}.2.1`] },
          { name: `mx2.s${site}.test`, preference: 20, addresses: [`198.${site}.2.2`] },
        ],
        port: 25,
        tls: "opportunistic",
        implicitTls: false,
        login: null,
      });
  const domains = [...routes.keys()];
  const denied = new Set(domains.filter(() => random.roll() < faults().dnsRefused));

  const truthOf = (domain: string, freshUntil: number): Routing => {
    const route = routes.get(domain);
    if (denied.has(domain) || route === undefined)
      return { kind: "refused", enhanced: "5.1.2", text: "no such domain", freshUntil };
    const isStrict = random.roll() < faults().strictTls;
    return { kind: "route", route: isStrict ? strict(route) : route, freshUntil };
  };

  return {
    domains,
    denied,
    resolver(clock) {
      const cache = new Map<string, Routing>();
      return (domain) => {
        const kept = cache.get(domain);
        if (kept !== undefined && kept.kind !== "unknown" && kept.freshUntil > clock.monotonicMs())
          return kept;
        const { dnsUnknown, dnsSlow } = faults();
        const answer: Routing =
          isCut() || random.roll() < dnsUnknown
            ? { kind: "unknown", text: "the resolver is silent" }
            : truthOf(domain, clock.monotonicMs() + FRESH_MS);
        const delayMs = random.roll() < dnsSlow ? random.roll() * 10_000 : random.roll() * 50;
        return new Promise((resolve) => {
          clock.after(delayMs, () => {
            cache.set(domain, answer);
            resolve(answer);
          });
        });
      };
    },
  };
}

/** The same hosts, under an enforced policy of the domain. */
function strict(route: Route): Route {
  const { port, implicitTls, login } = route;
  const demand = { source: "mta-sts", mode: "enforce" } as const;
  const endpoint = { port, tls: "verify", implicitTls, login, demand } as const;
  return { ...route, hosts: route.hosts.map((host) => ({ ...host, endpoint })) };
}
