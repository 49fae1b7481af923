// New mail on its way into the store. What can leave at once is inserted already leased and its bytes go to the sender from memory;
// the rest waits in its site's line, or in the line of those that have no route yet.
import type { MessageId } from "../mail/id.ts";
import { domainOf, type Priority } from "../mail/message.ts";
import type { JobRecipient } from "../mail/job.ts";
import type { Submission } from "../mail/submission.ts";
import type { Route } from "../route/route.ts";
import { type Depart, isStranded } from "./departure.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Flights } from "./flight.ts";
import { hasBytes, launch, type Launchable, sameRoute, type Turn, windowNow } from "./launch.ts";
import { isWaiting, type RecipientState } from "./lifecycle.ts";
import { SINK_SITE } from "./outage.ts";
import type { QueuePolicy } from "./policy.ts";
import { expiryOf } from "./retry.ts";
import type { Routes } from "./routing.ts";
import type { Site, Sites } from "./site.ts";
import { type ClaimRequest, type NewRecipient, type QueueStore, UNROUTED } from "./store.ts";
import type { Suppressing } from "./suppress.ts";
import { isHungry, noteDue, roomOf } from "./window.ts";

export interface IntakeDeps {
  readonly store: QueueStore;
  readonly sites: Sites;
  readonly flights: Flights;
  readonly routes: Routes;
  readonly policy: QueuePolicy;
  /** Lines of paused domains. */
  readonly parked: () => ClaimRequest["parked"];
  readonly depart: Depart;
  /** For mail that must be encrypted. */
  readonly insist: (route: Route) => Route;
  readonly suppressing: Suppressing;
  readonly deadlines: Pick<Deadlines, "add">;
  /** Its line has changed. */
  readonly expect: (site: Site) => void;
}

/** Recipients of one message that leave together. */
interface Party {
  readonly site: Site;
  readonly route: Route;
  readonly recipients: JobRecipient[];
}

export interface Intake {
  /** Inside a transaction. */
  take(turn: Turn, submission: Submission): void;
}

