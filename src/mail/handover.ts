// What one sender has learned of a site and spent there, as it goes with the site to the next one: a limit must not begin anew because
// other threads are at work. Times are distances, since each thread has a monotonic clock of its own.

export interface Standing {
  /** How many connections may work, and how far it is to the next one. */
  readonly window: number;
  readonly gained: number;
  /** What the site was found to bear; null: not known. */
  readonly ceiling: number | null;
  /** For so much longer; and how long it held. */
  readonly ceilingLeftMs: number;
  readonly heldMs: number;
  /** Since it last answered as it should; null: never. */
  readonly servedAgoMs: number | null;
  /** What may be taken at once; null: all. */
  readonly connects: number | null;
  readonly messages: number | null;
}

/** A site that nothing connects the sender to any more. */
export interface Parted {
  readonly site: string;
  /** Null: nothing was done there. */
  readonly standing: Standing | null;
}
