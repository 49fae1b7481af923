// The load itself. A closed loop has so many clients that each wait for their answer before they ask again, so it slows down with the
// daemon. An open loop starts its requests on a schedule, whatever the answers are, and measures each from when it was to start: what a
// daemon that stands still does to those who would have come meanwhile is in the figures (no coordinated omission).
import type { Clock, Timer } from "../base/clock.ts";
import { createSpread } from "../base/spread.ts";
import type { Book } from "./book.ts";
import { type Client, createClient, type Outcome } from "./client.ts";
import type { Writer } from "./request.ts";
import type { Dial } from "./socket.ts";

export type Pace =
  | { readonly kind: "closed"; readonly clients: number }
  | { readonly kind: "open"; readonly perSecond: number; readonly connectionsMax: number };

export interface Plan {
  readonly pace: Pace;
  readonly countMax: number;
  readonly durationMs: number;
}

/** `refused`: nothing of what was sent was as it should be; `unreachable`: nobody answered for a while; `stopped`: by whoever runs it. */
export type EndReason = "count" | "time" | "stopped" | "refused" | "unreachable";

export interface LoadFigures {
  readonly endedBy: EndReason;
  /** From the first request to the last answer. */
  readonly elapsedMs: number;
  /** Of an open loop: what was to start and did not, since every connection was busy until the end. */
  readonly neverStarted: number;
  /** Of an open loop: what started late, since every connection was busy. */
  readonly startedLate: number;
  /** Of an open loop: how late the generator itself was, at the 99th percentile. */
  readonly ownLagP99Ms: number;
}

export interface Load {
  readonly done: Promise<LoadFigures>;
  /** No more requests; those that are open may end. A second time they may not. */
  stop(why: EndReason): void;
}

export interface LoadDeps {
  readonly clock: Clock;
  readonly dial: Dial;
  /** One for each connection. */
  readonly writer: () => Writer;
  readonly book: Pick<Book, "started" | "ended">;
}

/** A request without an answer for so long is given up. */
const ANSWER_MAX_MS = 30_000;
/** Nobody has answered for so long: the daemon is away. */
export const AWAY_MAX_MS = 3_000;
/** Starts that are later than this are told. */
const LATE_MS = 10;
const SWEEP_EVERY_MS = 500;
/** So many refusals and nothing else, which no waiting mends: a wrong key, or no daemon. */
const REFUSALS_MAX = 100;
/** A client of a closed loop comes again so long after a connection that failed. */
const AGAIN_MS = 500;
/** As long as it obeys Retry-After. */
const PATIENCE_MAX_MS = 10_000;

export function startLoad(plan: Plan, deps: LoadDeps): Load {
  const { clock, book } = deps;
  const startedAtMs = clock.monotonicMs();
  const finished = Promise.withResolvers<LoadFigures>();
  const clients = new Set<Client>();
  const open = new Map<Client, { readonly n: number; readonly fromMs: number }>();
  const timers = new Set<Timer>();
  let endedBy: EndReason | undefined;
  let lastAnswerAtMs = startedAtMs;
  let silentSinceMs: number | null = null;
  let refusals = 0;

  const finish = (): void => {
    if (endedBy === undefined || open.size > 0) return;
    for (const timer of timers) timer.cancel();
    for (const client of clients) client.close();
    const elapsedMs = lastAnswerAtMs - startedAtMs;
    finished.resolve({ endedBy, elapsedMs, ...pace.figures() });
  };
  const end = (why: EndReason): void => {
    if (endedBy !== undefined) return;
    endedBy = why;
    pace.ended();
    finish();
  };
  const later = (delayMs: number, run: () => void): void => {
    const timer = clock.after(delayMs, () => {
      timers.delete(timer);
      run();
    });
    timers.add(timer);
  };

  const heard = (client: Client, outcome: Outcome): void => {
    const asked = open.get(client);
    if (asked === undefined) return;
    open.delete(client);
    const nowMs = clock.monotonicMs();
    book.ended(asked.n, outcome, nowMs - asked.fromMs);
    if (outcome.kind === "answered") {
      lastAnswerAtMs = nowMs;
      silentSinceMs = null;
      refusals = isHopeless(outcome) && refusals >= 0 ? refusals + 1 : -1;
      if (refusals >= REFUSALS_MAX) end("refused");
    } else silentSinceMs ??= nowMs;
    if (endedBy === undefined) pace.free(client, outcome);
    else finish();
  };
  const connection = (): Client => {
    const client = createClient({ dial: deps.dial, write: deps.writer(), ended: heard });
    clients.add(client);
    return client;
  };
  const start = (client: Client, n: number, fromMs: number): void => {
    book.started(n);
    open.set(client, { n, fromMs });
    client.send(n, clock.monotonicMs());
  };
  const sweep = (): void => {
    const nowMs = clock.monotonicMs();
    for (const client of clients) client.giveUp(nowMs - ANSWER_MAX_MS);
    if (silentSinceMs !== null && nowMs - silentSinceMs >= AWAY_MAX_MS) end("unreachable");
    later(SWEEP_EVERY_MS, sweep);
  };

  const parts: PaceParts = { ...{ plan, clock, startedAtMs, connection, start, later, end } };
  const pace = plan.pace.kind === "closed" ? closedLoop(parts) : openLoop(parts, plan.pace);
  later(plan.durationMs, () => end("time"));
  later(SWEEP_EVERY_MS, sweep);
  pace.begin();
  return {
    done: finished.promise,
    stop(why) {
      if (endedBy === undefined) return end(why);
      for (const client of [...open.keys()]) client.giveUp(Infinity);
    },
  };
}

