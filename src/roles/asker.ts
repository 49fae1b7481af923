// The door's end of the wire to the reader: numbered questions, each answered once. The reader is one thread and every query is
// bounded, so a question that gets no answer in time means that the reader died; it is replaced and the question fails.
import type { Clock, Timer } from "../base/clock.ts";
import type { Answer, Query } from "../mail/query.ts";
import type { DoorToReader } from "./protocol.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const QUESTIONS_MAX = 1000;

export interface Asker {
  ask(query: Query): Promise<Answer>;
  answered(number: number, answer: Answer): void;
  /** The reader died: whatever is open gets no answer. */
  lost(): void;
}

export function createAsker(deps: {
  readonly clock: Clock;
  post(message: DoorToReader): void;
}): Asker {
  const open = new Map<number, { settle(answer: Answer): void; timer: Timer }>();
  let last = 0;
  const settle = (number: number, answer: Answer): void => {
    const question = open.get(number);
    if (question === undefined) return;
    open.delete(number);
    question.timer.cancel();
    question.settle(answer);
  };
  return {
    ask(query) {
      if (open.size >= QUESTIONS_MAX) return Promise.resolve({ kind: "busy" });
      const number = ++last;
      return new Promise((resolve) => {
        const timer = deps.clock.after(ANSWER_TIMEOUT_MS, () => settle(number, { kind: "busy" }));
        open.set(number, { settle: resolve, timer });
        deps.post({ say: "ask", number, query });
      });
    },
    answered: settle,
    lost: () => [...open.keys()].forEach((number) => settle(number, { kind: "busy" })),
  };
}
