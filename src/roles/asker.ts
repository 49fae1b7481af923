// The door's end of a wire on which questions have answers: numbered, each answered once. Nothing that is asked takes long, so a
// question without an answer in its time means that the thread died or is stuck; it then gets the answer that says so.
import type { Clock, Timer } from "../base/clock.ts";

const ANSWER_TIMEOUT_MS = 10_000;
const QUESTIONS_MAX = 1000;

export interface Asker<Question, Reply> {
  ask(question: Question): Promise<Reply>;
  answered(number: number, reply: Reply): void;
  /** The thread died: whatever is open gets no answer. */
  lost(): void;
}

export function createAsker<Question, Reply>(deps: {
  readonly clock: Pick<Clock, "after">;
  post(number: number, question: Question): void;
  /** For a question that gets no other answer. */
  readonly busy: Reply;
  readonly timeoutMs?: number;
}): Asker<Question, Reply> {
  const { clock, busy, timeoutMs = ANSWER_TIMEOUT_MS } = deps;
  const open = new Map<number, { settle(reply: Reply): void; timer: Timer }>();
  let last = 0;
  const settle = (number: number, reply: Reply): void => {
    const question = open.get(number);
    if (question === undefined) return;
    open.delete(number);
    question.timer.cancel();
    question.settle(reply);
  };
  return {
    ask(question) {
      if (open.size >= QUESTIONS_MAX) return Promise.resolve(busy);
      const number = ++last;
      return new Promise((resolve) => {
        const timer = clock.after(timeoutMs, () => settle(number, busy));
        open.set(number, { settle: resolve, timer });
        deps.post(number, question);
      });
    },
    answered: settle,
    lost: () => [...open.keys()].forEach((number) => settle(number, busy)),
  };
}
