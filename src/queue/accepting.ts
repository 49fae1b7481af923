// A call of the door inside the transaction: whether it came before is asked, noted and acted upon in one place, so that a key, its
// messages and their first events stand or fall together.
import type { AcceptAnswer, Submission } from "../mail/submission.ts";
import type { Call } from "./inbox.ts";
import type { Intake } from "./intake.ts";
import type { Turn } from "./launch.ts";
import type { KeptOnce, QueueStore } from "./store.ts";

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
    for (const submission of messages) {
      intake.take(turn, submission);
      taken(submission);
    }
    return accepted;
  };
}

function again({ request, answer, suppressed }: KeptOnce, asked: string): AcceptAnswer {
  if (request !== asked) return { kind: "mismatch" };
  return { kind: "replayed", answer, ...(suppressed === undefined ? {} : { suppressed }) };
}
