// What an operator does to the queue, each verb as a task of one or more transactions (task.ts). State and event change together;
// whatever is told to senders or kept in memory follows the commit.
import { iso } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import { type CommandAnswer, done, type QueueVerb, type Span } from "../mail/command.ts";
import { acceptedAtOf, type MessageId, uuidOf } from "../mail/id.ts";
import type { Recall } from "../mail/recall.ts";
import { isFinal } from "../mail/state.ts";
import type { Turn } from "./launch.ts";
import { after, type RecipientState } from "./lifecycle.ts";
import type { Pauses } from "./pauses.ts";
import { pauseTask } from "./pauseVerbs.ts";
import type { QueuePolicy } from "./policy.ts";
import { note } from "./settlement.ts";
import type { Site, Sites } from "./site.ts";
import type { QueueStore, RecipientRow } from "./store.ts";
import { isSuppressed } from "./suppress.ts";
import { suppressTask } from "./suppressVerbs.ts";
import { noteDue } from "./window.ts";
import { refused, type Stage, type Task } from "./task.ts";
import {
  type Aim,
  BY_OPERATOR,
  move,
  type Outcome,
  refusalOf,
  type Withdrawals,
} from "./withdraw.ts";
import { createWalkTask, type Stride } from "./walk.ts";

export interface VerbDeps {
  readonly store: QueueStore;
  readonly sites: Sites;
  readonly pauses: Pauses;
  readonly withdrawals: Withdrawals;
  readonly policy: QueuePolicy;
  readonly expect: (site: Site) => void;
  /** After the commit: recipients became final or are owed again. */
  readonly recall: (recall: Recall) => void;
  readonly reopened: (recipients: number) => void;
  /** A site's backoff of our own is forgotten; `always`: also what its provider asked for. */
  readonly ease: (site: Site, always: boolean) => void;
}

export function taskOf(
  deps: VerbDeps,
  verb: QueueVerb,
  answer: (answer: CommandAnswer) => void,
): Task {
  switch (verb.do) {
    case "queue.cancel":
      return { answer, run: (turn) => withdraw(deps, turn, verb.message, "canceled", answer) };
    case "queue.retry":
      return { answer, run: (turn) => retry(deps, turn, verb.message) };
    case "queue.reschedule":
      return { answer, run: (turn) => reschedule(deps, turn, verb.message, verb.dueAt) };
    case "queue.hold":
      return verb.which.by === "message"
        ? holdOne(deps, verb.which.message, answer)
        : createWalkTask(deps.store, "waiting", strideOf(deps, verb.which, hold), answer);
    case "queue.release":
      return verb.which.by === "message"
        ? treatOne(deps, verb.which.message, release, answer)
        : createWalkTask(deps.store, "held", strideOf(deps, verb.which, release), answer);
    case "queue.flush":
      return verb.which.by === "message"
        ? treatOne(deps, verb.which.message, hurry, answer)
        : createWalkTask(deps.store, "waiting", strideOf(deps, verb.which, hurry), answer);
    case "queue.pause":
    case "queue.resume":
      return pauseTask(deps, verb, answer);
    case "suppress.add":
    case "suppress.remove":
    case "suppress.report":
      return suppressTask(deps, verb, answer);
    default:
      return unreachable(verb);
  }
}

const noMessage: CommandAnswer = {
  kind: "missing",
  detail: "There is no message with this id: it never was, or its history has been cleared.",
};

// -- one message

function withdraw(
  deps: VerbDeps,
  turn: Turn,
  message: MessageId,
  aim: Aim,
  answer: (answer: CommandAnswer) => void,
): Stage {
  const { store } = deps;
  const rows = store.recipients(message);
  if (rows.length === 0) return refused(noMessage);
  const outcome: Outcome = { moved: 0, stayed: new Map() };
  const sending = new Set<number>();
  for (const { n, state } of rows)
    if (state.at === "sending") sending.add(n);
    else if (state.at === aim) outcome.moved++;
    else if (move(store, turn, { message, n, state, aim })) outcome.moved++;
    else outcome.stayed.set(n, state.at);
  const finish = (final: Outcome): CommandAnswer => withdrawn(deps, rows, aim, final);
  return {
    committed() {
      if (sending.size === 0) return finish(outcome);
      const open = sending;
      const tell = (final: Outcome): void => answer(finish(final));
      deps.withdrawals.begin(message, { aim, open, outcome, answer: tell });
      deps.recall({ by: "message", message, cut: true });
      return "later";
    },
  };
}

