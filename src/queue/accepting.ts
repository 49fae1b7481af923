// A call of the door inside the transaction: whether it came before is asked, noted and acted upon in one place, so that a key, its
// messages and their first events stand or fall together.
import type { AcceptAnswer, Submission } from "../mail/submission.ts";
import type { Call } from "./inbox.ts";
import type { Intake } from "./intake.ts";
import type { Turn } from "./launch.ts";
import type { KeptOnce, QueueStore } from "./store.ts";
import { placesOf } from "./suppress.ts";

const accepted: AcceptAnswer = { kind: "accepted" };

export interface AcceptingDeps {
  readonly store: Pick<QueueStore, "findOnce" | "noteOnce" | "suppressOnce">;
  readonly intake: Intake;
  /** It is in the store now. */
  readonly taken: (submission: Submission) => void;
}

/** Inside a transaction; what comes back is said after its commit. */
export type TakeCall = (turn: Turn, call: Call) => AcceptAnswer;

export function createAccepting({ store, intake, taken }: AcceptingDeps): TakeCall {
  return function takeCall(turn, { messages, once }) {
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
}

function again({ request, answer, suppressed }: KeptOnce, asked: string): AcceptAnswer {
  if (request !== asked) return { kind: "mismatch" };
  return { kind: "replayed", answer, ...(suppressed === undefined ? {} : { suppressed }) };
}
