// The parts of the engine, each made with what it needs of the others.
import type { EpochMs } from "../base/clock.ts";
import type { Routing } from "../route/route.ts";
import { createAdmission } from "./admission.ts";
import { createDispatcher } from "./dispatch.ts";
import type { DueTime } from "./duetime.ts";
import { createFlights } from "./flight.ts";
import { createIntake } from "./intake.ts";
import { createLanding } from "./landing.ts";
import { createLookout } from "./lookout.ts";
import { createMeasure } from "./measure.ts";
import type { QueueDeps } from "./queue.ts";
import { createPauses } from "./pauses.ts";
import { type Candidate, createRoutes } from "./routing.ts";
import { createSettling } from "./settling.ts";
import { createSites } from "./site.ts";
import { createWithdrawals } from "./withdraw.ts";

export interface Hooks {
  readonly dueTime: DueTime;
  /** Due time as the present turn has it. */
  readonly dueNow: () => EpochMs;
  readonly found: (candidates: readonly Candidate[], routing: Routing) => void;
}

export function createWorkings(deps: QueueDeps, { dueTime, dueNow, found }: Hooks) {
  const { store, policy, log, routeFor } = deps;
  const { roll } = deps.random;
  const measure = createMeasure(deps.meter, store);
  const admission = createAdmission(store, policy, log);
  const pauses = createPauses(store);
  const withdrawals = createWithdrawals(store);
  const sites = createSites(store, deps.workers, pauses.stopsLine);
  const flights = createFlights();
  const routes = createRoutes({ routeFor, policy, onFound: found });
  const routing = routes.waiting;
  const expect = createLookout({ sites, flights, policy, dueNow, routing });
  const { parked } = pauses;
  const shared = { store, sites, flights, routes, policy, dueTime, roll, expect, parked };
  return {
    measure,
    admission,
    sites,
    flights,
    routes,
    pauses,
    withdrawals,
    expect,
    landing: createLanding({ flights, policy, measure, admission, expect }),
    intake: createIntake(shared),
    settling: createSettling(shared),
    dispatcher: createDispatcher({
      ...shared,
      bodyMissing: ({ message }) => log("error", "queue.body_missing", { message }),
    }),
  };
}
