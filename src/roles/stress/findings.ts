// The report of a load, made of what was counted: what adds up, what does not, and what the figures are worth.
import type { Accounting, DaemonFigures, StressReport } from "../../commands/stressReport.ts";
import type { StressRequest } from "../../commands/stressRequest.ts";
import type { Book, ClassCount, Counts } from "../../stress/book.ts";
import type { LoadFigures } from "../../stress/load.ts";
import type { Share } from "../../stress/mix.ts";
import type { QueueSums } from "./figures.ts";

/**
 * What the daemon says: of one of its own, what became of everything; of another, how much of this run it still has. Null: it was not
 * asked, or it is too much.
 */
export type Left = QueueSums | number | null;

export interface Findings {
  readonly request: StressRequest;
  readonly book: Book;
  readonly figures: LoadFigures;
  readonly left: Left;
  /** The daemon does not answer any more. */
  readonly isAway: boolean;
  /** Of a process of its own that ended; empty else. */
  readonly deadWords: string;
  readonly mix: readonly Share[];
  readonly notes: readonly string[];
  readonly drainMs: number;
  readonly generatorShare: number;
  readonly daemon: DaemonFigures | null;
}

/** A generator that is later than this with one request of a hundred measures itself. */
const OWN_LAG_MAX_MS = 10;
/** As much of what was measured may be the generator's. */
const OWN_SHARE_MAX = 0.25;
/** Above it, a closed loop may wait for its generator rather than for the daemon. */
const SHARE_MAX = 0.9;

export function reportOf(findings: Findings): StressReport {
  const { request, book, figures, left, isAway, daemon } = findings;
  const counts = book.counts();
  const accounting = request.follow && !isAway ? accountingOf(book, counts, left) : null;
  const problems = problemsOf(findings, accounting);
  const due = counts.started + figures.neverStarted;
  const missed = due - counts.accepted;
  const waiting = Math.max(0, book.unfinished() - counts.deferred);
  const lost = counts.failed + counts.deferred + waiting;
  return {
    object: "stress",
    valid: problems.length === 0,
    problems,
    notes: notesOf(findings, counts, accounting),
    ended_by: findings.deadWords === "" ? figures.endedBy : "daemon_ended",
    load: loadOf(findings),
    requests: {
      started: counts.started,
      never_started: figures.neverStarted,
      started_late: figures.startedLate,
      refused: counts.refused,
      unanswered: counts.unanswered,
      unsent: counts.unsent,
    },
    accepted: { count: counts.accepted, per_second: rate(counts.accepted, figures.elapsedMs) },
    delivered: request.follow
      ? {
          count: counts.delivered,
          per_second: rate(counts.delivered, book.deliveredWithinMs()),
          late: counts.deliveredLate,
          repeated: counts.repeated,
        }
      : null,
    accept: book.accepting(),
    accept_to_delivered: book.delivering(),
    failures: {
      at_accept_rate: share(missed, due),
      at_accept: [...book.acceptFailures(), ...classOf("never started", figures.neverStarted)],
      at_delivery_rate: request.follow ? share(lost, counts.accepted + counts.unseen) : 0,
      at_delivery: [...book.deliveryFailures(), ...classOf("queued, without an end yet", waiting)],
    },
    accounting,
    generator: {
      cpu_share: rounded(findings.generatorShare, 4),
      lag_p99_ms: rounded(figures.ownLagP99Ms, 3),
    },
    daemon,
  };
}

const rate = (count: number, elapsedMs: number): number =>
  elapsedMs > 0 ? rounded((count * 1000) / elapsedMs, 1) : 0;

const share = (part: number, whole: number): number => (whole > 0 ? rounded(part / whole, 6) : 0);

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function classOf(name: string, count: number): readonly ClassCount[] {
  return count > 0 ? [{ class: name, count }] : [];
}

function loadOf({ request, mix, figures, drainMs }: Findings): StressReport["load"] {
  const { pace } = request;
  return {
    kind: pace.kind,
    daemon: request.target === null ? "own" : "running",
    domain: request.domain,
    recipients: Object.fromEntries(mix.map(({ name, weight }) => [name, weight])),
    connections: pace.kind === "open" ? pace.connectionsMax : pace.clients,
    rate_per_second: pace.kind === "open" ? pace.perSecond : null,
    size_bytes: request.bodyBytes,
    priority: request.priority,
    elapsed_seconds: rounded(figures.elapsedMs / 1000, 3),
    drain_seconds: rounded(drainMs / 1000, 3),
  };
}

function accountingOf(book: Book, counts: Counts, left: Left): Accounting {
  const { accepted, unseen, unanswered, delivered, failed } = counts;
  if (left === null || typeof left === "number")
    return {
      ...{ accepted, unseen, delivered, failed, in_doubt: 0, queued: left },
      adds_up: left !== null && left === book.unfinished(),
    };
  // What the sink has taken and the daemon does not know of, since the reply was lost.
  const inDoubt = delivered - left.delivered;
  const sum = left.delivered + left.failed + left.queued;
  return {
    ...{ accepted, unseen: Math.max(0, sum - accepted) },
    ...{ delivered: left.delivered, failed: left.failed, queued: left.queued, in_doubt: inDoubt },
    adds_up:
      sum >= accepted &&
      sum <= accepted + unanswered &&
      inDoubt >= 0 &&
      inDoubt <= left.queued + left.failed,
  };
}

function problemsOf(findings: Findings, accounting: Accounting | null): string[] {
  const { figures, book, deadWords, isAway, request } = findings;
  const problems: string[] = [];
  if (deadWords !== "") problems.push(`it ended in the middle: ${deadWords}`);
  else if (isAway) problems.push("nobody answered any more");
  else if (figures.endedBy === "refused") problems.push("nothing was accepted");
  if (request.pace.kind === "open" && isLagging(figures, book))
    problems.push(
      `the generator could not keep up: it was ${figures.ownLagP99Ms.toFixed(0)} ms late with one request of a hundred`,
    );
  if (accounting !== null && accounting.queued !== null && !accounting.adds_up)
    problems.push("what was accepted is not what was delivered, failed or is queued");
  return problems;
}

/** Its lag is in all figures, and spoils them unless the daemon's own time is much more. */
function isLagging({ ownLagP99Ms }: LoadFigures, book: Book): boolean {
  const acceptP99Ms = book.accepting()?.p99_ms ?? 0;
  return ownLagP99Ms > OWN_LAG_MAX_MS && ownLagP99Ms > acceptP99Ms * OWN_SHARE_MAX;
}

function notesOf(
  { request, figures, generatorShare, notes }: Findings,
  counts: Counts,
  accounting: Accounting | null,
): string[] {
  const said = [...notes];
  if (request.pace.kind === "closed" && generatorShare > SHARE_MAX)
    said.push("the generator used a whole core: the daemon may do more than this");
  if (request.pace.kind === "open" && figures.startedLate > 0)
    said.push(
      `requests waited for one of ${request.pace.connectionsMax} connections; their waiting is in the figures`,
    );
  if (figures.neverStarted > 0)
    said.push("this daemon takes less than that rate: what never started is in no percentile");
  if (request.target === null && request.warmUpMs === 0)
    said.push("the daemon had just been started, and its first seconds are slow: see --warm-up");
  if (request.target !== null && request.follow)
    said.push(
      "its events were followed, which costs it CPU: --no-follow measures what it accepts without",
    );
  if (accounting?.queued === null)
    said.push("what is still queued was too much to be asked for: the sum is not checked");
  if (counts.repeated > 0) said.push("a message that is taken twice is marked in its timeline");
  return said;
}