function withdrawn(
  { store }: VerbDeps,
  rows: readonly RecipientRow[],
  aim: Aim,
  outcome: Outcome,
): CommandAnswer {
  const { moved, stayed } = outcome;
  if (moved === 0) {
    const name = aim === "canceled" ? "not_cancelable" : "conflict";
    return { kind: "conflict", name, detail: refusalOf(rows, outcome) };
  }
  const id = uuidOf(rows[0]?.message ?? 0, store.facts.tag);
  const recipients = rows.map(({ n, address }) => ({ address, status: stayed.get(n) ?? aim }));
  return done({ object: "email", id, [aim]: moved, unchanged: stayed.size, recipients });
}

function holdOne(
  deps: VerbDeps,
  message: MessageId,
  answer: (answer: CommandAnswer) => void,
): Task {
  return { answer, run: (turn) => withdraw(deps, turn, message, "held", answer) };
}

function retry(deps: VerbDeps, turn: Turn, message: MessageId): Stage {
  const { store, policy } = deps;
  const rows = store.recipients(message);
  if (rows.length === 0) return refused(noMessage);
  const { wall, due } = turn.now;
  const touched: RecipientRow[] = [];
  let reopened = 0;
  let waiting = 0;
  const barred: string[] = [];
  for (const row of rows) {
    if (row.state.at === "queued" || row.state.at === "deferred") waiting++;
    if (hasten(store, turn, row)) touched.push(row);
    if (row.state.at !== "bounced" && row.state.at !== "expired") continue;
    // It would end at once as suppressed, and its bytes with it.
    if (isSuppressed(store, row.address)) {
      barred.push(row.address);
      continue;
    }
    const expiresAt = wall + policy.retry[row.priority].lifetimeMs;
    const step = note(wall, "requeued", BY_OPERATOR);
    const reopening = { message, n: row.n, dueAt: due, expiresAt, step, at: wall };
    if (!store.reopen(reopening)) continue;
    reopened++;
    touched.push(row);
  }
  // What is due already needs nothing more.
  if (touched.length === 0 && waiting === 0)
    return refused({
      kind: "conflict",
      name: "not_retryable",
      detail:
        barred.length > 0
          ? `${barred[0]} gets no mail: take it off the list first (postrider suppress remove).`
          : `It is ${statesOf(rows)}. What waits can be tried at once, and what gave up while its bytes are kept.`,
    });
  return {
    committed() {
      deps.reopened(reopened);
      for (const { site, priority } of touched) wakeLine(deps, site, priority, due);
      const id = uuidOf(message, store.facts.tag);
      return done({ object: "email", id, requeued: reopened, hastened: touched.length - reopened });
    },
  };
}

function treatOne(
  deps: VerbDeps,
  message: MessageId,
  treat: Treat,
  answer: (answer: CommandAnswer) => void,
): Task {
  return {
    answer,
    run(turn) {
      const rows = deps.store.recipients(message);
      if (rows.length === 0) return refused(noMessage);
      const touched = rows.filter((row) => treat(deps.store, turn, row));
      return {
        committed() {
          for (const { site, priority } of touched) wakeLine(deps, site, priority, turn.now.due);
          return done({ object: "queue", recipients: touched.length });
        },
      };
    },
  };
}

