// What ended, on its way into the store: verdicts of senders, leases that were lost, and leases that a dead process left.
import type { Deadlines } from "./deadlines.ts";
import type { DueTime } from "./duetime.ts";
import type { EpochMs } from "../base/clock.ts";
import { type WaitReason, withWaits } from "../mail/timeline.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Flight, Flights } from "./flight.ts";
import type { Hindrances } from "./hindrances.ts";
import type { Loss, Report } from "./inbox.ts";
import type { Turn } from "./launch.ts";
import { after, isWaiting, type RecipientState } from "./lifecycle.ts";
import type { Lulls } from "./lulls.ts";
import type { QueuePolicy } from "./policy.ts";
import { happeningOf, type Leased, lossOf, note, settlementOf } from "./settlement.ts";
import type { Site, Sites } from "./site.ts";
import type { Lease, QueueStore } from "./store.ts";
import type { Suppressing } from "./suppress.ts";
import { noteDue } from "./window.ts";

export interface SettlingDeps {
  readonly store: QueueStore;
  readonly sites: Sites;
  readonly flights: Flights;
  readonly policy: QueuePolicy;
  readonly dueTime: DueTime;
  readonly lulls: Lulls;
  readonly deadlines: Pick<Deadlines, "add">;
  readonly roll: () => number;
  readonly expect: (site: Site) => void;
  readonly suppressing: Suppressing;
  readonly hindrances: Pick<Hindrances, "during">;
  /** Told of what dead processes left, once all of it is taken back. */
  readonly recovered?: (recipients: number) => void;
}

/** All inside a transaction. */
export interface Settling {
  /** The state that the recipient is in now; null when its lease was lost before. */
  report(turn: Turn, report: Report): RecipientState | null;
  loss(turn: Turn, loss: Loss): void;
  /** Leases of earlier processes; true when there may be more. */
  orphans(turn: Turn): boolean;
  /** Leases that ran out: renewed while their sender lives or they are `grounded`, else lost. True when there may be more. */
  overdue(turn: Turn, grounded: ReadonlySet<number>): boolean;
}

const ORPHANS_A_TURN = 500;
/** Nobody asks why something took so little. */
const SENDER_WAIT_MIN_MS = 1000;

