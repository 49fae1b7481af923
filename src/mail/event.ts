// The facts that are told outside. Names are Resend's where they exist (INTERFACE 4). The order gives their numbers in the database.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "./id.ts";

export const eventTypes = [
  "email.sent",
  "email.scheduled",
  "email.held",
  "email.attempted",
  "email.delivery_delayed",
  "email.delivered",
  "email.bounced",
  "email.failed",
  "email.suppressed",
  "email.canceled",
  "email.requeued",
  "email.complained",
] as const;
export type EventType = (typeof eventTypes)[number];

export const eventNumber = Object.fromEntries(eventTypes.map((name, i) => [name, i])) as Readonly<
  Record<EventType, number>
>;

/** The recipient number of an event that concerns the whole message, such as its acceptance. */
export const WHOLE_MESSAGE = -1;

/** A row of the event table; `step` is the place in the recipient's timeline that tells the rest, -1 for none. */
export interface EventRow {
  /** Without gaps; the id of the event outside. */
  readonly seq: number;
  readonly message: MessageId;
  readonly n: number;
  readonly type: EventType;
  readonly at: EpochMs;
  readonly step: number;
}
