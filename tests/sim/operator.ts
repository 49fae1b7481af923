// An operator who cancels, holds, pauses, flushes and retries at any moment, also while mail is on its way and while the daemon dies.
// Drawn from a seed of its own, so that a run without an operator is what it was.
import { seededRandom } from "../../src/base/random.ts";
import type { CommandAnswer, QueueVerb, Span } from "../../src/mail/command.ts";
import type { MessageId } from "../../src/mail/id.ts";
import type { Queue } from "../../src/queue/queue.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import type { SimClock } from "./time.ts";

export interface OperatorDeps {
  readonly seed: number;
  readonly clock: SimClock;
  readonly lastsMs: number;
  readonly domains: readonly string[];
  readonly queue: () => Queue | undefined;
  readonly store: () => QueueStore | undefined;
  readonly submitted: ReadonlyMap<MessageId, unknown>;
  /** Whatever watches how sites are paced must know. */
  readonly meddled: () => void;
  readonly trace: (text: string) => void;
  readonly violation: (text: string) => void;
}

export interface Operator {
  /** Undoes what would hold mail back for ever. */
  heal(): void;
}

const HOUR_MS = 3_600_000;
/** Of so many runs each has an operator. */
const RUNS_WITH = 0.4;
const VERBS_AN_HOUR_MAX = 120;
const AGAIN_MS = 5000;

export function createOperator(deps: OperatorDeps): Operator {
  const { clock, trace, violation } = deps;
  const { roll } = seededRandom(deps.seed ^ 0x0be7a70f);
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(roll() * items.length)];
  const busy = roll() < RUNS_WITH;
  const perHour = 1 + roll() * VERBS_AN_HOUR_MAX;

  const order = (verb: QueueVerb): void => {
    const queue = deps.queue();
    if (queue === undefined) return;
    deps.meddled();
    trace(`the operator: ${JSON.stringify(verb)}`);
    queue.order(verb, (answer) => {
      trace(`${verb.do} is ${answer.kind}`);
      if (verb.do === "queue.cancel") checkCancel(verb.message, answer);
    });
  };

  /** What was told as canceled is canceled, and nothing waits any more but what was past its dot, which the answer counts. */
  const checkCancel = (message: MessageId, answer: CommandAnswer): void => {
    if (answer.kind !== "done") return;
    const states =
      deps
        .store()
        ?.recipients(message)
        .map(({ state }) => state.at) ?? [];
    if (!states.includes("canceled")) violation(`${message} was told to be canceled, and is not`);
    const waits = states.filter((at) => at === "queued" || at === "deferred" || at === "held");
    const { unchanged } = answer.value as { readonly unchanged: number };
    if (waits.length > unchanged)
      violation(`${message} was canceled, and still is ${waits.join()}`);
  };

  const draw = (): QueueVerb | undefined => {
    const message = pick([...deps.submitted.keys()]);
    const name = pick(deps.domains);
    if (message === undefined || name === undefined) return undefined;
    const span: Span = pick([
      { by: "domain", name },
      { by: "site", name },
      { by: "all" },
    ] as const)!;
    const one = { by: "message", message } as const;
    const flushed = pick([one, { by: "domain", name }, { by: "all" }] as const)!;
    return pick<QueueVerb>([
      { do: "queue.cancel", message },
      { do: "queue.cancel", message },
      { do: "queue.retry", message },
      { do: "queue.retry", message },
      { do: "queue.hold", which: pick([one, span])! },
      { do: "queue.release", which: pick([one, span])! },
      { do: "queue.flush", which: flushed },
      { do: "queue.pause", span },
      { do: "queue.resume", span },
      { do: "queue.reschedule", message, dueAt: clock.now() + roll() * HOUR_MS },
      {
        do: "suppress.add",
        entries: [{ address: `R${Math.floor(roll() * 5)}@${name}`, reason: "" }],
      },
      { do: "suppress.remove", which: [0, 1, 2, 3, 4].map((i) => `r${i}@${name}`) },
    ]);
  };

  const act = (): void => {
    const waitMs = (-Math.log(1 - roll()) / perHour) * HOUR_MS;
    if (clock.monotonicMs() + waitMs >= deps.lastsMs) return;
    clock.after(waitMs, () => {
      const verb = draw();
      if (verb !== undefined) order(verb);
      act();
    });
  };
  if (busy) act();

  const heal = (): void => {
    if (!busy) return;
    const store = deps.store();
    const pauses = store?.pauses() ?? [];
    const held = store?.walk("held", { after: null, limit: 1 }) ?? [];
    for (const { kind, name } of pauses)
      order({ do: "queue.resume", span: kind === "all" ? { by: "all" } : { by: kind, name } });
    if (held.length > 0) order({ do: "queue.release", which: { by: "all" } });
    // A full disk or a death may have been in the way.
    if (store === undefined || pauses.length + held.length > 0) clock.after(AGAIN_MS, heal);
  };
  return { heal };
}
