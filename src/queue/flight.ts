// What is with the senders at this moment: one flight a job. A verdict that finds no flight here, or another claim, belongs to a
// lost lease and changes nothing.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "../mail/id.ts";
import type { JobRecipient } from "../mail/job.ts";
import type { Priority } from "../mail/message.ts";
import type { Route } from "../route/route.ts";
import type { Leased } from "./settlement.ts";
import type { Site } from "./site.ts";

export interface Flight {
  readonly message: MessageId;
  readonly site: Site;
  readonly priority: Priority;
  /** Packed (mail/traceContext.ts), where its request came with one. */
  readonly trace: string | undefined;
  readonly acceptedAt: EpochMs;
  readonly expiresAt: EpochMs | null;
  /** Bytes held in memory for it: 0 for a spooled body. */
  readonly heldBytes: number;
  readonly recipients: JobRecipient[];
  /** By place in `recipients`; 0 once it is settled. */
  readonly claims: number[];
  /** Leases that are not settled. */
  open: number;
  /** Its outcome says whether a paused site is back. */
  readonly probe: boolean;
  readonly route: Route;
  readonly startedAtMono: number;
  /** Another job of the same message. */
  next: Flight | null;
}

export interface Flights {
  add(flight: Flight): void;
  /** One more recipient of the same message to the same place. */
  extend(flight: Flight, recipient: JobRecipient): void;
  /** The job that holds this lease. */
  find(message: MessageId, n: number, claim: number): Flight | undefined;
  /** All jobs of a message. */
  of(message: MessageId): readonly Flight[];
  /** Ends one lease of a flight, and the flight with its last one. */
  land(flight: Flight, place: number): void;
  /** Forgets a flight whose transaction did not stand or whose sender is gone. */
  remove(flight: Flight): void;
  /** Recipients with the senders. */
  leased(): number;
  bytes(): number;
  all(): Iterable<Flight>;
}

/** The place of a lease in a flight, -1 for none. */
export function placeOf(flight: Flight, n: number, claim: number): number {
  const { recipients, claims } = flight;
  for (let i = 0; i < claims.length; i++)
    if (claims[i] === claim && recipients[i]?.n === n) return i;
  return -1;
}

/** The leases of a flight that have no settled verdict. */
function* leasesOf(flight: Flight): Generator<Leased> {
  const { message, priority, acceptedAt, expiresAt, recipients, claims } = flight;
  for (const [place, { n, attempts }] of recipients.entries()) {
    const claim = claims[place] ?? 0;
    if (claim !== 0) yield { message, n, claim, attempts, priority, acceptedAt, expiresAt };
  }
}

/** What a thread that is gone had: its flights are forgotten. */
export function strandedWith(
  worker: number,
  flights: Pick<Flights, "all" | "remove">,
): readonly { readonly leased: Leased; readonly site: Site }[] {
  const stranded: { readonly leased: Leased; readonly site: Site }[] = [];
  for (const flight of [...flights.all()]) {
    const { site } = flight;
    if (site.worker !== worker) continue;
    for (const leased of leasesOf(flight)) stranded.push({ leased, site });
    flights.remove(flight);
    if (flight.probe) site.probing = false;
    site.starving = false;
  }
  return stranded;
}

export function createFlights(): Flights {
  const byMessage = new Map<MessageId, Flight>();
  let leased = 0;
  let bytes = 0;

  const unlink = (flight: Flight): void => {
    const first = byMessage.get(flight.message);
    if (first === flight) {
      if (flight.next === null) byMessage.delete(flight.message);
      else byMessage.set(flight.message, flight.next);
    } else {
      let at = first;
      while (at !== undefined && at.next !== flight) at = at.next ?? undefined;
      if (at === undefined) throw new Error(`flight of message ${flight.message} is unknown`);
      at.next = flight.next;
    }
    flight.next = null;
    flight.site.leasedBytes -= flight.heldBytes;
    bytes -= flight.heldBytes;
  };

  const drop = (flight: Flight, count: number): void => {
    flight.open -= count;
    flight.site.leased -= count;
    flight.site.leasedBy[flight.priority] -= count;
    leased -= count;
    if (flight.open === 0) unlink(flight);
  };

  return {
    add(flight) {
      flight.next = byMessage.get(flight.message) ?? null;
      byMessage.set(flight.message, flight);
      flight.site.leased += flight.open;
      flight.site.leasedBy[flight.priority] += flight.open;
      flight.site.leasedBytes += flight.heldBytes;
      leased += flight.open;
      bytes += flight.heldBytes;
    },
    extend(flight, recipient) {
      flight.recipients.push(recipient);
      flight.claims.push(recipient.claim);
      flight.open++;
      flight.site.leased++;
      flight.site.leasedBy[flight.priority]++;
      leased++;
    },
    find(message, n, claim) {
      let flight = byMessage.get(message) ?? null;
      while (flight !== null && placeOf(flight, n, claim) < 0) flight = flight.next;
      return flight ?? undefined;
    },
    of(message) {
      const found: Flight[] = [];
      for (let flight = byMessage.get(message) ?? null; flight !== null; flight = flight.next)
        found.push(flight);
      return found;
    },
    land(flight, place) {
      flight.claims[place] = 0;
      drop(flight, 1);
    },
    remove(flight) {
      flight.claims.fill(0);
      drop(flight, flight.open);
    },
    leased: () => leased,
    bytes: () => bytes,
    *all() {
      for (const first of byMessage.values())
        for (let flight: Flight | null = first; flight !== null; flight = flight.next) yield flight;
    },
  };
}
