// The door's calls inside the transaction and after it: whether one came before is asked, noted and acted upon in one place, so that an
// idempotency key, its messages and their first events stand or fall together.
import type { AcceptAnswer, Submission } from "../mail/submission.ts";
import type { Admission } from "./admission.ts";
import { type Call, turnAway } from "./inbox.ts";
import type { Intake } from "./intake.ts";
import type { Turn } from "./launch.ts";
import type { QueueDeps } from "./queue.ts";
import type { KeptOnce, QueueStore } from "./store.ts";
import { placesOf } from "./suppress.ts";

const accepted: AcceptAnswer = { kind: "accepted" };

export interface AcceptingDeps {
  readonly store: Pick<QueueStore, "findOnce" | "noteOnce" | "suppressOnce">;
  readonly intake: Intake;
  readonly admission: Pick<Admission, "accepted">;
  readonly dropSpool: QueueDeps["dropSpool"];
  /** It is in the store now. */
  readonly taken: (submission: Submission) => void;
}

export interface Accepting {
  /** Inside a transaction: what is to be said of each call once it stands. */
  take(turn: Turn, calls: readonly Call[]): AcceptAnswer[];
  /** After the commit; returns how many messages were stored. */
  answer(calls: readonly Call[], answers: readonly AcceptAnswer[]): number;
}

export function createAccepting(deps: AcceptingDeps): Accepting {
  const { store, intake, admission, taken } = deps;
  const takeOne = (turn: Turn, { messages, once }: Call): AcceptAnswer => {
    if (once !== undefined) {
      // A call without messages only asks.
      const kept =
        messages.length === 0 ? store.findOnce(once.key) : store.noteOnce(once, turn.now.wall);
      if (kept !== undefined) return again(kept, once.request);
    }
    const barredBefore = turn.barred.length;
    for (const submission of messages) {
      intake.take(turn, submission);
      taken(submission);
    }
    if (turn.barred.length === barredBefore) return accepted;
    const suppressed = placesOf(messages, turn.barred.slice(barredBefore));
    if (once !== undefined) store.suppressOnce(once.key, suppressed);
    return { kind: "accepted", suppressed };
  };
  return {
    take: (turn, calls) => calls.map((call) => takeOne(turn, call)),
    answer(calls, answers) {
      let stored = 0;
      calls.forEach((call, i) => {
        const answer = answers[i] as AcceptAnswer;
        if (answer.kind !== "accepted") return turnAway(call, answer, deps);
        stored += call.messages.length;
        admission.accepted(call.messages);
        call.answer(answer);
      });
      return stored;
    },
  };
}

function again({ request, answer, suppressed }: KeptOnce, asked: string): AcceptAnswer {
  if (request !== asked) return { kind: "mismatch" };
  return { kind: "replayed", answer, ...(suppressed === undefined ? {} : { suppressed }) };
}