/** 429 and 503 may pass, and an acceptance shows that there is hope. */
function isHopeless(outcome: Outcome): boolean {
  if (outcome.kind !== "answered") return false;
  const { status } = outcome.reply;
  return status >= 300 && status !== 429 && status !== 503;
}

interface PaceParts {
  readonly plan: Plan;
  readonly clock: Clock;
  readonly startedAtMs: number;
  connection(): Client;
  start(client: Client, n: number, fromMs: number): void;
  later(delayMs: number, run: () => void): void;
  end(why: EndReason): void;
}

interface Pacing {
  begin(): void;
  free(client: Client, outcome: Outcome): void;
  /** No request starts any more. */
  ended(): void;
  figures(): Pick<LoadFigures, "neverStarted" | "startedLate" | "ownLagP99Ms">;
}

function closedLoop({ plan, clock, connection, start, later, end }: PaceParts): Pacing {
  const wanted = plan.pace.kind === "closed" ? plan.pace.clients : 0;
  let sent = 0;
  let isOver = false;
  const next = (client: Client): void => {
    if (isOver) return;
    if (sent >= plan.countMax) return end("count");
    start(client, sent++, clock.monotonicMs());
  };
  return {
    begin() {
      for (let i = 0; i < wanted && !isOver; i++) next(connection());
    },
    free(client, outcome) {
      const waitMs = waitOf(outcome);
      if (waitMs === 0) next(client);
      else later(waitMs, () => next(client));
    },
    ended: () => void (isOver = true),
    figures: () => ({ neverStarted: 0, startedLate: 0, ownLagP99Ms: 0 }),
  };
}

function waitOf(outcome: Outcome): number {
  if (outcome.kind !== "answered") return AGAIN_MS;
  return Math.min(PATIENCE_MAX_MS, (outcome.reply.retryAfterS ?? 0) * 1000);
}

function openLoop(
  { plan, clock, startedAtMs, connection, start, later, end }: PaceParts,
  { perSecond, connectionsMax }: Extract<Pace, { kind: "open" }>,
): Pacing {
  const stepMs = 1000 / perSecond;
  const total = Math.min(plan.countMax, Math.ceil(plan.durationMs / stepMs));
  const ownLag = createSpread();
  const idle: Client[] = [];
  let connections = 0;
  let due = 0;
  let next = 0;
  let startedLate = 0;
  /** What is below it and not started waits for a connection. */
  let blockedBelow = 0;
  let isOver = false;
  const instantOf = (n: number): number => startedAtMs + n * stepMs;
  const takeClient = (): Client | undefined => {
    const free = idle.pop();
    if (free !== undefined || connections >= connectionsMax) return free;
    connections++;
    return connection();
  };
  const startDue = (): void => {
    while (next < due && !isOver) {
      const client = takeClient();
      if (client === undefined) {
        blockedBelow = due;
        return;
      }
      const fromMs = instantOf(next);
      if (next < blockedBelow && clock.monotonicMs() - fromMs > LATE_MS) startedLate++;
      start(client, next++, fromMs);
    }
    if (next >= total) end(total < plan.countMax ? "time" : "count");
  };
  /** What is due by now, and how late that is seen. */
  const look = (): void => {
    const nowMs = clock.monotonicMs();
    while (due < total && instantOf(due) <= nowMs) ownLag.add(nowMs - instantOf(due++));
  };
  const tick = (): void => {
    if (isOver) return;
    look();
    startDue();
    if (due < total) later(Math.max(0, instantOf(due) - clock.monotonicMs()), tick);
  };
  return {
    begin: tick,
    free(client) {
      idle.push(client);
      startDue();
    },
    ended() {
      look();
      isOver = true;
    },
    figures: () => ({
      neverStarted: due - next,
      startedLate,
      ownLagP99Ms: ownLag.quantileMs(0.99) ?? 0,
    }),
  };
}
