// The shape of the queue: who waits, by site or by domain, and since when. Made for GET /queue/ages and `postrider queue stats`, as
// Postfix's qshape tells it.
import type { StateName } from "./state.ts";

/** Upper bounds of the columns, in minutes; a last column holds whatever is older. */
export const shapeBoundsMin: readonly number[] = [5, 10, 20, 40, 80, 160, 320, 640, 1280];

export interface ShapeFilter {
  readonly by: "site" | "domain";
  /** None: every state that is not final. */
  readonly state?: StateName;
  /** Rows. */
  readonly limit: number;
}

export interface ShapeRow {
  /** Empty: its domain has no route yet; `domain:` and a name: that domain is paused. */
  readonly name: string;
  readonly recipients: number;
  /** By the columns' bounds, and what is older at the end. */
  readonly ages: readonly number[];
}

export interface ShapeView {
  readonly object: "queue_ages";
  readonly by: ShapeFilter["by"];
  readonly state: StateName | null;
  readonly bounds_minutes: readonly number[];
  readonly total: ShapeRow;
  /** What has most comes first. */
  readonly data: readonly ShapeRow[];
  /** Rows beyond the limit. */
  readonly more: number;
  /** The numbers were reckoned from so many messages, since the queue is too long to look at each one; null: they are exact. */
  readonly sample: number | null;
}
