// The numbers that delivery is tuned by. Each is a limit with a name; the defaults are INTERFACE 2's.
import type { DialoguesKept } from "../mail/dialogue.ts";
import type { Priority } from "../mail/message.ts";
import type { LimitSettings } from "../route/limits.ts";
import { rfcDeadlines, type Deadlines } from "../smtp/phases.ts";

/** Further tries within an attempt, after pauses that double. */
export interface Rounds {
  readonly times: number;
  readonly firstMs: number;
}

export interface DeliverSettings extends LimitSettings {
  /** Our name for EHLO. */
  readonly helo: string;
  /** Open connections of this sender, all sites together. */
  readonly maxConnections: number;
  /** How many connections may work at an unknown site before it has shown that it bears more. */
  readonly startConnections: number;
  /** How long a connection waits for more mail. Many servers close after 10 s and more. */
  readonly idleMs: number;
  readonly connectMs: number;
  /**
   * Addresses that one attempt tries, or a dead destination would hold its place for an hour. RFC 5321 5.1 wants two at least, Postfix
   * stops at five (smtp_mx_address_limit).
   */
  readonly attemptAddresses: number;
  /** All addresses of one attempt together, until one of them is ready for mail. */
  readonly openingMs: number;
  readonly deadlines: Deadlines;
  /** After network errors at all addresses, by the most urgent job that waits; all rounds together are one attempt. */
  readonly rounds: Readonly<Record<Priority, Rounds>>;
  /**
   * The next message's MAIL, RCPT and DATA travel in one write with the dot before them, as RFC 2920 3.1 allows: half the system
   * calls and half the round trips.
   */
  readonly sendAhead: boolean;
  /** Which dialogues are written down for the timeline. */
  readonly dialogues: DialoguesKept;
}

export const deliverDefaults: DeliverSettings = {
  helo: "localhost",
  maxConnections: 1000,
  startConnections: 2,
  siteConnections: 10,
  relayConnections: 20,
  connectRate: { count: 100, perMs: 60_000 },
  messageRate: null,
  connectionMessages: 100,
  // RFC 5321 4.5.3.1.8 lets every server refuse more.
  transactionRecipients: 100,
  sites: {},
  idleMs: 5_000,
  connectMs: 30_000,
  attemptAddresses: 5,
  openingMs: 900_000,
  deadlines: rfcDeadlines,
  rounds: {
    0: { times: 5, firstMs: 50 },
    1: { times: 3, firstMs: 200 },
    2: { times: 1, firstMs: 1_000 },
  },
  sendAhead: true,
  dialogues: "all",
};

const PAUSE_MAX_MS = 3_000;
const JITTER = 0.15;

/** Before another look at all addresses; `round` counts those before it. */
export function roundPauseMs({ firstMs }: Rounds, round: number, roll: number): number {
  return Math.min(PAUSE_MAX_MS, firstMs * 2 ** round) * (1 + JITTER * roll);
}
