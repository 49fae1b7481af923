// The states of a recipient, in the order of their numbers in the database. What moves a recipient on: queue/lifecycle.ts.

export const recipientStates = [
  "scheduled",
  "queued",
  "held",
  "sending",
  "deferred",
  "delivered",
  "bounced",
  "expired",
  "canceled",
  "suppressed",
] as const;
export type StateName = (typeof recipientStates)[number];

/** The number of a state in the database: its place in `recipientStates`. */
export type StateNumber = number;

export const stateNumber = Object.fromEntries(
  recipientStates.map((name, i) => [name, i]),
) as Readonly<Record<StateName, StateNumber>>;

/** States from here on are final. */
export const FIRST_FINAL: StateNumber = stateNumber.delivered;

export function isFinal(state: StateName): boolean {
  return stateNumber[state] >= FIRST_FINAL;
}
