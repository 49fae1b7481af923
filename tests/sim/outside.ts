// Everything beyond our own walls: the network, and a mail server for each site.
import type { Random } from "../../src/base/random.ts";
import { createNetwork, type Network } from "./network.ts";
import type { FaultRates, Plan } from "./plan.ts";
import { createServer, type Server, type ServerDeps } from "./server.ts";
import type { Tempers } from "./temper.ts";
import type { SimClock } from "./time.ts";

export interface OutsideDeps extends Pick<
  ServerDeps,
  "truth" | "violation" | "trace" | "contentOf" | "dot"
> {
  readonly clock: SimClock;
  readonly random: Random;
  readonly plan: Plan;
  readonly faults: () => FaultRates;
  readonly tempers: Tempers;
  readonly isCut: () => boolean;
}

const siteOf = (host: string): string => host.slice(host.indexOf(".") + 1);

export function createOutside(deps: OutsideDeps): Network {
  const { clock, random, plan, faults, violation } = deps;
  const servers = new Map<string, Server>();
  for (let i = 0; i < plan.sites; i++) {
    const site = `s${i}.test`;
    const temper = deps.tempers.of(i);
    servers.set(site, createServer({ ...deps, site, random, temper, now: clock.monotonicMs }));
  }
  return createNetwork({
    clock,
    random,
    latencyMs: plan.latencyMs,
    faults,
    isCut: deps.isCut,
    welcome({ host }, wire) {
      const server = servers.get(siteOf(host));
      if (server === undefined) throw new Error(`there is no server ${host}`);
      return server.welcome(wire);
    },
    holds({ host }, connections) {
      if (connections > plan.siteConnections)
        violation(`${host} has ${connections} connections of ${plan.siteConnections}`);
    },
  });
}