export function createIntake({
  store,
  sites,
  flights,
  routes,
  policy,
  parked,
  depart,
  insist,
  suppressing,
  deadlines,
  expect,
}: IntakeDeps): Intake {
  const mayLeave = (turn: Turn, site: Site, lane: Priority, sizeBytes: number): boolean =>
    site.level === 0 &&
    !site.stopped &&
    site.closedUntil <= turn.now.due &&
    !isHungry(site, lane, turn.now.due) &&
    roomOf(site, lane, windowNow(flights, policy)) > 0 &&
    hasBytes(flights, policy, site, sizeBytes);

  const wait = (turn: Turn, site: Site, lane: Priority, dueAt: number): RecipientState => {
    const at = Math.max(dueAt, turn.now.due);
    noteDue(site, lane, at);
    expect(site);
    return { at: "queued", dueAt: at, attempts: 0 };
  };

  const join = (parties: Party[], site: Site, route: Route, recipient: JobRecipient): void => {
    for (const party of parties) {
      if (party.site !== site || !sameRoute(party.route, route)) continue;
      if (party.recipients.length >= policy.jobRecipientsMax) continue;
      party.recipients.push(recipient);
      return;
    }
    parties.push({ site, route, recipients: [recipient] });
  };

  /** Decides for one recipient, and adds it to a party when it leaves at once. */
  const admit = (
    turn: Turn,
    { head, body }: Submission,
    n: number,
    address: string,
    parties: Party[],
  ): NewRecipient => {
    const { due } = turn.now;
    const lane = head.priority;
    const line = parked()?.get(domainOf(address));
    if (line !== undefined) {
      const state = wait(turn, sites.numbered(line), lane, due);
      return { n, address, site: line, state };
    }
    const road = routes.roadOf(address, head.from, head.capture === true);
    const mayGo = turn.dispatching || (turn.held && road === SINK_SITE);
    const found = mayGo ? routes.known(road, due) : undefined;
    if (found === undefined) {
      const state = wait(turn, sites.unrouted, lane, routes.restsUntil(road));
      return { n, address, site: UNROUTED, state };
    }
    const site = sites.named(found.route.site);
    const id = sites.idOf(site);
    if (!mayLeave(turn, site, lane, body === null ? 0 : body.length))
      return { n, address, site: id, state: wait(turn, site, lane, due) };
    const asked = head.requireTls === true ? insist(found.route) : found.route;
    const route = depart(turn.now, site, asked, { message: head.id, from: head.from });
    if (typeof route === "number")
      return { n, address, site: id, state: wait(turn, site, lane, route) };
    // The dispatcher says why, in the timeline.
    if (isStranded(route)) return { n, address, site: id, state: wait(turn, site, lane, due) };
    const claim = store.nextClaim();
    join(parties, site, route, { n, address, claim, attempts: 0 });
    const state: RecipientState = {
      at: "sending",
      claim,
      leaseUntil: turn.leaseUntil,
      attempts: 0,
    };
    return { n, address, site: id, state };
  };

  /** On the list of those that get no mail: it is told, and the rest of the message goes out. */
  const bar = (turn: Turn, message: MessageId, n: number, address: string) => {
    const { wall } = turn.now;
    const step = suppressing.barOf(address, wall);
    if (step === undefined) return undefined;
    turn.barred.push({ message, n });
    turn.ended.push("suppressed");
    const state: RecipientState = { at: "suppressed", endedAt: wall, attempts: 0 };
    return { n, address, site: UNROUTED, state, step };
  };

  return {
    take(turn, given) {
      // What was taken while everything is captured stays so, whatever the settings say by the time that it is tried again.
      const submission = policy.capture ? captured(given) : given;
      const { head, body } = submission;
      const recipients: NewRecipient[] = [];
      const parties: Party[] = [];
      // A scheduled instant is carried over to due time, which may run ahead of the wall (duetime.ts).
      const dueAt = head.dueAt + turn.now.due - turn.now.wall;
      const barring = suppressing.isNeeded();
      if (head.dueAt > turn.now.wall) {
        noteDue(sites.unrouted, head.priority, dueAt);
        expect(sites.unrouted);
        for (let n = 0; n < head.recipients.length; n++) {
          const address = head.recipients[n] as string;
          const barred = barring ? bar(turn, head.id, n, address) : undefined;
          const state: RecipientState = { at: "scheduled", dueAt };
          recipients.push(barred ?? { n, address, site: UNROUTED, state });
        }
      } else {
        for (let n = 0; n < head.recipients.length; n++) {
          const address = head.recipients[n] as string;
          const barred = barring ? bar(turn, head.id, n, address) : undefined;
          recipients.push(barred ?? admit(turn, submission, n, address, parties));
        }
      }
      store.accept({ head, body, recipients });
      if (head.expiresAt !== null && recipients.some(({ state }) => isWaiting(state)))
        deadlines.add(head.id, head.expiresAt);
      if (parties.length === 0) return;
      const message = launchableOf(submission, policy);
      for (const { site, route, recipients: leaving } of parties)
        launch(flights, turn, message, site, route, leaving, body);
    },
  };
}

function captured({ head, body }: Submission): Submission {
  return { head: { ...head, capture: true }, body };
}

function launchableOf({ head, body }: Submission, policy: QueuePolicy): Launchable {
  return {
    message: head.id,
    from: head.from,
    priority: head.priority,
    acceptedAt: head.acceptedAt,
    expiresAt: head.expiresAt,
    sizeBytes: head.sizeBytes,
    eightBit: head.eightBit,
    utf8: head.utf8,
    dsn: head.dsn,
    trace: head.trace,
    body: head.body,
    sha256: body === null ? head.sha256 : null,
    livesUntil: expiryOf(policy.retry, head),
  };
}
