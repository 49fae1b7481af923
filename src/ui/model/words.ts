// The words and the tone of states. Colour never says anything alone: the word stands beside it.
import { FIRST_FINAL, recipientStates, type StateName } from "../../mail/state.ts";

export type Tone = "good" | "busy" | "wait" | "bad" | "quiet";

const tones: Readonly<Record<StateName, Tone>> = {
  scheduled: "quiet",
  queued: "busy",
  held: "wait",
  sending: "busy",
  deferred: "wait",
  delivered: "good",
  bounced: "bad",
  expired: "bad",
  canceled: "quiet",
  suppressed: "quiet",
};

/** A state that this page does not know, of a newer daemon, is shown without a tone. */
export function toneOf(state: string): Tone {
  return (tones as Readonly<Record<string, Tone>>)[state] ?? "quiet";
}

export const finalStates: ReadonlySet<string> = new Set(recipientStates.slice(FIRST_FINAL));

export interface StateCount {
  readonly state: string;
  readonly count: number;
}

/** In the order in which they occur. */
export function countStates(states: readonly string[]): StateCount[] {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]) => ({ state, count }));
}

/** What the phases of SMTP are called where people read them. */
export function phaseInWords(phase: string): string {
  const words: Readonly<Record<string, string>> = {
    connect: "connect",
    greeting: "greeting",
    tls: "TLS handshake",
    handshake: "TLS handshake",
    ehlo: "EHLO",
    helo: "HELO",
    starttls: "STARTTLS",
    auth: "AUTH",
    challenge: "AUTH",
    mail: "MAIL FROM",
    rcpt: "RCPT TO",
    data: "DATA",
    body: "the message",
    dot: "end of data",
    void: "lone dot",
    rset: "RSET",
    quit: "QUIT",
  };
  return words[phase] ?? phase;
}
