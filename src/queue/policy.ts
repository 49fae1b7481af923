// The limits of the queue, each with a name. Defaults that a setting overrides are named in INTERFACE 2.
import { defaultRetry, type RetryPolicy } from "./retry.ts";

export interface QueuePolicy {
  readonly retry: RetryPolicy;
  /** Recipients that are not final. */
  readonly queueMessagesMax: number;
  readonly queueBytesMax: number;
  /** Mail is refused while the volume has less room than this. */
  readonly diskReserveBytes: number;
  /** Mail is refused while the write-ahead log is larger; below 256 MB by what is written between two looks. */
  readonly walBytesMax: number;
  /** Recipients of one site that may be with a sender; the rest waits in the store. */
  readonly windowMax: number;
  /** Bytes of bodies that are with the senders, over all sites; twice as many where each site has but one job. */
  readonly flightBytesMax: number;
  /** Recipients that are with the senders, over all sites, beyond one of each. */
  readonly flightsMax: number;
  /** RFC 5321 4.5.3.1.8 lets a server stop at 100. */
  readonly jobRecipientsMax: number;
  /** Recipients claimed in one transaction: bounds how long an accept waits for its commit. */
  readonly claimMax: number;
  /** Verdicts, messages and lost leases in one transaction. */
  readonly commitMax: number;
  /** How long verdicts wait for mail to share its commit with, and how many of them do not wait. */
  readonly reportWaitMs: number;
  readonly reportsMany: number;
  readonly leaseMs: number;
  /** A lease is renewed so long as its sender lives, but not for longer than this. */
  readonly flightMaxMs: number;
  /** After a full disk, how long until it is tried again. */
  readonly fullRetryMs: number;
  /** What a refused caller is told to wait. */
  readonly refusedRetryS: number;
  /** Claimed recipients that wait in memory for the DNS: over all domains, and of one domain. */
  readonly routingMax: number;
  readonly routingDomainMax: number;
  /** Nothing leaves the host, also what was accepted before it was said. */
  readonly capture: boolean;
  /** A mailbox that a server says is not there gets no more mail. */
  readonly suppressBounces: boolean;
}

const MEBIBYTE = 1024 * 1024;

export const defaultPolicy: QueuePolicy = {
  retry: defaultRetry,
  queueMessagesMax: 1_000_000,
  queueBytesMax: 20_000 * MEBIBYTE,
  diskReserveBytes: 512_000_000,
  walBytesMax: 192_000_000,
  windowMax: 1000,
  flightBytesMax: 64 * MEBIBYTE,
  flightsMax: 50_000,
  jobRecipientsMax: 100,
  claimMax: 256,
  commitMax: 2000,
  reportWaitMs: 4,
  reportsMany: 256,
  leaseMs: 3_600_000,
  flightMaxMs: 24 * 3_600_000,
  fullRetryMs: 1000,
  refusedRetryS: 5,
  routingMax: 2000,
  routingDomainMax: 64,
  capture: false,
  suppressBounces: true,
};
