// Taking back what a sender has. It is told, cuts the session if the final dot has not been sent, and its verdict gives the lease back;
// only then does the recipient leave for good. What is past the dot is no longer ours to stop.
import type { MessageId } from "../mail/id.ts";
import type { Late } from "../mail/recall.ts";
import { isFinal } from "../mail/state.ts";
import type { Turn } from "./launch.ts";
import { after, eventOf, type RecipientState } from "./lifecycle.ts";
import { note } from "./settlement.ts";
import type { QueueStore, RecipientRow } from "./store.ts";

/** Where a withdrawn recipient goes. */
export type Aim = "canceled" | "held";

/** What became of the recipients of one message. */
export interface Outcome {
  moved: number;
  /** States in which the others are, by their number. */
  readonly stayed: Map<number, string>;
}

interface Withdrawal {
  readonly aim: Aim;
  readonly open: Set<number>;
  readonly outcome: Outcome;
  readonly answer: (outcome: Outcome) => void;
}

export interface Withdrawals {
  /** After the commit. `open`: those that are being sent. */
  begin(message: MessageId, withdrawal: Withdrawal): void;
  wants(message: MessageId): boolean;
  /** Inside a transaction: the lease has just ended in `state`. */
  landed(turn: Turn, message: MessageId, n: number, state: RecipientState): void;
  /** The sender's word: their final dot has been sent. */
  late(late: readonly Late[]): void;
}

export function createWithdrawals(store: Pick<QueueStore, "settle">): Withdrawals {
  const open = new Map<MessageId, Withdrawal[]>();

  const leave = (message: MessageId, one: Withdrawal, n: number, moved: boolean, state: string) => {
    if (!one.open.delete(n)) return;
    if (moved) one.outcome.moved++;
    else one.outcome.stayed.set(n, state);
    if (one.open.size > 0) return;
    const left = (open.get(message) ?? []).filter((other) => other !== one);
    if (left.length === 0) open.delete(message);
    else open.set(message, left);
    one.answer(one.outcome);
  };

  return {
    begin(message, withdrawal) {
      open.set(message, [...(open.get(message) ?? []), withdrawal]);
    },
    wants: (message) => open.has(message),
    landed(turn, message, n, state) {
      const wishes = open.get(message)?.filter((one) => one.open.has(n)) ?? [];
      if (wishes.length === 0) return;
      // Of several wishes the one that cannot be undone stands.
      const aim = wishes.some((one) => one.aim === "canceled") ? "canceled" : "held";
      const moved = !isFinal(state.at) && move(store, turn, { message, n, state, aim });
      const now = moved ? aim : state.at;
      turn.afterwards.push(() => {
        for (const one of wishes) leave(message, one, n, moved && one.aim === aim, now);
      });
    },
    late(late) {
      for (const { message, places } of late)
        for (const one of [...(open.get(message) ?? [])])
          for (const n of places) leave(message, one, n, false, "sending");
    },
  };
}

/** A waiting recipient is canceled or held; false when it was neither waiting nor held. */
export function move(
  store: Pick<QueueStore, "settle">,
  turn: Turn,
  moving: {
    readonly message: MessageId;
    readonly n: number;
    readonly state: RecipientState;
    readonly aim: Aim;
  },
): boolean {
  const { message, n, state, aim } = moving;
  const at = turn.now.wall;
  const next = after(state, aim === "held" ? { kind: "held" } : { kind: "canceled", at });
  if (next === null) return false;
  const step = note(at, aim, BY_OPERATOR);
  const settlement = { message, n, claim: null, next, step, event: eventOf[aim], at };
  if (!store.settle(settlement)) return false;
  if (aim === "canceled") turn.ended.push("canceled");
  return true;
}

export const BY_OPERATOR = "by the operator";

/** So many recipients are named in a refusal. */
const NAMED_MAX = 10;

/** Why none of them moved, for whoever asked for it. */
export function refusalOf(rows: readonly RecipientRow[], { stayed }: Outcome): string {
  const isAt = (n: number): string => {
    const state = stayed.get(n) ?? "gone";
    return `is ${state}${state === "sending" ? ", and its last octet has been sent" : ""}`;
  };
  const [first] = rows;
  if (first === undefined || new Set(stayed.values()).size === 1)
    return `It ${isAt(first?.n ?? 0)}.`;
  const named = rows.slice(0, NAMED_MAX).map(({ n, address }) => `${address} ${isAt(n)}`);
  const more = rows.length - named.length;
  return `${named.join("; ")}${more > 0 ? `; and ${more} more` : ""}.`;
}
