// What was written down of an attempt, made into what is kept of it: bounded in lines, in conversations and in text, whatever a server
// says and however many recipients a transaction has.
import {
  packConversations,
  type PackedConversation,
  type PackedExchange,
} from "../mail/dialogue.ts";
import { classOf, type Reply } from "../smtp/reply.ts";
import type { Recording, Said } from "./record.ts";

export const DIALOGUE_LIMITS = {
  /** The default of `transaction_recipients` and what is around them. */
  exchanges: 120,
  /** The first and the last ones of an attempt say most. */
  conversations: 8,
  /** Of one line, ours or theirs. */
  textChars: 600,
  /** Of one conversation. */
  chars: 24_000,
} as const;

export function packRecordings(recordings: readonly Recording[]): string {
  const { conversations: max } = DIALOGUE_LIMITS;
  if (recordings.length <= max) return packConversations(recordings.map((one) => rowOf(one, 0)));
  const left = recordings.slice(1, 1 + recordings.length - max);
  const lost = left.reduce((sum, { said }) => sum + said.length, 0);
  const kept = [...recordings.slice(0, 1), ...recordings.slice(1 - max)];
  return packConversations(kept.map((one, i) => rowOf(one, i === 0 ? lost : 0)));
}

function rowOf(recording: Recording, lost: number): PackedConversation {
  const { session, host, address, source, at, reused, beganAtMs } = recording;
  const said = chosen(recording.said);
  // What was sent behind the dot of the message before left before this attempt began.
  const first = recording.said[0]?.sentAtMs ?? beganAtMs;
  const zeroMs = Math.min(first, beganAtMs);
  const began = at - Math.round(beganAtMs - zeroMs);
  const exchanges: PackedExchange[] = [];
  let chars = 0;
  for (const one of said) {
    const row = exchangeOf(one, zeroMs);
    chars += row[3].length + row[5].length;
    if (chars > DIALOGUE_LIMITS.chars) break;
    exchanges.push(row);
  }
  const dropped = lost + recording.said.length - exchanges.length;
  return [session, host, address, source, began, reused ? 1 : 0, dropped, exchanges];
}

/** In their order; recipients who were accepted are the first to be left out, and of the others the last ones. */
function chosen(said: readonly Said[]): readonly Said[] {
  const { exchanges: max, chars, textChars } = DIALOGUE_LIMITS;
  if (said.length <= max && said.length * textChars * 2 <= chars) return said;
  const isPlain = ({ phase, reply }: Said): boolean =>
    phase === "rcpt" && reply !== null && classOf(reply) === 2;
  const isRefused = ({ phase, reply }: Said): boolean =>
    phase === "rcpt" && (reply === null || classOf(reply) !== 2);
  const ranked = [
    ...said.filter((one) => one.phase !== "rcpt"),
    ...said.filter(isRefused),
    ...said.filter(isPlain),
  ];
  let left: number = chars;
  const kept = new Set<Said>();
  for (const one of ranked) {
    left -= Math.min(one.sent.length, textChars) + Math.min(lengthOf(one), textChars);
    if (left < 0 || kept.size === max) break;
    kept.add(one);
  }
  return said.filter((one) => kept.has(one));
}

function lengthOf({ reply, text }: Said): number {
  return reply === null ? text.length : textOf(reply).length;
}

function exchangeOf(
  { phase, sentAtMs, tookMs, sent, reply, text }: Said,
  zeroMs: number,
): PackedExchange {
  return [
    phase,
    Math.round(sentAtMs - zeroMs),
    Math.round(tookMs),
    cut(sent),
    reply === null ? 0 : reply.code,
    cut(reply === null ? text : textOf(reply)),
  ];
}

/** The words of a reply with its enhanced code. */
export function textOf({ enhanced, lines }: Reply): string {
  const words = lines.length === 1 ? (lines[0] ?? "") : lines.join(" | ");
  if (enhanced === "") return words;
  return words === "" ? enhanced : `${enhanced} ${words}`;
}

function cut(text: string): string {
  const { textChars } = DIALOGUE_LIMITS;
  return text.length > textChars ? `${text.slice(0, textChars).toWellFormed()}...` : text;
}
