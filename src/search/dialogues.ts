// What was said in the attempts of one message, as `?smtp=1` shows it. One recipient of a transaction carries the dialogue for all: the
// others' steps name the same connection and the same moment.
import { iso } from "../base/clock.ts";
import { type Conversation, unpackConversations } from "../mail/dialogue.ts";
import type { EventRow } from "../mail/event.ts";
import type { ConversationView } from "../mail/eventView.ts";
import type { AttemptStep } from "../mail/timeline.ts";
import type { StoredRecipient, Stored } from "./stored.ts";

/** Undefined: nothing was kept, or the answer is full. */
export type DialogueOf = (step: AttemptStep) => readonly ConversationView[] | undefined;

/** Of all dialogues of one answer, a dialogue that several recipients share counted for each: as much as a page should bear. */
const ANSWER_CHARS_MAX = 4_000_000;

export function createDialogues(
  stored: Pick<Stored, "dialogue">,
  rows: readonly EventRow[],
  recipients: readonly StoredRecipient[],
): DialogueOf {
  const found = new Map<string, { readonly views: ConversationView[]; readonly chars: number }>();
  for (const { seq, n, step: place } of rows) {
    const step = recipients.find((one) => one.n === n)?.steps[place];
    if (step?.kind !== "attempt") continue;
    const packed = stored.dialogue(seq);
    if (packed === undefined) continue;
    const views = unpackConversations(packed).map(conversationView);
    found.set(keyOf(step), { views, chars: packed.length });
  }
  let left = ANSWER_CHARS_MAX;
  return (step) => {
    const shared = found.get(keyOf(step));
    left -= shared?.chars ?? 0;
    return left < 0 ? undefined : shared?.views;
  };
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
