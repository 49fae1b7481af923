// The door's end of the wire to the queue. What one turn of the event loop brought travels together, and what arrives there during a
// commit shares the next one; so the door holds back nothing while the queue keeps pace. A turn that brings many requests lasts longer
// than a commit: in its midst an idle queue is given what there is, and its answers are taken, so that both threads work at a time.
import type { Clock } from "../base/clock.ts";
import type { Accept, AcceptAnswer, Once, Submission } from "../mail/submission.ts";
import type { DoorToQueue } from "./protocol.ts";
import { type PackedAnswers, pack, packOnces, transferOf } from "./wire.ts";

/** Batches without an answer; beyond that the door gathers, so that a queue that waits for its disk is not buried in small ones. */
const UNDER_WAY_MAX = 32;
/** So many messages are worth a commit before the turn is over. Fewer cost the queue more than they gain. */
const EARLY_MESSAGES = 24;
/** Messages in one batch, so that one commit stays short; a larger call still travels whole. */
const BATCH_MESSAGES_MAX = 512;

interface Waiting {
  readonly messages: readonly Submission[];
  readonly settle: (answer: AcceptAnswer) => void;
  readonly once: Once | undefined;
}

export interface Submitter {
  readonly accept: Accept;
  /** The queue's answers to one batch, in the order of its calls. */
  answered(batch: number, answers: PackedAnswers): void;
  /** Calls that have no answer yet. */
  open(): number;
}

export function createSubmitter(deps: {
  readonly clock: Pick<Clock, "soon">;
  post(message: DoorToQueue, transfer: ArrayBuffer[]): void;
  /** Calls `answered` now for what the queue has answered in this turn. */
  look(): void;
}): Submitter {
  const underWay = new Map<number, readonly Waiting[]>();
  /** Idempotency keys of calls that have no answer yet. */
  const keys = new Set<string>();
  let waiting: Waiting[] = [];
  let messagesWaiting = 0;
  let lastBatch = 0;
  let woken = false;
  let looking = false;

  const post = (): void => {
    woken = false;
    while (waiting.length > 0 && underWay.size < UNDER_WAY_MAX) {
      const calls = nextCalls(waiting);
      waiting = waiting.slice(calls.length);
      const pieces: Submission[] = [];
      for (const call of calls) pieces.push(...call.messages);
      messagesWaiting -= pieces.length;
      const packed = pack(pieces);
      for (const { copied } of pieces) copied?.();
      const batch = ++lastBatch;
      underWay.set(batch, calls);
      const groups = calls.map((call) => call.messages.length);
      const onces = packOnces(calls);
      const accept = { say: "accept" as const, batch, packed, groups };
      deps.post(onces === undefined ? accept : { ...accept, onces }, transferOf(packed));
    }
  };

  return {
    accept: (messages, once) =>
      new Promise((settle) => {
        if (once !== undefined) {
          if (keys.has(once.key)) return settle({ kind: "concurrent" });
          keys.add(once.key);
        }
        waiting.push({ messages, settle, once });
        messagesWaiting += messages.length;
        looking = true;
        deps.look();
        looking = false;
        if (messagesWaiting >= EARLY_MESSAGES && underWay.size === 0) return post();
        if (woken || underWay.size >= UNDER_WAY_MAX) return;
        woken = true;
        deps.clock.soon(post);
      }),
    answered(batch, answers) {
      const calls = underWay.get(batch);
      if (calls === undefined || calls.length !== (answers ?? calls).length)
        throw new Error(`the queue answered batch ${batch}, which it was not given so`);
      underWay.delete(batch);
      calls.forEach(({ once, settle }, i) => {
        if (once !== undefined) keys.delete(once.key);
        settle(answers === null ? accepted : (answers[i] as AcceptAnswer));
      });
      if (!looking) post();
    },
    open: () =>
      waiting.length + [...underWay.values()].reduce((sum, calls) => sum + calls.length, 0),
  };
}

const accepted: AcceptAnswer = { kind: "accepted" };

function nextCalls(waiting: readonly Waiting[]): Waiting[] {
  let count = 0;
  let messages = 0;
  for (const call of waiting) {
    if (count > 0 && messages + call.messages.length > BATCH_MESSAGES_MAX) break;
    messages += call.messages.length;
    count++;
  }
  return waiting.slice(0, count);
}
