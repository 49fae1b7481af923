// In the door's thread: what is told of attempts and webhooks becomes spans on their way out. It remembers a little of each message, so
// that the beginning of a trace is told once and a wait knows what it waited for; nothing depends on it but how much a trace says.
import type { EpochMs } from "../base/clock.ts";
import type { AttemptTrace } from "../mail/attemptTrace.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { type AttemptStep, unpackTimeline } from "../mail/timeline.ts";
import type { Acceptances } from "./acceptances.ts";
import { acceptSpans } from "./acceptSpans.ts";
import { attemptSpans, type Before } from "./attemptSpans.ts";
import type { Span } from "./span.ts";
import { rootOf, type SpanRules } from "./spanRoot.ts";

export interface TracesDeps {
  rules(): SpanRules;
  readonly acceptances: Acceptances;
  /** Of what was accepted before, the beginning has been told by somebody else, or by nobody. */
  readonly startedAt: EpochMs;
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

/** Messages that are remembered. */
const MESSAGES_MAX = 5_000;

interface Remembered {
  /** By recipient. */
  readonly before: Map<number, Before>;
}

export function createTraces(deps: TracesDeps): Traces {
  const messages = new Map<MessageId, Remembered>();

  const remembered = (
    message: MessageId,
  ): { readonly one: Remembered; readonly isNew: boolean } => {
    const known = messages.get(message);
    if (known !== undefined) return { one: known, isNew: false };
    const one: Remembered = { before: new Map() };
    messages.set(message, one);
    if (messages.size > MESSAGES_MAX)
      for (const oldest of messages.keys()) {
        messages.delete(oldest);
        break;
      }
    return { one, isNew: true };
  };

  /** Its beginning has not been told: this is the first attempt, or those before it ended without a word. */
  const isFirst = ({ message, recipients }: AttemptTrace): boolean =>
    recipients.some(({ attempts }) => attempts === 0) || acceptedAtOf(message) >= deps.startedAt;

  const spansOf = (attempt: AttemptTrace): Span[] => {
    const { message, trace, recipients } = attempt;
    const rules = deps.rules();
    const root = rootOf(message, trace, rules.tag);
    const { one, isNew } = remembered(message);
    const acceptance = deps.acceptances.find(message);
    const before = one.before.get(recipients[0]?.n ?? 0);
    const beginning = isNew && isFirst(attempt) ? acceptSpans(attempt, root, acceptance) : [];
    for (const { n, step } of recipients) {
      const attempts = (one.before.get(n)?.attempts ?? 0) + 1;
      one.before.set(n, { attempts, endedAt: attempt.endedAt, class: troubleOf(step) });
    }
    return [...beginning, ...attemptSpans(attempt, root, rules, { acceptance, before })];
  };

  return {
    accepted(accepted) {
      const { message, trace } = accepted;
      if (!deps.hasRoom(true) || !remembered(message).isNew) return;
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
