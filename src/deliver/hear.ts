// What a server says, matched with what it was asked: replies are read in order, each has its deadline, and what comes unasked ends
// the connection, since from there on no reply could be trusted to belong to its command.
import type { Clock } from "../base/clock.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import type { Dialogue, Happened, LossReason, Lost, Want } from "../smtp/dialogue.ts";
import type { Deadlines, Phase } from "../smtp/phases.ts";
import type { Reply, ReplyParser } from "../smtp/reply.ts";
import type { Connection } from "./connection.ts";
import type { Deadline } from "./deadline.ts";
import type { About, DeliverMeter } from "./metering.ts";
import type { Pouring } from "./pour.ts";
import { noteLoss, noteReply, type Recording, type Speaking } from "./record.ts";

export interface TalkDeps {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** A certificate that does not prove the host's name ends the connection. */
  readonly verifiedOnly: boolean;
  /** Told of each reply that was waited for, also in vain. */
  readonly timed: DeliverMeter["timed"];
  secured(facts: TlsFacts): void;
}

/** One connection's side of all its dialogues. */
export interface State extends TalkDeps, Speaking {
  readonly deadline: Deadline;
  /** Of a handshake that goes on. */
  stop: AbortController | null;
  parser: ReplyParser;
  /** Replies that no want has taken yet. */
  heard: Reply[];
  lost: Lost | null;
  facts: TlsFacts | null;
  /** Goes on with the running dialogue; null while it runs or when there is none. */
  resume: ((happened: Happened) => void) | null;
  /** The phases whose replies are waited for. */
  wanted: readonly Phase[] | null;
  /** They are wanted all at once. */
  group: boolean;
  /** The place among them whose deadline runs; octets that end no reply do not begin it anew. */
  awaited: number;
  /** By the monotonic clock; of the last octets that replies are waited for. */
  sentAt: number;
  recording: Recording | null;
  /** Whose dialogue runs. */
  about: About | null;
  /** What goes on that is no waiting for a reply. */
  doing: "tls" | "body" | null;
  /** A large body on its way. */
  pouring: Pouring | null;
  /** Between dialogues: whom to tell that the connection is of no more use. */
  resting: (() => void) | null;
  ahead: (() => Dialogue<unknown> | null) | null;
  begun: Begun | null;
  /** How long the last dot waited for its answer; Infinity before the first. */
  dotMs: number;
  /** What say.ts gives out again and again. */
  room: Buffer;
}

/** A dialogue that has been asked for its first want before its turn. */
export interface Begun {
  readonly dialogue: Dialogue<unknown>;
  readonly step: IteratorResult<Want, unknown>;
  /** What it wanted to send has been sent. */
  readonly sent: readonly Phase[] | null;
}

/** Says `send`, if anything, and waits for the replies; null when they are not all there yet. */
export function converse(
  state: State,
  wanted: readonly Phase[],
  send: string | null,
  group = false,
): Happened | null {
  if (state.lost !== null && state.heard.length === 0) return state.lost;
  if (send === null) {
    expectReplies(state, wanted, false);
    if (state.heard.length > 0) tellTimes(state, 0);
    return answer(state);
  }
  if (state.heard.length > 0 || state.parser.midReply()) {
    // A server that is about to hang up says so unasked (RFC 5321 3.8); it counts as the answer. Anything else is out of step.
    const [reply] = state.heard;
    if (reply?.code !== 421) return lose(state, "protocol", "the server spoke unasked");
    state.sending = null;
    noteReply(state, wanted[0] ?? "rset", 0, reply, 0);
    lose(state, "closed", "the server closed the session");
    return group ? { got: "replies", replies: [reply], lost: state.lost } : { got: "reply", reply };
  }
  state.sentAt = state.clock.monotonicMs();
  // Set before the write: a stand-in for a network may answer from within it.
  expectReplies(state, wanted, group);
  state.connection.write(send);
  return answer(state);
}

/** For replies to what was sent before its turn. */
export function converseBegun(state: State, wanted: readonly Phase[]): Happened | null {
  expectReplies(state, wanted, true);
  tellTimes(state, 0);
  return answer(state);
}

function expectReplies(state: State, wanted: readonly Phase[], group: boolean): void {
  state.wanted = wanted;
  state.group = group;
  state.awaited = -1;
}

