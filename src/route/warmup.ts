// How much mail a new address may send to one provider in a day. Providers trust an address by what it sent in the last weeks, so it
// begins small and climbs a rung after each day that used at least half of its cap: an idle day earns no trust. Pure.

/**
 * Recipients a day at one provider, the ramp that senders' services publish for a dedicated address (SendGrid's and Adcrux's guides
 * begin at 50 to 200 and reach 100,000 after ten or eleven days). Past the last rung the address is warm.
 */
export const ladder: readonly number[] = [
  50, 100, 500, 1_000, 5_000, 10_000, 20_000, 40_000, 70_000, 100_000,
];

/** What is known of one address at one provider. Days are counted from 1970, in UTC. */
export interface Warmth {
  readonly firstDay: number;
  /** The day of `sent` and `heard`. */
  readonly day: number;
  /** Place on the ladder; its length: warm. */
  readonly rung: number;
  /** What counts against the cap: never less than what left. */
  readonly sent: number;
  /** What earns trust: of those that left, the ones that a server is known to have heard of. */
  readonly heard: number;
}

/** Reputation systems forget after 30 days without mail, says the same guide: then it begins anew. */
const FORGOTTEN_DAYS = 30;

export const coldOn = (day: number): Warmth => ({
  firstDay: day,
  day,
  rung: 0,
  sent: 0,
  heard: 0,
});

export function capOf({ rung }: Warmth, steps = ladder): number {
  return steps[rung] ?? Infinity;
}

/** The day has earned the next rung. */
export function isEarned(warmth: Warmth, steps = ladder): boolean {
  return warmth.rung < steps.length && warmth.heard * 2 >= capOf(warmth, steps);
}

/** The same at the beginning of `day`. A clock that was set back changes nothing, or a cap could be used twice. */
export function onDay(warmth: Warmth, day: number, steps = ladder): Warmth {
  if (day <= warmth.day) return warmth;
  if (day - warmth.day > FORGOTTEN_DAYS) return coldOn(day);
  const rung = warmth.rung + (isEarned(warmth, steps) ? 1 : 0);
  return { ...warmth, day, rung, sent: 0, heard: 0 };
}
