// Giving back what the queue wants back: what waits for a connection at once, and a running session so long as the final dot of its
// message has not been sent. A session is cut by closing its connection: there is no other way to leave a message unsent.
import { isRecalled, type Late, type Recall } from "../mail/recall.ts";
import type { Trial, Work } from "./attempt.ts";
import type { Link } from "./open.ts";
import type { Group } from "./site.ts";

export interface Recallable {
  readonly groups: ReadonlyMap<string, Pick<Group, "lanes">>;
  readonly ahead: ReadonlyMap<Link, Trial>;
  /** What each busy connection works on. */
  readonly working: ReadonlyMap<Link, Work>;
  interrupted(work: Work, why: string): void;
}

export const RECALLED = "it was taken back by the operator";

export function recallFrom(state: Recallable, recall: Recall): Late[] {
  for (const { lanes } of state.groups.values())
    for (const work of lanes.takeWhere(({ job }) => isRecalled(recall, job)))
      state.interrupted(work, RECALLED);
  // Its commands left with the dot of another message: closing the connection now would leave that one in doubt.
  for (const { work } of state.ahead.values())
    if (isRecalled(recall, work.job)) work.recalled = true;
  return recall.cut ? cut(state, recall) : [];
}

function cut({ working }: Recallable, recall: Recall): Late[] {
  const late: Late[] = [];
  for (const [link, work] of [...working]) {
    const { job, left, trying = left } = work;
    if (!isRecalled(recall, job)) continue;
    // What it has for a further transaction, or another connection, can still be stopped.
    work.recalled = true;
    if (link.talk.pastDot()) late.push({ message: job.message, places: trying.map(({ n }) => n) });
    else link.talk.close("stopped", RECALLED);
  }
  return late;
}
