// What was said in the attempts of one message, as `?smtp=1` shows it. One recipient of a transaction carries the dialogue for all: the
// others' steps name the same connection and the same moment.
import { iso } from "../base/clock.ts";
import { type Conversation, unpackConversations } from "../mail/dialogue.ts";
import type { EventRow } from "../mail/event.ts";
import type { ConversationView } from "../mail/eventView.ts";
import type { AttemptStep } from "../mail/timeline.ts";
import type { StoredRecipient, Stored } from "./stored.ts";

/** As one recipient is told it. Undefined: nothing was kept, or the answer is full. */
export type DialogueOf = (
  step: AttemptStep,
  address: string,
) => readonly ConversationView[] | undefined;

/** Of all dialogues of one answer, a dialogue that several recipients share counted for each: as much as a page should bear. */
const ANSWER_CHARS_MAX = 4_000_000;
/** Of a transaction with more recipients each is told its own and not all the others. */
const RECIPIENTS_MAX = 10;

export function createDialogues(
  stored: Pick<Stored, "dialogue">,
  rows: readonly EventRow[],
  recipients: readonly StoredRecipient[],
): DialogueOf {
  const found = new Map<string, readonly ConversationView[]>();
  for (const { seq, n, step: place } of rows) {
    const step = recipients.find((one) => one.n === n)?.steps[place];
    if (step?.kind !== "attempt") continue;
    const packed = stored.dialogue(seq);
    if (packed !== undefined)
      found.set(keyOf(step), unpackConversations(packed).map(conversationView));
  }
  let left = ANSWER_CHARS_MAX;
  return (step, address) => {
    const views = found.get(keyOf(step))?.map((one) => ownOf(one, address));
    left -= views?.reduce((sum, one) => sum + charsOf(one), 0) ?? 0;
    return left < 0 ? undefined : views;
  };
}

function ownOf(view: ConversationView, address: string): ConversationView {
  const others = view.exchanges.filter(({ phase, sent }) => {
    return phase === "rcpt" && !sent.startsWith(`RCPT TO:<${address}>`);
  });
  if (others.length < RECIPIENTS_MAX) return view;
  const exchanges = view.exchanges.filter((one) => !others.includes(one));
  return { ...view, exchanges, dropped: view.dropped + others.length };
}

/** With what JSON adds to each line. */
const LINE_CHARS = 80;

function charsOf({ exchanges }: ConversationView): number {
  return exchanges.reduce((sum, one) => sum + LINE_CHARS + one.sent.length + one.reply.length, 0);
}

function keyOf({ session, at }: AttemptStep): string {
  return `${session} ${at}`;
}

function conversationView(one: Conversation): ConversationView {
  const { session, host, address, source, at, reused, exchanges, dropped } = one;
  return {
    ...{ session, host, address, source: source === "" ? null : source, at: iso(at), reused },
    exchanges: exchanges.map(({ phase, sentMs, tookMs, sent, code, reply }) => ({
      ...{ phase, sent_ms: sentMs, took_ms: tookMs, sent },
      ...{ code: code === 0 ? null : code, reply },
    })),
    dropped,
  };
}
