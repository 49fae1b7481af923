// An operator's command on its way through the transactions. What concerns many recipients goes on from one transaction to the next,
// so that an accept never waits long behind it; each step is whole, so that a death between two of them leaves nothing half done.
import type { CommandAnswer } from "../mail/command.ts";
import type { Turn } from "./launch.ts";

export interface Task {
  /** Inside a transaction: changes the store, and nothing else. */
  run(turn: Turn): Stage;
  answer(answer: CommandAnswer): void;
}

export interface Stage {
  /** Once the transaction stands: what else has changed, and how it goes on. */
  committed(): Next;
}

/**
 * - an answer: it is done.
 * - `more`: another transaction is needed.
 * - `later`: the answer is given by somebody else, such as a sender's word.
 */
export type Next = CommandAnswer | "more" | "later";

/** Nothing was changed. */
export function refused(answer: CommandAnswer): Stage {
  return { committed: () => answer };
}

/** Tasks of one transaction. */
export const TASKS_A_TURN = 4;
