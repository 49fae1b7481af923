// Who hands mail in. One half gives up on a request that the daemon's death left without an answer; the other half sends an idempotency
// key and repeats the request until it is answered, sometimes twice at once, and then must have one message. Drawn from a seed of its own.
import { seededRandom } from "../../src/base/random.ts";
import type { MessageId } from "../../src/mail/id.ts";
import type { AcceptAnswer, Once } from "../../src/mail/submission.ts";
import type { Process } from "./process.ts";
import type { SimClock } from "./time.ts";
import type { Wish } from "./workload.ts";

export interface ClientsDeps {
  readonly seed: number;
  readonly clock: SimClock;
  readonly wishes: readonly Wish[];
  readonly life: () => Process | undefined;
  /** Hands the wish to the queue that lives; the door gives out a new id each time. */
  readonly hand: (wish: Wish, once: Known | undefined, heard: Heard) => MessageId;
  /** Messages whose acceptance stands. */
  readonly committed: ReadonlySet<MessageId>;
  readonly violation: (text: string) => void;
}

/** The answer that is kept is the message's id. */
export type Known = Pick<Once, "key" | "request">;
export type Heard = (answer: AcceptAnswer, id: MessageId) => void;

export interface Clients {
  /** Everybody who repeats has an answer. */
  done(): boolean;
  /** At the end. */
  check(): void;
}

const AGAIN_MS = 5000;
const TRIES = 20;
const KEYED = 0.5;
const TWICE = 0.15;
/** Asks again though it was answered; or sends another message with the same key. */
const DOUBTS = 0.2;
const MISUSES = 0.1;
/** An answer is so long on its way; the daemon's death loses it. */
const ANSWER_MS = 800;
const TIMEOUT_MS = 10_000;
const IDLE_MS = 60_000;

export function createClients(deps: ClientsDeps): Clients {
  const { roll } = seededRandom(deps.seed ^ 0x1de0_0ce5);
  const keyed: Keyed[] = [];
  const owners = new Map<MessageId, string>();
  deps.wishes.forEach((wish, i) => {
    const client =
      roll() < KEYED ? createKeyed({ ...deps, owners }, wish, `k${i}`, roll) : undefined;
    if (client !== undefined) keyed.push(client);
    deps.clock.after(
      wish.afterMs,
      client?.start ?? (() => submit({ ...deps, owners }, wish, TRIES)),
    );
  });
  return {
    done: () => keyed.every((client) => client.isAnswered()),
    check: () => keyed.forEach((client) => client.check()),
  };
}

interface OwningDeps extends ClientsDeps {
  /** The key under which an id was handed in; what nobody stored is given out again after a death. */
  readonly owners: Map<MessageId, string>;
}

/** Tries again only what was refused: whatever has no answer may be there or not. */
function submit(deps: OwningDeps, wish: Wish, tries: number): void {
  const again = (): void => {
    if (tries > 0) deps.clock.after(AGAIN_MS, () => submit(deps, wish, tries - 1));
  };
  if (deps.life() === undefined) return again();
  const id = deps.hand(wish, undefined, ({ kind }) => void (kind === "accepted" || again()));
  deps.owners.set(id, "");
}

interface Keyed {
  start(): void;
  isAnswered(): boolean;
  check(): void;
}

function createKeyed(deps: OwningDeps, wish: Wish, key: string, roll: () => number): Keyed {
  const { clock, life, committed, owners, violation } = deps;
  let answered: MessageId | undefined;

  /** Whatever the answer is, it comes only while the process lives that gave it. */
  const ask = (request: string, heard: Heard): void => {
    const asked = life();
    if (asked === undefined) return;
    const late: Heard = (answer, id) =>
      void clock.after(roll() * ANSWER_MS, () => void (life() === asked && heard(answer, id)));
    owners.set(deps.hand(wish, { key, request }, late), key);
  };

  const hear: Heard = (answer, id) => {
    if (answer.kind === "mismatch") return violation(`${key} is told to be another request's`);
    if (answer.kind !== "accepted" && answer.kind !== "replayed") return;
    const told = answer.kind === "accepted" ? id : Number(answer.answer);
    if (!committed.has(told)) violation(`${key} is answered with ${told}, which is not there`);
    if (answered !== undefined && answered !== told)
      violation(`${key} is answered with ${answered} and then with ${told}`);
    answered = told;
  };

  const attempt = (): void => {
    if (answered !== undefined) return;
    ask("same", hear);
    if (roll() < TWICE) ask("same", hear);
    clock.after(TIMEOUT_MS, attempt);
  };

  const afterwards = (): void => {
    if (answered === undefined) return void clock.after(IDLE_MS, afterwards);
    if (roll() < DOUBTS) ask("same", hear);
    if (roll() < MISUSES)
      ask("other", ({ kind }) => {
        if (kind !== "mismatch" && kind !== "refused") violation(`${key} is ${kind} for another`);
      });
  };

  return {
    start() {
      attempt();
      clock.after(IDLE_MS, afterwards);
    },
    isAnswered: () => answered !== undefined,
    check() {
      const mine = [...owners].flatMap(([id, owner]) => (owner === key ? [id] : []));
      const there = mine.filter((id) => committed.has(id));
      if (there.length > 1) violation(`${key} is ${there.length} messages: ${there.join()}`);
      if (answered === undefined) violation(`${key} has no answer at the end`);
    },
  };
}
