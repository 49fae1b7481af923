// A conversation as rows: what we said, what the server answered, and how long it took to. The slowest answer is what one looks for.
import { isLost } from "../../mail/dialogue.ts";
import type { ConversationView, ExchangeView } from "../../mail/eventView.ts";
import type { Tone } from "./words.ts";

export interface DialogueRow extends ExchangeView {
  readonly tone: Tone;
  readonly isSlowest: boolean;
  /** No reply came, and one was waited for. */
  readonly isLost: boolean;
}

/** Below it nobody asks which one was slowest. */
const SLOW_MS = 100;

export function dialogueRows({ exchanges }: ConversationView): DialogueRow[] {
  const slowest = Math.max(...exchanges.map(({ took_ms }) => took_ms));
  return exchanges.map((one) => ({
    ...one,
    tone: toneOf(one),
    isLost: isLost(one),
    isSlowest: one.took_ms === slowest && slowest >= SLOW_MS,
  }));
}

function toneOf(exchange: ExchangeView): Tone {
  const code = exchange.code ?? 0;
  if (isLost(exchange) || code >= 500) return "bad";
  return code >= 400 ? "wait" : "quiet";
}

/** As text to paste into a ticket. */
export function dialogueText(conversation: ConversationView): string {
  const { host, address, source, at, session, exchanges, dropped } = conversation;
  const head = `# ${at} ${host} [${address}] from ${source ?? "?"}, session ${session}`;
  const lines = exchanges.flatMap(({ sent, sent_ms: sentMs, took_ms: tookMs, code, reply }) => [
    ...(sent === "" ? [] : [`${sentMs} ms  C: ${sent}`]),
    `+${tookMs} ms  S: ${code === null ? reply : `${code} ${reply}`}`,
  ]);
  const more = dropped === 0 ? [] : [`# ${dropped} more exchanges are not kept`];
  return [head, ...lines, ...more].join("\n");
}
