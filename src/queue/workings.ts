// The parts of the engine, each made with what it needs of the others.
import type { EpochMs } from "../base/clock.ts";
import type { SurveyView } from "../mail/explain.ts";
import type { Recall } from "../mail/recall.ts";
import { createInsist } from "../route/insist.ts";
import type { Routing } from "../route/route.ts";
import { createAccepting } from "./accepting.ts";
import { createAdmission } from "./admission.ts";
import { createAlerts } from "./alerts.ts";
import { createDeadlines } from "./deadlines.ts";
import { createDepart } from "./departure.ts";
import { createDispatcher } from "./dispatch.ts";
import type { DueTime } from "./duetime.ts";
import { createFlights } from "./flight.ts";
import { createIntake } from "./intake.ts";
import { createLanding } from "./landing.ts";
import { lookAt, survey } from "./look.ts";
import { createLookout } from "./lookout.ts";
import { createHindrances } from "./hindrances.ts";
import { createLearn, restWords } from "./learning.ts";
import type { Lulls } from "./lulls.ts";
import { createMeasure } from "./measure.ts";
import { createOutage } from "./outage.ts";
import { createMoves } from "./moves.ts";
import { workersOf } from "./orders.ts";
import { forgive } from "./pace.ts";
import type { Queue, QueueDeps } from "./queue.ts";
import { createPauses } from "./pauses.ts";
import { createPlacing } from "./placing.ts";
import { createRests } from "./rests.ts";
import { type Candidate, createRoutes } from "./routing.ts";
import { createSettling } from "./settling.ts";
import { createSites, type Site, type Sites } from "./site.ts";
import { createSuppressing } from "./suppress.ts";
import { createTelling } from "./telling.ts";
import { createWaits } from "./waits.ts";
import { createWithdrawals } from "./withdraw.ts";

export interface Hooks {
  readonly dueTime: DueTime;
  readonly lulls: Lulls;
  /** Due time as the present turn has it. */
  readonly dueNow: () => EpochMs;
  readonly found: (candidates: readonly Candidate[], routing: Routing) => void;
  /** A cycle of the engine, soon. */
  readonly schedule: () => void;
}

export type Workings = ReturnType<typeof createWorkings>;

export function createWorkings(deps: QueueDeps, hooks: Hooks) {
  const { dueTime, lulls, dueNow, found, schedule } = hooks;
  const { store, policy, log, routeFor, clock, meter, signs } = deps;
  const { roll } = deps.random;
  const measure = createMeasure(deps.meter, store);
  const admission = createAdmission(store, policy, log, deps.depths);
  const hindrances = createHindrances();
  const pauses = createPauses(store, hindrances);
  const withdrawals = createWithdrawals(store);
  const sites = createSites(store, pauses.stopsLine);
  const flights = createFlights();
  const { ownRelays } = deps;
  const routes = createRoutes({ clock, routeFor, policy, onFound: found, ownRelays });
  const routing = routes.waiting;
  const expect = createLookout({ sites, flights, policy, dueNow, routing });
  const { parked } = pauses;
  const depart = createDepart(deps.sources);
  const insist = createInsist();
  const waits = createWaits(store);
  const outage = createOutage({
    ...{ sites, lulls, waits, hindrances, meter, log, signs, expect, schedule },
    eased: (site) => eased(site),
    askAnew: routes.askAnew,
    onChange: deps.onUplink ?? (() => {}),
  });
  const telling = createTelling(log, deps.logs ?? (() => false), store.facts.tag);
  const deadlines = createDeadlines(store, lulls, { ...telling, untried: deps.untried });
  const alerts = createAlerts(log);
  const rests = createRests(store, sites, (site) => {
    measure.paused(site, true);
    hindrances.begin(`site:${site}`, restWords(sites.named(site).rule), clock.now());
  });
  const eased = (site: string): void => {
    measure.paused(site, false);
    hindrances.end(`site:${site}`, clock.now());
  };
  /** What our own patience decided is forgotten; what a provider asked for only when the site itself was named. */
  const ease = (site: Site, always: boolean): void => {
    if (site.level === 0 && site.streak === 0) return;
    if (!always && site.rule !== "") return;
    if (site.rule !== "") rests.changed();
    forgive(site);
    eased(site.name);
    expect(site);
  };
  const recall = (what: Recall): void => {
    for (const worker of workersOf(what, flights)) deps.recall(worker, what);
  };
  const reopen = (): void => {
    for (const site of sites.all()) {
      if (site.closedUntil === 0) continue;
      site.closedUntil = 0;
      expect(site);
    }
  };
  const { reopened } = admission;
  const kept = { store, sites, flights, routes, lulls, deadlines };
  const suppressing = createSuppressing(store, policy, telling.suppressed);
  const shared = { ...kept, policy, dueTime, roll, expect, parked, depart, insist, suppressing };
  const placing = createPlacing({
    ...shared,
    held: outage.holds,
    untried: deps.untried,
    bodyMissing: ({ message }) => log("error", "queue.body_missing", { message }),
  });
  return {
    looks: looksAt(sites, () => alerts.recent(clock.monotonicMs())),
    measure,
    admission,
    sites,
    flights,
    routes,
    pauses,
    withdrawals,
    expect,
    recall,
    reopen,
    moves: createMoves({ ...deps, sites, pauses, expect }),
    forOrders: { store, sites, pauses, withdrawals, policy, expect, recall, reopened, ease },
    deadlines,
    outage,
    rests,
    learn: createLearn({ outage, measure, hindrances, log, roll, expect, rested: rests.changed }),
    landing: createLanding({ ...shared, measure, admission, alerts, telling }),
    accepting: createAccepting({
      ...{ store, admission, intake: createIntake(shared), dropSpool: deps.dropSpool },
      taken: ({ head }) => void (outage.holds() && waits.admitted(head)),
    }),
    placing,
    settling: createSettling({ ...shared, hindrances, recovered: telling.recovered }),
    dispatcher: createDispatcher({ ...shared, placing }),
  };
}

function looksAt(sites: Sites, alerts: () => SurveyView["alerts"]): Pick<Queue, "look" | "survey"> {
  return {
    look: (name) => lookAt(sites.find(name)),
    survey: (names) => ({ sites: survey(sites, names), alerts: alerts() }),
  };
}
