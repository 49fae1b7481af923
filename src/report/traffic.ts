// What went through, in one line now and then: so that the journal shows when deliveries stopped, and whether there was anything to
// deliver. An idle daemon says nothing.
import type { Clock } from "../base/clock.ts";
import type { Log, LogFields } from "../base/log.ts";
import type { Sample } from "../base/meter.ts";
import { type Outcome, outcomeOf } from "./outcomes.ts";

const EVERY_MS = 5 * 60_000;

export interface Traffic {
  hear(samples: readonly Sample[]): void;
  /** Something turned: what went through before it is told apart. */
  split(): void;
  /** What the next line will say, as far as it is known; null: nothing is counted. */
  soFar(): LogFields | null;
  /** Off (the setting `metrics`) it says nothing: who counts nothing must not tell that nothing went. */
  turn(on: boolean): void;
  /** What is left to say, before the end. */
  close(): void;
}

/** A doubt is part of what became of the mail, and told by itself (`mail.doubt`). */
type Counts = Record<Exclude<Outcome, "doubtful">, number>;

const none: Counts = { accepted: 0, delivered: 0, deferred: 0, bounced: 0, expired: 0, refused: 0 };

export function createTraffic(deps: {
  readonly clock: Pick<Clock, "after" | "monotonicMs">;
  readonly log: Log;
  readonly on: boolean;
  readonly everyMs?: number;
}): Traffic {
  const { clock, log, everyMs = EVERY_MS } = deps;
  let { on } = deps;
  let counts = { ...none };
  let fromMs = clock.monotonicMs();
  /** Recipients by state and priority, and the age of the oldest by priority. */
  const waiting = new Map<string, number>();
  const oldest = new Map<string, number>();

  const waits = (): number => [...waiting.values()].reduce((all, one) => all + one, 0);

  const line = (): LogFields => ({
    for_s: Math.round((clock.monotonicMs() - fromMs) / 1000),
    ...counts,
    waiting: waits(),
    oldest_s: waits() === 0 ? 0 : Math.round(Math.max(0, ...oldest.values())),
  });

  const tell = (): void => {
    const isQuiet = waits() === 0 && Object.values(counts).every((count) => count === 0);
    if (on && !isQuiet) log("info", "daemon.traffic", line());
    counts = { ...none };
    fromMs = clock.monotonicMs();
  };
  const again = (): void => {
    tell();
    timer = clock.after(everyMs, again);
  };
  let timer = clock.after(everyMs, again);

  const count = (sample: Extract<Sample, { kind: "counter" }>): void => {
    const outcome = outcomeOf(sample);
    if (outcome !== undefined && outcome !== "doubtful") counts[outcome] += sample.delta;
  };

  return {
    soFar: () => (on ? line() : null),
    turn(next) {
      if (next === on) return;
      // What was counted until now is told, and what comes is counted from now on.
      tell();
      on = next;
    },
    split() {
      timer.cancel();
      again();
    },
    hear(samples) {
      for (const sample of samples) {
        const { name, labels } = sample;
        if (sample.kind === "counter") count(sample);
        else if (sample.kind !== "gauge") continue;
        else if (name === "postrider_queue_recipients")
          waiting.set(`${labels["state"]} ${labels["priority"]}`, sample.value);
        else if (name === "postrider_queue_oldest_age_seconds")
          oldest.set(String(labels["priority"]), sample.value);
      }
    },
    close() {
      timer.cancel();
      tell();
    },
  };
}
