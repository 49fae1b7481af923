// From a leased recipient to a job on its way. Jobs are collected while a transaction runs and leave only after its commit: nothing
// is sent on the strength of a lease that a crash could undo.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "../mail/id.ts";
import type { Job, JobRecipient, Lookup } from "../mail/job.ts";
import type { BodyPlace, DsnRequest, Priority } from "../mail/message.ts";
import { sameEndpoints, type Route } from "../route/route.ts";
import type { Instant } from "./duetime.ts";
import type { Flight, Flights } from "./flight.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Candidate } from "./routing.ts";
import type { Site } from "./site.ts";

/** What a sender thread gets. The body is null when it lies in the spool. */
export interface Dispatch {
  readonly job: Job;
  readonly route: Route;
  readonly body: Uint8Array | null;
}

/** One transaction of the queue, from its beginning to its commit. */
export interface Turn {
  readonly now: Instant;
  /** False while draining, while the disk is full and while our own line is down: everything waits in the store. */
  dispatching: boolean;
  /** Only because our own line is down. */
  readonly held: boolean;
  readonly leaseUntil: EpochMs;
  /** Recipients that may still be claimed. */
  claimsLeft: number;
  readonly flights: Flight[];
  readonly dispatches: Dispatch[];
  /** Sites whose lines were read. */
  readonly pumped: Site[];
  /** Claimed, and waiting for the DNS. */
  readonly asked: Candidate[];
  /** Final states that no sender's verdict brought. */
  readonly ended: ("bounced" | "expired" | "canceled" | "suppressed")[];
  /** New recipients that are never tried. */
  readonly barred: { readonly message: MessageId; readonly n: number }[];
  /** What follows the commit, besides. */
  readonly afterwards: (() => void)[];
  /** Leases that ended without a verdict. */
  lost: number;
  /** The last job of a claim, while further recipients of the same message may join it. */
  last: { readonly flight: Flight; readonly route: Route } | null;
}

export function newTurn(
  options: Pick<Turn, "now" | "dispatching" | "held" | "leaseUntil" | "claimsLeft">,
): Turn {
  return {
    ...options,
    flights: [],
    dispatches: [],
    pumped: [],
    asked: [],
    ended: [],
    barred: [],
    afterwards: [],
    lost: 0,
    last: null,
  };
}

export interface Launchable {
  readonly message: MessageId;
  readonly from: string;
  readonly priority: Priority;
  readonly acceptedAt: EpochMs;
  readonly expiresAt: EpochMs | null;
  readonly sizeBytes: number;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly dsn: DsnRequest | undefined;
  readonly trace: string | undefined;
  readonly lookup?: Lookup | undefined;
  readonly body: BodyPlace;
  /** Null: the bytes came straight from the door and need no check. */
  readonly sha256: string | null;
  readonly livesUntil: EpochMs;
}

/** Domains of one site may differ in their TLS policy: such recipients do not share a transaction. */
export function sameRoute(a: Route, b: Route): boolean {
  if (a === b) return true;
  if (a.source?.address !== b.source?.address) return false;
  if (a.site !== b.site || a.tls !== b.tls || a.port !== b.port || a.via !== b.via) return false;
  return sameEndpoints(a, b);
}

export function jobOf(message: Launchable, site: string, recipients: JobRecipient[]): Job {
  const { from, priority, sizeBytes, eightBit, utf8, dsn, trace, lookup, body } = message;
  const job = {
    message: message.message,
    from,
    recipients,
    priority,
    site,
    sizeBytes,
    eightBit,
    utf8,
    dsn,
    trace,
    lookup,
    expiresAt: message.livesUntil,
    body,
  };
  return message.sha256 === null ? job : { ...job, sha256: message.sha256 };
}

/** `recipients` is shared by the job and the flight, so that a job can still grow while its transaction runs. */
export function launch(
  flights: Flights,
  turn: Turn,
  message: Launchable,
  site: Site,
  route: Route,
  recipients: JobRecipient[],
  bytes: Uint8Array | null,
): Flight {
  const probe = site.level > 0;
  if (probe) site.probing = true;
  const claims: number[] = [];
  for (const recipient of recipients) claims.push(recipient.claim);
  const flight: Flight = {
    message: message.message,
    site,
    priority: message.priority,
    trace: message.trace,
    acceptedAt: message.acceptedAt,
    expiresAt: message.expiresAt,
    heldBytes: bytes === null ? 0 : bytes.length,
    recipients,
    claims,
    open: claims.length,
    probe,
    route,
    startedAtMono: turn.now.mono,
    next: null,
  };
  flights.add(flight);
  turn.flights.push(flight);
  turn.dispatches.push({ job: jobOf(message, site.name, recipients), route, body: bytes });
  return flight;
}

/** A paused site takes one job, and only when its pause is over; one that an operator stopped takes none. */
export function isOpen(site: Site, now: EpochMs): boolean {
  if (site.stopped || site.closedUntil > now) return false;
  return site.level === 0 || (site.pausedUntil <= now && !site.probing);
}

/**
 * A site's share of what is left of a common room (Choudhury and Hahne's dynamic threshold): a few busy sites may have much of it,
 * many have little each, and there is always some left for one that comes new. So a site that is slow holds up no other.
 */
const BYTES_SHARE = 1 / 2;
const WINDOW_SHARE = 1 / 4;

export function hasBytes(
  flights: Flights,
  policy: QueuePolicy,
  site: Site,
  sizeBytes: number,
): boolean {
  const left = policy.flightBytesMax - flights.bytes();
  // A site without any has its first one from a room of its own, or a few large bodies would stop all others.
  if (site.leased === 0) return flights.leased() === 0 || left + policy.flightBytesMax >= sizeBytes;
  return site.leasedBytes + sizeBytes <= left * BYTES_SHARE;
}

/** How many recipients of one site may be with its sender now. */
export function windowNow(flights: Flights, { windowMax, flightsMax }: QueuePolicy): number {
  const share = Math.floor((flightsMax - flights.leased()) * WINDOW_SHARE);
  return Math.max(1, Math.min(windowMax, share));
}

/** What each sender gets of a turn. */
export function byWorker({ flights, dispatches }: Turn): Dispatch[][] {
  const batches: Dispatch[][] = [];
  for (let i = 0; i < dispatches.length; i++) {
    const worker = flights[i]?.site.worker ?? 0;
    (batches[worker] ??= []).push(dispatches[i] as Dispatch);
  }
  return batches;
}