/** What the wanted replies have come to; null while one is missing. */
function answer(state: State): Happened | null {
  const { wanted, heard } = state;
  if (wanted === null || (state.lost !== null && heard.length === 0)) return state.lost;
  if (heard.length < wanted.length && state.lost === null) {
    if (state.awaited === heard.length) return null;
    // RFC 5321 4.5.3.2: a command's time, not an octet's, or a server could dribble for ever.
    state.awaited = heard.length;
    state.deadline.set(state.deadlines[wanted[heard.length] ?? "rset"]);
    return null;
  }
  state.wanted = null;
  if (!state.group) {
    const reply = heard.shift();
    return reply === undefined ? state.lost : { got: "reply", reply };
  }
  state.heard = heard.length > wanted.length ? heard.slice(wanted.length) : [];
  const replies = heard.length > wanted.length ? heard.slice(0, wanted.length) : heard;
  // One reply too many: which of them belongs to which recipient cannot be known any more.
  if (state.heard.length > 0 && state.heard[0]?.code !== 421)
    return lose(state, "protocol", "the server gave more replies than it got commands");
  return { got: "replies", replies, lost: replies.length < wanted.length ? state.lost : null };
}

export function onData(state: State, chunk: Uint8Array): void {
  if (state.lost !== null) return;
  const before = state.heard.length;
  const parsed = state.parser.feed(chunk, (reply) => state.heard.push(reply));
  if (state.wanted !== null && state.heard.length > before) tellTimes(state, before);
  if (parsed.kind === "broken") lose(state, "protocol", parsed.why);
  else if (state.heard.length > REPLIES_WAITING_MAX) lose(state, "protocol", "too many replies");
  else settle(state);
}

/** More than the largest pipelined group can bring. */
const REPLIES_WAITING_MAX = 4096;

function tellTimes(state: State, from: number): void {
  const durationMs = state.clock.monotonicMs() - state.sentAt;
  for (let i = from; i < state.heard.length; i++) {
    const phase = state.wanted?.[i];
    const reply = state.heard[i];
    if (phase === undefined || reply === undefined) continue;
    if (phase === "dot") state.dotMs = durationMs;
    state.timed(phase, reply, durationMs, state.about);
    if (state.recording !== null) noteReply(state, phase, i, reply, durationMs);
  }
}

/** Goes on with whatever waits, if it need not wait any longer. */
function settle(state: State): void {
  if (state.pouring !== null) {
    if (state.lost !== null) state.pouring.cut(state.lost);
    else if (state.heard[0] !== undefined)
      state.pouring.cut({ got: "early", reply: state.heard[0] });
    return;
  }
  if (state.resting !== null) {
    if (state.lost !== null || state.heard.length > 0) endRest(state);
    return;
  }
  // Null also while `write` is still on the stack: then `converse` finds the answer itself.
  if (state.resume === null) return;
  const happened = answer(state);
  if (happened !== null) resume(state, happened);
}

export function resume(state: State, happened: Happened): void {
  const go = state.resume;
  state.resume = null;
  go?.(happened);
}

export function lose(state: State, why: LossReason, text: string): Lost {
  if (state.lost !== null) return state.lost;
  const lost: Lost = { got: "lost", why, text };
  state.lost = lost;
  if (state.recording !== null) tellLoss(state, lost);
  const phase = state.wanted?.[state.heard.length];
  if (phase !== undefined && why !== "stopped")
    state.timed(phase, null, state.clock.monotonicMs() - state.sentAt, state.about);
  state.deadline.end();
  state.stop?.abort();
  state.connection.close();
  settle(state);
  return lost;
}

function tellLoss(state: State, lost: Lost): void {
  const { wanted, doing, heard } = state;
  const answered = wanted === null ? 0 : heard.length;
  const waiting = wanted?.slice(answered) ?? [];
  const nowMs = state.clock.monotonicMs();
  if (wanted === null) state.sending = null;
  const phases =
    waiting.length > 0 ? waiting : [doing ?? state.recording?.said.at(-1)?.phase ?? "greeting"];
  noteLoss(state, phases, { lost, nowMs, answered });
}

export function onDeadline(state: State): void {
  if (state.resting !== null) return endRest(state);
  const phase = state.wanted?.[state.heard.length];
  const what = phase === undefined ? "the message moving" : `an answer (${phase})`;
  lose(state, "timeout", `waited too long for ${what}`);
}

export function rest(state: State, idleMs: number, ended: () => void): void {
  if (state.lost !== null || state.heard.length > 0) return ended();
  state.resting = ended;
  state.deadline.set(idleMs);
}

function endRest(state: State): void {
  const ended = state.resting;
  state.resting = null;
  state.deadline.clear();
  ended?.();
}
