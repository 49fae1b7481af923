// Who waits for our own line, as far as it is told one by one: the timelines of some say why.
import type { MessageId } from "../mail/id.ts";
import type { MessageHead } from "../mail/message.ts";
import type { Turn } from "./launch.ts";
import { note } from "./settlement.ts";
import type { QueueStore, Walked, WalkPlace } from "./store.ts";

export interface Waits {
  begin(): void;
  end(): void;
  /** Mail that came in meanwhile. */
  admitted(head: MessageHead): void;
  hasWork(): boolean;
  /** Inside a transaction. */
  run(turn: Turn, why: string): void;
}

/** Recipients of one outage whose timeline says that they are held. */
const TOLD_MAX = 1000;
const A_TURN = 200;
/** How far what waits is looked through. */
const WALKED_MAX = 100_000;

export function createWaits(store: QueueStore): Waits {
  let told = 0;
  let walked = 0;
  /** Undefined: the walk is over. */
  let place: WalkPlace | null | undefined;
  let fresh: { message: MessageId; n: number }[] = [];

  const clear = (): void => {
    place = undefined;
    fresh = [];
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
    for (const row of rows) if (told < TOLD_MAX && row.dueAt <= turn.now.due) tell(turn, row, why);
    const isOver = rows.length < A_TURN || walked >= WALKED_MAX || told >= TOLD_MAX;
    place = isOver ? undefined : rows.at(-1);
  };

  const tellFresh = (turn: Turn, why: string): void => {
    for (const { message, n } of fresh.splice(0, A_TURN)) {
      const state = store.recipients(message)[n]?.state;
      if (state?.at === "queued") tell(turn, { message, n, state }, why);
    }
  };

  return {
    begin() {
      clear();
      told = 0;
      walked = 0;
      place = null;
    },
    end: clear,
    admitted({ id, recipients }) {
      for (let n = 0; n < recipients.length && told + fresh.length < TOLD_MAX; n++)
        fresh.push({ message: id, n });
    },
    hasWork: () => place !== undefined || fresh.length > 0,
    run(turn, why) {
      walk(turn, why);
      tellFresh(turn, why);
    },
  };
}
