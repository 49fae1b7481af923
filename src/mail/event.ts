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

// A row of an attempt is two events outside, the attempt and what came of it, so each row has two ids.

export const attemptIdOf = (seq: number): number => seq * 2;
/** The one id of a row that is no attempt. */
export const outcomeIdOf = (seq: number): number => seq * 2 + 1;
/** The last row of which an event with this id, or one before it, has been told to its end. */
export const rowBefore = (id: number): number => Math.max(0, Math.floor((id - 1) / 2));

/** A row of the event table; `step` is the place in the recipient's timeline that tells the rest, -1 for none. */
export interface EventRow {
  /** Without gaps. */
  readonly seq: number;
  readonly message: MessageId;
  readonly n: number;
  readonly type: EventType;
  readonly at: EpochMs;
  readonly step: number;
}
