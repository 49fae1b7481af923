// In a thread that ends attempts, which is a sender as a rule: of all verdicts, those whose attempt is to be told as spans, together with
// the others of their transaction. They go to the door in small batches, and no more of them a second than it can make spans of: a site
// that refuses everything must not bury it.
import type { Clock, Timer } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { AttemptTrace, TracedRecipient } from "../mail/attemptTrace.ts";
import { unpackConversations } from "../mail/dialogue.ts";
import type { Job } from "../mail/job.ts";
import type { MessageId } from "../mail/id.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import type { Verdict } from "../mail/verdict.ts";
import { keptWhy, type KeptWhy, type Sampling } from "./sampling.ts";

export interface AttemptsDeps {
  readonly clock: Clock;
  readonly sampling: Sampling;
  /** `dropped`: attempts that there was no room for. */
  tell(attempts: readonly AttemptTrace[], dropped: number): void;
}

export interface Attempts {
  /** `cameAtMs`: when the job came, by the monotonic clock. */
  ended(verdict: EndedVerdict, job: EndedJob, cameAtMs: number): void;
  /** The share or the threshold is another one from now on. */
  configure(sampling: Sampling): void;
  /** Whatever waits is told. */
  flush(): void;
}

type EndedVerdict = Pick<Verdict, "message" | "n" | "kind" | "doubt" | "step" | "dialogue">;
type EndedJob = Pick<Job, "message" | "trace" | "priority" | "sizeBytes" | "lookup" | "recipients">;

/** Attempts that one sender tells in a second, and as many that failed; each is some ten spans. */
export const ATTEMPTS_PER_SECOND = 200;
/** Verdicts of one transaction come in one turn; nobody waits for spans, so that they may wait for company. */
const GATHER_MS = 50;
const GATHER_MAX = 64;
/** Messages whose failure did not count as an attempt, and is told all the same: what comes of them belongs to it. */
const TROUBLED_MAX = 5_000;

/** Without the wait for a connection, which is as long as the pace of the site wants it. */
function spentMs({ step, dialogue }: EndedVerdict): number {
  const talks = dialogue === undefined ? [] : unpackConversations(dialogue);
  const talkedMs = talks.map(({ exchanges }) =>
    Math.max(0, ...exchanges.map(({ sentMs, tookMs }) => sentMs + tookMs)),
  );
  const steps = unpackTimeline(step).map((one) => (one.kind === "attempt" ? one.durationMs : 0));
  return Math.max(
    ...steps,
    talkedMs.reduce((sum, ms) => sum + ms, 0),
  );
}

interface Open {
  readonly job: EndedJob;
  readonly cameAtMs: number;
  readonly recipients: TracedRecipient[];
  why: KeptWhy | undefined;
  dialogue: string;
  /** Of its last verdict, by the monotonic clock. */
  endedAtMs: number;
}

export function createAttempts(deps: AttemptsDeps): Attempts {
  const { clock } = deps;
  let { sampling } = deps;
  const troubled = new Set<MessageId>();
  let waiting: AttemptTrace[] = [];
  let dropped = 0;
  let open: Open | undefined;
  let timer: Timer | undefined;
  let second = 0;
  const told = { well: 0, failed: 0 };

  /** Callers who want all of their traces must not take the room of what went wrong. */
  const hasRoom = (why: KeptWhy): boolean => {
    const now = Math.floor(clock.monotonicMs() / 1000);
    if (now !== second) {
      second = now;
      told.well = told.failed = 0;
    }
    return ++told[why === "error" ? "failed" : "well"] <= ATTEMPTS_PER_SECOND;
  };

  const close = (): void => {
    if (open === undefined) return;
    const { job, recipients, why, cameAtMs, dialogue, endedAtMs } = open;
    open = undefined;
    if (why === undefined) return;
    if (!hasRoom(why)) {
      dropped++;
      return;
    }
    const epochMs = clock.now() - clock.monotonicMs();
    const { message, trace = null, priority, sizeBytes } = job;
    waiting.push({
      ...{ message, trace, why, priority, sizeBytes, recipients, dialogue },
      ...{ cameAt: epochMs + cameAtMs, endedAt: epochMs + endedAtMs },
      ...(job.lookup === undefined ? {} : { lookup: job.lookup }),
    });
  };

  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    close();
    if (waiting.length === 0 && dropped === 0) return;
    const [attempts, missed] = [waiting, dropped];
    waiting = [];
    dropped = 0;
    deps.tell(attempts, missed);
  };

  return {
    ended(verdict, job, cameAtMs) {
      const recipient = job.recipients.find(({ n }) => n === verdict.n);
      if (recipient === undefined || verdict.kind === "interrupted") return;
      const { message, trace = null } = job;
      const attempts = recipient.attempts + (troubled.size > 0 && troubled.has(message) ? 1 : 0);
      const endedAtMs = clock.monotonicMs();
      const waitedMs = endedAtMs - cameAtMs;
      const tookMs = waitedMs < sampling.slowMs ? waitedMs : spentMs(verdict);
      const why = keptWhy({ verdict, trace, attempts, tookMs }, sampling);
      if (why === "error" && verdict.kind === "deferred")
        keepNewest(troubled.add(message), TROUBLED_MAX);
      // Of most mail nothing is told, and nothing is made for it.
      if (why === undefined && job.recipients.length === 1) return;
      if (open?.job !== job) {
        close();
        open = { job, cameAtMs, endedAtMs, recipients: [], why: undefined, dialogue: "" };
      }
      open.endedAtMs = endedAtMs;
      const { n, address, claim } = recipient;
      const { step, dialogue = "" } = verdict;
      open.recipients.push({ n, address, claim, attempts: recipient.attempts, step });
      open.why = why === "error" ? why : (open.why ?? why);
      if (dialogue !== "") open.dialogue = dialogue;
      if (waiting.length >= GATHER_MAX) flush();
      else timer ??= clock.after(GATHER_MS, flush);
    },
    configure: (next) => void (sampling = next),
    flush,
  };
}
