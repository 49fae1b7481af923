// What arrived since the last commit. Everything in it goes into the next transaction; what a full disk refused stays here, since a
// verdict that is not written would be sent again.
import type { AcceptAnswer, Once, Submission } from "../mail/submission.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Routing } from "../route/route.ts";
import type { Flight } from "./flight.ts";
import type { QueueDeps } from "./queue.ts";
import type { Leased } from "./settlement.ts";
import type { Candidate } from "./routing.ts";
import type { Site } from "./site.ts";
import type { Refused } from "./admission.ts";
import { type Task, TASKS_A_TURN } from "./task.ts";

export interface Call {
  readonly messages: readonly Submission[];
  readonly answer: (answer: AcceptAnswer) => void;
  /** Its idempotency key; undefined for none. */
  readonly once: Once | undefined;
}

/** A verdict with the lease that it settles. */
export interface Report {
  readonly verdict: Verdict;
  readonly flight: Flight;
  readonly place: number;
  /** It failed since our own line is down. */
  readonly held: boolean;
}

export interface Loss {
  readonly leased: Leased;
  readonly site: Site;
  readonly text: string;
}

export interface Resolved {
  readonly candidate: Candidate;
  /** Null: given back without an answer. */
  readonly routing: Routing | null;
}

export interface Inbox {
  calls: Call[];
  reports: Report[];
  losses: Loss[];
  resolved: Resolved[];
  tasks: Task[];
}

export const emptyInbox = (): Inbox => ({
  calls: [],
  reports: [],
  losses: [],
  resolved: [],
  tasks: [],
});

/** Nothing that holds a lease, or that must be written before one may start anew. */
export function isSettled({ reports, losses, resolved }: Inbox): boolean {
  return reports.length === 0 && losses.length === 0 && resolved.length === 0;
}

/** So many calls share a transaction whenever they wait together. */
const CALLS_TOGETHER = 32;

/** Of more only half: who is answered first comes again while the others are written, so that neither thread waits for the other. */
function callsAtOnce(waiting: number): number {
  return Math.max(CALLS_TOGETHER, Math.ceil(waiting / 2));
}

/**
 * Takes at most `max` of each kind, and leaves the rest for the next transaction. Losses come behind all verdicts: what a dead sender
 * had said of a lease counts.
 */
export function takeFrom(inbox: Inbox, max: number): Inbox {
  const take = <T>(items: T[], most = max): [T[], T[]] =>
    items.length <= most ? [items, []] : [items.slice(0, most), items.slice(most)];
  const [calls, callsLeft] = take(inbox.calls, Math.min(max, callsAtOnce(inbox.calls.length)));
  const [reports, reportsLeft] = take(inbox.reports);
  const [losses, lossesLeft] = reportsLeft.length > 0 ? [[], inbox.losses] : take(inbox.losses);
  const [resolved, resolvedLeft] = take(inbox.resolved);
  const tasks = inbox.tasks.splice(0, TASKS_A_TURN);
  inbox.calls = callsLeft;
  inbox.reports = reportsLeft;
  inbox.losses = lossesLeft;
  inbox.resolved = resolvedLeft;
  return { calls, reports, losses, resolved, tasks };
}

export function refuse(
  call: Call,
  refused: Refused,
  deps: Pick<QueueDeps, "dropSpool" | "policy">,
): void {
  const retryAfterS = deps.policy.refusedRetryS;
  turnAway(call, { kind: "refused", ...refused, retryAfterS }, deps);
}

/** Nothing of the call is stored, so its spool files go too. */
export function turnAway(
  call: Call,
  answer: AcceptAnswer,
  deps: Pick<QueueDeps, "dropSpool">,
): void {
  const files = call.messages.flatMap(({ head }) =>
    head.body.kind === "spool" ? [head.body.file] : [],
  );
  if (files.length > 0) deps.dropSpool(files);
  call.answer(answer);
}