function reschedule(deps: VerbDeps, turn: Turn, message: MessageId, dueAt: number): Stage {
  const { store } = deps;
  const rows = store.recipients(message);
  if (rows.length === 0) return refused(noMessage);
  const wasScheduled = store.scheduledAt(message) > acceptedAtOf(message);
  const owed = rows.filter(({ state }) => !isFinal(state.at));
  // The time is the message's, and its lifetime begins there: nothing of it may have been due yet.
  if (owed.length === 0 || !owed.every(({ state }) => waitsForTime(state, wasScheduled)))
    return refused({
      kind: "conflict",
      name: "not_cancelable",
      detail: `It is ${statesOf(rows)}. Only mail that has never been due can have another time.`,
    });
  const expiresAt = store.expiresAt(message);
  if (expiresAt !== null && dueAt >= expiresAt) {
    const limit = iso(expiresAt);
    const detail = `It would be released behind its own limit, which is ${limit}.`;
    return refused({ kind: "invalid", field: "scheduled_at", detail });
  }
  const { wall, due } = turn.now;
  // A named instant is carried over to due time, which may run ahead of the wall (duetime.ts).
  const next: RecipientState = { at: "scheduled", dueAt: Math.max(due, dueAt + due - wall) };
  const stillHeld = note(wall, "held", `still held; its time is ${iso(dueAt)} now`);
  store.reschedule(message, dueAt);
  for (const { n, state } of owed)
    store.settle({
      ...{ message, n, claim: null, at: wall },
      ...(state.at === "held"
        ? { next: state, step: stillHeld, event: "email.held" }
        : { next, step: null, event: "email.scheduled" }),
    });
  return {
    committed() {
      for (const { site, priority, state } of owed)
        if (state.at === "scheduled") wakeLine(deps, site, priority, next.dueAt);
      return done({ object: "email", id: uuidOf(message, store.facts.tag) });
    },
  };
}

function statesOf(rows: readonly RecipientRow[]): string {
  return [...new Set(rows.map(({ state }) => state.at))].join(", ");
}

/** It has never been due; one that is held is given its time when it is released. */
function waitsForTime(state: RecipientState, wasScheduled: boolean): boolean {
  return state.at === "scheduled" || (wasScheduled && state.at === "held" && state.attempts === 0);
}

// -- many

/** What a walk does to one recipient; true when it changed something. */
type Treat = (store: QueueStore, turn: Turn, row: WalkedRow) => boolean;
type WalkedRow = Pick<RecipientRow, "message" | "n" | "state">;

const hold: Treat = (store, turn, { message, n, state }) =>
  move(store, turn, { message, n, state, aim: "held" });

const release: Treat = (store, turn, { message, n, state }) => {
  const { wall, due } = turn.now;
  // The scheduled time is the sender's own: an operator who held what waits for it does not send it early.
  const scheduledAt = store.scheduledAt(message);
  const aheadMs = scheduledAt > acceptedAtOf(message) ? Math.max(0, scheduledAt - wall) : 0;
  const next = after(state, { kind: "released", dueAt: due + aheadMs, early: aheadMs > 0 });
  if (next === null) return false;
  const step = note(wall, "released", BY_OPERATOR);
  return store.settle({ message, n, claim: null, next, step, event: null, at: wall });
};

const hurry: Treat = (store, turn, row) => hasten(store, turn, row);

function strideOf(deps: VerbDeps, which: Span, treat: Treat): Stride {
  const { store, sites } = deps;
  return {
    which,
    // A site that no row ever named has nothing that waits.
    site: which.by === "site" ? (sites.find(which.name)?.id ?? -1) : null,
    treat: (turn, row) => treat(store, turn, row),
    treated(rows, dueAt) {
      for (const { site, priority } of rows) wakeLine(deps, site, priority, dueAt);
      if (treat !== hurry) return;
      for (const id of new Set(rows.map(({ site }) => site)))
        deps.ease(sites.numbered(id), which.by === "site");
    },
    // A site may be at rest although nothing of it was changed.
    begun() {
      const site = which.by === "site" ? sites.find(which.name) : undefined;
      if (treat === hurry && site !== undefined) deps.ease(site, true);
    },
  };
}

/** What waits for its next attempt is due now; a scheduled time is the sender's own and stays. */
function hasten(store: QueueStore, turn: Turn, { message, n, state }: WalkedRow): boolean {
  if (state.at !== "queued" && state.at !== "deferred") return false;
  if (state.dueAt <= turn.now.due) return false;
  const next: RecipientState = { ...state, dueAt: turn.now.due };
  return store.settle({
    ...{ message, n, claim: null, next, step: null, event: null, at: turn.now.wall },
  });
}

function wakeLine(
  { sites, expect }: VerbDeps,
  id: number,
  priority: RecipientRow["priority"],
  dueAt: number,
): void {
  const site = sites.numbered(id);
  noteDue(site, priority, dueAt);
  site.starving = false;
  expect(site);
}
