// After the commit of a verdict: its lease ends, it is counted, and its site may take more.
import { isFinal } from "../mail/state.ts";
import type { Admission } from "./admission.ts";
import type { Alerts } from "./alerts.ts";
import type { Instant } from "./duetime.ts";
import type { Flights } from "./flight.ts";
import type { Report } from "./inbox.ts";
import type { RecipientState } from "./lifecycle.ts";
import type { Measure } from "./measure.ts";
import type { QueuePolicy } from "./policy.ts";
import { windowNow } from "./launch.ts";
import type { Site, Sites } from "./site.ts";
import type { Telling } from "./telling.ts";
import { wantsRefill } from "./window.ts";

export interface LandingDeps {
  readonly sites: Pick<Sites, "takeCrowded">;
  readonly flights: Flights;
  readonly policy: QueuePolicy;
  readonly measure: Measure;
  readonly admission: Admission;
  readonly alerts: Alerts;
  readonly telling: Telling;
  readonly expect: (site: Site) => void;
}

export interface Landing {
  /** `settled`: the state after each report, null where the lease had been lost. */
  land(reports: readonly Report[], settled: readonly (RecipientState | null)[], now: Instant): void;
}

export function createLanding(deps: LandingDeps): Landing {
  const { sites, flights, policy, measure, admission, alerts, telling, expect } = deps;

  const count = ({ flight, verdict }: Report, state: RecipientState, now: Instant): void => {
    measure.verdict(flight.site.name, verdict);
    if (verdict.alert !== undefined) alerts.raise(flight.site.name, verdict, now.mono);
    if (!isFinal(state.at)) return;
    admission.ended(1);
    if (state.at === "delivered") {
      measure.ended("delivered");
      measure.delivered(flight, now.wall - flight.acceptedAt);
    } else if (state.at === "bounced" || state.at === "expired") measure.ended(state.at);
  };

  return {
    land(reports, settled, now) {
      for (let i = 0; i < reports.length; i++) {
        const report = reports[i];
        const state = settled[i];
        if (report === undefined || state === undefined) continue;
        const { verdict, flight, place } = report;
        if (flight.claims[place] === verdict.claim) flights.land(flight, place);
        if (state !== null) {
          count(report, state, now);
          telling.tell(report, state);
        }
        const { site } = flight;
        if (!site.starving || !wantsRefill(site, windowNow(flights, policy))) continue;
        site.starving = false;
        expect(site);
      }
      for (let left = reports.length; left > 0; left--) {
        const site = sites.takeCrowded();
        if (site === undefined) break;
        expect(site);
        if (site.starving) break;
      }
    },
  };
}