export function createSettling(deps: SettlingDeps): Settling {
  const { store, sites, flights, policy, deadlines, roll, expect } = deps;
  /** Recipients that dead processes had left in sending. */
  let orphaned = 0;

  const waitsAt = (site: Site, lane: Leased["priority"], state: RecipientState): void => {
    if (state.at !== "queued" && state.at !== "deferred") return;
    noteDue(site, lane, state.dueAt);
    expect(site);
  };

  const lose = (turn: Turn, { leased, site, text }: Loss): void => {
    const happening = lossOf(policy.retry, leased, turn.now, roll());
    const step = note(turn.now.wall, "released", text, true);
    const settlement = settlementOf(leased, happening, step, turn.now.wall, {
      site: sites.idOf(site),
    });
    if (!store.settle(settlement)) return;
    turn.lost++;
    deadlines.add(leased.message, leased.expiresAt);
    waitsAt(site, leased.priority, settlement.next);
  };

  /** Found in the store: nobody in this process knows more of it. */
  const loseFound = (turn: Turn, lease: Lease, text: string): void => {
    const expiresAt = store.expiresAt(lease.message);
    const leased: Leased = { ...lease, acceptedAt: 0, expiresAt };
    lose(turn, { leased, site: sites.numbered(lease.site), text });
  };

  return {
    report(turn, { verdict, flight, place, held }) {
      const { site, message, priority, acceptedAt, expiresAt } = flight;
      const recipient = flight.recipients[place];
      if (recipient === undefined) throw new Error("a verdict's place is outside of its flight");
      const { n, address, attempts } = recipient;
      const { claim } = verdict;
      const leased: Leased = { message, n, claim, attempts, priority, acceptedAt, expiresAt };
      const happening = happeningOf(leased, verdict, {
        policy: policy.retry,
        now: turn.now,
        roll: verdict.kind === "deferred" ? roll() : 0,
        pausedUntil: site.pausedUntil,
        lulls: deps.lulls,
        held,
      });
      const silent = verdict.kind === "interrupted" && !verdict.doubt;
      const step = silent ? null : stepOf(turn, flight, verdict, address);
      const waits = happening.kind === "deferred" || happening.kind === "returned";
      const siteId = waits ? sites.idOf(site) : undefined;
      const settlement = settlementOf(leased, happening, step, turn.now.wall, {
        site: siteId,
        dialogue: silent ? undefined : verdict.dialogue,
      });
      const told = held && happening.kind === "deferred";
      if (!store.settle(told ? { ...settlement, event: "email.held" } : settlement)) return null;
      if (verdict.suppress === true) deps.suppressing.bounced(verdict, address, turn.now.wall);
      if (isWaiting(settlement.next)) deadlines.add(message, expiresAt);
      if (waits) waitsAt(site, priority, settlement.next);
      return settlement.next;
    },
    loss: lose,
    orphans(turn) {
      const { claimBase } = store.facts;
      const found = store.leases({ claimMax: claimBase, now: 0, limit: ORPHANS_A_TURN });
      for (const lease of found) loseFound(turn, lease, "the process that had it ended");
      turn.afterwards.push(() => {
        orphaned += found.length;
        if (found.length < ORPHANS_A_TURN && orphaned > 0) deps.recovered?.(orphaned);
      });
      return found.length === ORPHANS_A_TURN;
    },
    overdue(turn, grounded) {
      const { wall, mono } = turn.now;
      const { claimBase } = store.facts;
      const found = store.leases({ claimMax: claimBase, now: wall, limit: ORPHANS_A_TURN });
      for (const lease of found) {
        const flight = flights.find(lease.message, lease.n, lease.claim);
        const flies = flight !== undefined && mono - flight.startedAtMono < policy.flightMaxMs;
        if (flies || grounded.has(lease.claim)) {
          renew(turn, lease);
          continue;
        }
        if (flight !== undefined) forget(flight);
        loseFound(turn, lease, "its sender did not answer");
      }
      return found.length === ORPHANS_A_TURN;
    },
  };

  /** With what kept it waiting before it was tried. */
  function stepOf({ now }: Turn, flight: Flight, { step }: Verdict, address: string): string {
    const { site, acceptedAt, startedAtMono } = flight;
    const flownMs = now.mono - startedAtMono;
    const leftAt = now.wall - Math.round(flownMs);
    const waits = deps.hindrances.during(site.name, address, acceptedAt, leftAt);
    const inSender = flownMs < SENDER_WAIT_MIN_MS ? undefined : waitInSender(step, leftAt);
    if (waits === undefined && inSender === undefined) return step;
    return withWaits(step, [...(waits ?? []), ...(inSender ?? [])]);
  }

  function forget(flight: Flight): void {
    const { site } = flight;
    flights.remove(flight);
    if (flight.probe) site.probing = false;
    site.starving = false;
    expect(site);
  }

  function renew(turn: Turn, lease: Lease): void {
    const { message, n, claim, attempts, leaseUntil } = lease;
    const next = after(
      { at: "sending", claim, leaseUntil, attempts },
      { kind: "renewed", leaseUntil: turn.leaseUntil },
    );
    if (next === null) return;
    store.settle({ message, n, claim, next, step: null, event: null, at: turn.now.wall });
  }
}

/** A job waits there for one of the connections that its site may have, or for the next message that its rate lets through. */
function waitInSender(step: string, leftAt: EpochMs): readonly WaitReason[] | undefined {
  // The second value of a packed step.
  const from = step.indexOf(",") + 1;
  const until = Number(step.slice(from, step.indexOf(",", from)));
  if (!(until - leftAt >= SENDER_WAIT_MIN_MS)) return undefined;
  return [{ from: leftAt, until, why: "it waited for a connection within the limits of its site" }];
}
