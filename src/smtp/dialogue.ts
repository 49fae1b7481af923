// A dialogue with a server as a coroutine that wants things and is told what happened: no socket, no clock, no promise. The
// program counter is the state; read each one from top to bottom like a conversation.
import type { Line } from "./command.ts";
import { phases, type Phase } from "./phases.ts";
import { classOf, type Reply } from "./reply.ts";

export type Want =
  /** Write the line, if any, and wait for one reply. */
  | { readonly want: "reply"; readonly phase: Phase; readonly send: Line | null }
  /** Write all lines at once and wait for as many replies (RFC 2920). */
  | { readonly want: "replies"; readonly phases: readonly Phase[]; readonly send: readonly Line[] }
  /** Encrypt the connection; octets that were read before count as an attack (RFC 3207 5). */
  | { readonly want: "tls" }
  | BodyWant;

/** Write the message. */
export interface BodyWant {
  readonly want: "body";
  /**
   * - `dotted`: behind a 354, with dots doubled and a lone dot at the end.
   * - `apart`: the same, with the dot in a packet of its own, for firewalls that lose it within another (Cisco PIX).
   * - `chunk`: as the octets are, behind a `BDAT n LAST` that is written first (RFC 3030).
   */
  readonly manner: "dotted" | "apart" | "chunk";
}

export type LossReason = "timeout" | "closed" | "protocol" | "tls" | "stopped";

/** The connection is of no more use. */
export interface Lost {
  readonly got: "lost";
  readonly why: LossReason;
  readonly text: string;
}

export type Happened =
  | { readonly got: "reply"; readonly reply: Reply }
  /** Fewer replies than wanted only when the connection was lost after them. */
  | { readonly got: "replies"; readonly replies: readonly Reply[]; readonly lost: Lost | null }
  | { readonly got: "done" }
  /**
   * The body cannot be read, or is not what was accepted: its end was not sent, the connection is gone. With `enhanced` it is whole,
   * and yet cannot be written as this server wants it.
   */
  | { readonly got: "spoiled"; readonly text: string; readonly enhanced?: string }
  /** The server answered before the body was out: its end was not sent. */
  | { readonly got: "early"; readonly reply: Reply }
  | Lost;

export type Dialogue<T> = Generator<Want, T, Happened>;

/** How setting up a connection can end without one. */
export type OpeningTrouble =
  | { readonly end: "refused"; readonly phase: Phase; readonly reply: Reply }
  | {
      readonly end: "lost";
      readonly phase: Phase;
      readonly why: LossReason;
      readonly text: string;
    }
  /** The server does not offer what we must have. */
  | { readonly end: "unfit"; readonly lacks: "tls" | "auth" | "private"; readonly text: string };

/** Raised by the steps of an opening, and caught where it began. */
export class Stop {
  readonly end: OpeningTrouble;
  constructor(end: OpeningTrouble) {
    this.end = end;
  }
}

/** The reply, or the end of the opening. */
export function* ask(phase: Phase, send: Line | null): Dialogue<Reply> {
  const happened = yield { want: "reply", phase, send };
  if (happened.got === "reply") return happened.reply;
  throw new Stop({ end: "lost", phase, ...lossOf(happened) });
}

/** As `ask`, when only success lets the opening go on. */
export function* expect(phase: Phase, send: Line | null): Dialogue<Reply> {
  const reply = yield* ask(phase, send);
  if (!accepted(phase, reply)) throw new Stop({ end: "refused", phase, reply });
  return reply;
}

/** RFC 5321 4.3.2: the first digit decides, known code or not. */
export function accepted(phase: Phase, reply: Reply): boolean {
  return classOf(reply) === phases[phase].expects;
}

export function lossOf(happened: Happened): { readonly why: LossReason; readonly text: string } {
  if (happened.got === "lost") return { why: happened.why, text: happened.text };
  return { why: "protocol", text: `${happened.got} came where it was not wanted` };
}
