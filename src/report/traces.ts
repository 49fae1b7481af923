// In the door's thread: what is told of attempts and webhooks becomes spans on their way out. It remembers a little of each message, so
// that the beginning of a trace is told once and a wait knows what it waited for; nothing depends on it but how much a trace says.
import { keepNewest } from "../base/keepNewest.ts";
import type { AttemptTrace } from "../mail/attemptTrace.ts";
import type { MessageId } from "../mail/id.ts";
import { type AttemptStep, unpackTimeline } from "../mail/timeline.ts";
import type { Acceptance, Acceptances } from "./acceptances.ts";
import { acceptSpans } from "./acceptSpans.ts";
import { attemptSpans, type Before } from "./attemptSpans.ts";
import type { Span } from "./span.ts";
import { type Root, rootOf, type SpanRules } from "./spanRoot.ts";

export interface TracesDeps {
  rules(): SpanRules;
  readonly acceptances: Acceptances;
  /** False: there is no room for more spans. */
  hasRoom(isTrouble: boolean): boolean;
  add(spans: readonly Span[]): void;
  /** Attempts of which no span was made. */
  dropped(attempts: number): void;
}

export interface Traces {
  /** It was accepted slowly: the beginning is told, whatever comes of it. */
  accepted(message: AcceptedSlowly): void;
  heard(attempts: readonly AttemptTrace[], dropped: number): void;
}

export type AcceptedSlowly = Pick<AttemptTrace, "message" | "trace" | "priority" | "sizeBytes">;

/** Messages whose beginning is known to have been told. */
const TOLD_MAX = 50_000;
/** Recipients whose last attempt is remembered. */
const BEFORE_MAX = 10_000;

export function createTraces(deps: TracesDeps): Traces {
  const told = new Set<MessageId>();
  const before = new Map<string, Before>();

  /** This is the first attempt, or those before it ended without a word while its acceptance is still known. */
  const beginningOf = (
    attempt: AttemptTrace,
    root: Root,
    known: Acceptance | undefined,
  ): Span[] => {
    const { message, recipients } = attempt;
    if (told.has(message)) return [];
    keepNewest(told.add(message), TOLD_MAX);
    const isFirst = known !== undefined || recipients.some(({ attempts }) => attempts === 0);
    return isFirst ? acceptSpans(attempt, root, known) : [];
  };

  const spansOf = (attempt: AttemptTrace): Span[] => {
    const { message, trace, recipients, endedAt } = attempt;
    const rules = deps.rules();
    const root = rootOf(message, trace, rules.tag);
    const acceptance = deps.acceptances.find(message);
    const known = { acceptance, before: before.get(`${message} ${recipients[0]?.n ?? 0}`) };
    for (const { n, step } of recipients) {
      const key = `${message} ${n}`;
      const attempts = (before.get(key)?.attempts ?? 0) + 1;
      keepNewest(before.set(key, { attempts, endedAt, class: troubleOf(step) }), BEFORE_MAX);
    }
    return [
      ...beginningOf(attempt, root, acceptance),
      ...attemptSpans(attempt, root, rules, known),
    ];
  };

  return {
    accepted(accepted) {
      const { message, trace } = accepted;
      if (!deps.hasRoom(true) || told.has(message)) return;
      keepNewest(told.add(message), TOLD_MAX);
      const root = rootOf(message, trace, deps.rules().tag);
      deps.add(acceptSpans(accepted, root, deps.acceptances.find(message)));
    },
    heard(attempts, dropped) {
      let missed = dropped;
      for (const attempt of attempts) {
        if (deps.hasRoom(attempt.why === "error")) deps.add(spansOf(attempt));
        else missed++;
      }
      if (missed > 0) deps.dropped(missed);
    },
  };
}

function troubleOf(step: string): string {
  const [attempt] = unpackTimeline(step).filter(
    (one): one is AttemptStep => one.kind === "attempt",
  );
  return attempt?.class ?? "other";
}
