// Who waits for our own line, as far as it is told or acted upon one by one: the timelines of some say why, and who asked for a time of
// its own expires at that time even while nothing is sent.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "../mail/id.ts";
import type { MessageHead } from "../mail/message.ts";
import { createHeap } from "./heap.ts";
import type { Turn } from "./launch.ts";
import { after } from "./lifecycle.ts";
import { note } from "./settlement.ts";
import type { QueueStore, Walked, WalkPlace } from "./store.ts";

export interface Waits {
  begin(): void;
  end(): void;
  /** Mail that came in meanwhile. */
  admitted(head: MessageHead): void;
  hasWork(mono: number): boolean;
  /** Inside a transaction. */
  run(turn: Turn, why: string): void;
  nextAtMono(): number;
}

/** Recipients of one outage whose timeline says that they are held. */
const TOLD_MAX = 1000;
/** Recipients that expire on time while it lasts; the others when it is over. */
const EXPIRING_MAX = 10_000;
const A_TURN = 200;
/** How far what waits is looked through. */
const WALKED_MAX = 100_000;

interface Expiring {
  readonly message: MessageId;
  readonly n: number;
}

export function createWaits(store: QueueStore): Waits {
  let told = 0;
  let walked = 0;
  /** Undefined: the walk is over. */
  let place: WalkPlace | null | undefined;
  let fresh: { message: MessageId; n: number }[] = [];
  const expiring = createHeap<Expiring>();
  let expiries = 0;
  let nextAtMono = Infinity;

  const clear = (): void => {
    place = undefined;
    fresh = [];
    while (expiring.pop() !== undefined);
    expiries = 0;
    nextAtMono = Infinity;
  };

  const expireLater = (message: MessageId, n: number, expiresAt: EpochMs | null): void => {
    if (expiresAt === null || expiries >= EXPIRING_MAX) return;
    expiries++;
    expiring.push(expiresAt, { message, n });
  };

  const tell = (turn: Turn, one: Pick<Walked, "message" | "n" | "state">, why: string): void => {
    told++;
    const { message, n, state } = one;
    const { wall } = turn.now;
    const step = note(wall, "held", why);
    store.settle({ message, n, claim: null, next: state, step, event: "email.held", at: wall });
  };

  const walk = (turn: Turn, why: string): void => {
    if (place === undefined) return;
    const rows = store.walk("waiting", { after: place, limit: A_TURN });
    walked += rows.length;
    for (const row of rows) {
      expireLater(row.message, row.n, row.expiresAt);
      if (told < TOLD_MAX && row.dueAt <= turn.now.due) tell(turn, row, why);
    }
    place = rows.length < A_TURN || walked >= WALKED_MAX ? undefined : rows.at(-1);
  };

  const tellFresh = (turn: Turn, why: string): void => {
    for (const { message, n } of fresh.splice(0, A_TURN)) {
      const state = store.recipients(message)[n]?.state;
      if (state?.at === "queued") tell(turn, { message, n, state }, why);
    }
  };

  const expire = (turn: Turn): void => {
    const { wall, mono } = turn.now;
    for (let count = 0; count < A_TURN && expiring.earliest() <= wall; count++) {
      const one = expiring.pop();
      if (one === undefined) break;
      expiries--;
      const { message, n } = one;
      const state = store.recipients(message)[n]?.state;
      if (state === undefined || state.at === "sending") continue;
      const next = after(state, { kind: "expired", at: wall, counted: false });
      if (next === null) continue;
      const step = note(wall, "expired", "4.4.7 not delivered by the time that its sender set");
      const event = "email.failed";
      if (store.settle({ message, n, claim: null, next, step, event, at: wall }))
        turn.ended.push("expired");
    }
    nextAtMono = mono + Math.max(1, expiring.earliest() - wall);
  };

  return {
    begin() {
      clear();
      told = 0;
      walked = 0;
      place = null;
    },
    end: clear,
    admitted({ id, recipients, expiresAt }) {
      for (let n = 0; n < recipients.length; n++) {
        expireLater(id, n, expiresAt);
        if (told + fresh.length < TOLD_MAX) fresh.push({ message: id, n });
      }
    },
    hasWork: (mono) => place !== undefined || fresh.length > 0 || mono >= nextAtMono,
    run(turn, why) {
      walk(turn, why);
      tellFresh(turn, why);
      expire(turn);
    },
    nextAtMono: () => nextAtMono,
  };
}
