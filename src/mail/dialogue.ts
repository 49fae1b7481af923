// What was said in one attempt, line by line with its times: kept within bounds beside the timeline, shown by `message show` and
// `?smtp=1`, and the stuff that the spans of a trace are made of. Packed like the timeline: one JSON array an attempt.
import type { EpochMs } from "../base/clock.ts";

/** The setting `dialogues`; `trouble`: those of attempts that did not simply deliver. */
export type DialoguesKept = "all" | "trouble" | "off";

/** A command and its reply; the greeting has no command, a handshake neither. */
export interface Exchange {
  /** As the table of phases names it (smtp/phases.ts), and `connect` for what came before it. */
  readonly phase: string;
  /** Since the conversation began. In a pipelined group all commands leave together. */
  readonly sentMs: number;
  /** Until the reply was whole, or was given up. */
  readonly tookMs: number;
  /** Without CRLF; secrets are masked. Of the message itself only its size is told. */
  readonly sent: string;
  /** 0: none came. */
  readonly code: number;
  /** The reply's text with its enhanced code, lines joined by " | "; or why none came. */
  readonly reply: string;
}

/** One connection, as far as this attempt used it. */
export interface Conversation {
  /** Names the connection, as timelines and logs do. */
  readonly session: string;
  readonly host: string;
  readonly address: string;
  /** Our own address; empty when no connection was made. */
  readonly source: string;
  readonly at: EpochMs;
  /** It had carried mail before, so its opening is told with the message that opened it. */
  readonly reused: boolean;
  readonly exchanges: readonly Exchange[];
  /** Exchanges beyond the bound. */
  readonly dropped: number;
}

/**
 * No reply came, and the words in its place tell of no success. Connections, handshakes and large messages have no reply of their own.
 * Also of an exchange as the API tells it, whose code is null then.
 */
export function isLost({
  code,
  phase,
  reply,
}: Pick<Exchange, "phase" | "reply"> & { readonly code: number | null }): boolean {
  if ((code ?? 0) !== 0 || reply === "") return false;
  if (phase === "connect") return !reply.startsWith("connected");
  return phase !== "tls" || !reply.startsWith("TLS");
}

export type PackedExchange = readonly [
  phase: string,
  sentMs: number,
  tookMs: number,
  sent: string,
  code: number,
  reply: string,
];
export type PackedConversation = readonly [
  session: string,
  host: string,
  address: string,
  source: string,
  at: EpochMs,
  reused: 0 | 1,
  dropped: number,
  exchanges: readonly PackedExchange[],
];

/** The conversations of one attempt, in their order. A sender makes the rows without objects between: it does so once a message. */
export function packConversations(conversations: readonly PackedConversation[]): string {
  return JSON.stringify(conversations);
}

/** The reverse; what was written by us is not checked again. */
export function unpackConversations(packed: string): Conversation[] {
  return (JSON.parse(packed) as PackedConversation[]).map((one) => {
    const [session, host, address, source, at, reused, dropped, exchanges] = one;
    return {
      ...{ session, host, address, source, at, reused: reused === 1, dropped },
      exchanges: exchanges.map(([phase, sentMs, tookMs, sent, code, reply]) => {
        return { phase, sentMs, tookMs, sent, code, reply };
      }),
    };
  });
}
