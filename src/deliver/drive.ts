// Runs dialogues of smtp/ against a Connection: the only place where wants meet octets. Replies are read and deadlines kept here.
// The hot path makes no promise and no timer: a reply resumes the coroutine in the same turn of the event loop.
import type { Clock } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import { QUIT, type Line } from "../smtp/command.ts";
import { dotted } from "../smtp/dot.ts";
import { phases, type Deadlines, type Phase } from "../smtp/phases.ts";
import { createReplyParser, type Reply, type ReplyParser } from "../smtp/reply.ts";
import type { Dialogue, Happened, LossReason, Lost, Want } from "../smtp/session.ts";
import type { Body } from "./body.ts";
import type { Connection } from "./connection.ts";
import { createDeadline, type Deadline } from "./deadline.ts";
import { pour, type Pouring } from "./pour.ts";

export interface Talk {
  /**
   * One dialogue at a time. `done` may be called before `run` returns. `ahead` is asked, when a small body is about to leave, for
   * the dialogue that will be run next: its first group of commands then leaves with the body.
   */
  run<T>(
    dialogue: Dialogue<T>,
    body: Body | null,
    done: (result: T) => void,
    ahead?: () => Dialogue<unknown> | null,
  ): void;
  /** The last answer to a dot came within `ms`; false when there was none yet. */
  answersWithin(ms: number): boolean;
  /** Between dialogues: `ended` is called once the server hung up or said something unasked, or `idleMs` have passed. */
  rest(idleMs: number, ended: () => void): void;
  tls(): TlsFacts | null;
  /** QUIT without waiting for its answer, which could change nothing. */
  quit(): void;
  /** A running dialogue sees `lost`. */
  close(why: LossReason, text: string): void;
}

export interface TalkDeps {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** A certificate that does not prove the host's name ends the connection. */
  readonly verifiedOnly: boolean;
  /** Told of each reply that was waited for. */
  timed(phase: Phase, reply: Reply, durationMs: number): void;
  secured(facts: TlsFacts): void;
}

/** Up to here a body goes out with its dot in one write; above it, in pieces that wait for each other. */
const ONE_WRITE_OCTETS = 65_536;

interface State extends TalkDeps {
  readonly deadline: Deadline;
  readonly stop: AbortController;
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
  /** When the last octets left that replies are waited for, by the monotonic clock. */
  sentAt: number;
  /** A large body on its way. */
  pouring: Pouring | null;
  /** Between dialogues: whom to tell that the connection is of no more use. */
  resting: (() => void) | null;
  ahead: (() => Dialogue<unknown> | null) | null;
  begun: Begun | null;
  /** How long the last dot waited for its answer; Infinity before the first. */
  dotMs: number;
  /** What `roomFor` gives out again and again. */
  room: Buffer;
}

/** A dialogue that has been asked for its first want before its turn. */
interface Begun {
  readonly dialogue: Dialogue<unknown>;
  readonly step: IteratorResult<Want, unknown>;
  /** What it wanted to send has been sent. */
  readonly sent: readonly Phase[] | null;
}

export function createTalk(deps: TalkDeps): Talk {
  const state: State = {
    ...deps,
    deadline: createDeadline(deps.clock, () => onDeadline(state)),
    stop: new AbortController(),
    parser: createReplyParser(),
    heard: [],
    lost: null,
    facts: deps.connection.tls,
    resume: null,
    wanted: null,
    group: false,
    sentAt: deps.clock.monotonicMs(),
    pouring: null,
    resting: null,
    ahead: null,
    begun: null,
    dotMs: Infinity,
    room: Buffer.alloc(0),
  };
  deps.connection.listen({
    data: (chunk) => onData(state, chunk),
    drained: () => state.pouring?.drained(),
    closed: (text) => lose(state, "closed", text),
  });
  return {
    run: (dialogue, body, done, ahead) => {
      state.ahead = ahead ?? null;
      run(state, dialogue, body, done);
    },
    answersWithin: (ms) => state.dotMs <= ms,
    rest: (idleMs, ended) => rest(state, idleMs, ended),
    tls: () => state.facts,
    quit: () => quit(state),
    close: (why, text) => lose(state, why, text),
  };
}

function run<T>(
  state: State,
  dialogue: Dialogue<T>,
  body: Body | null,
  done: (result: T) => void,
): void {
  state.resting = null;
  const advance = (step: IteratorResult<Want, T>): void => {
    for (;;) {
      if (step.done === true) {
        state.deadline.clear();
        return done(step.value);
      }
      const happened = perform(state, step.value, body);
      if (happened === null) break;
      step = dialogue.next(happened);
    }
    state.resume = (happened) => advance(dialogue.next(happened));
  };
  const { begun } = state;
  state.begun = null;
  if (begun?.dialogue !== dialogue) return advance(dialogue.next());
  if (begun.sent === null) return advance(begun.step as IteratorResult<Want, T>);
  state.wanted = begun.sent;
  state.group = true;
  tellTimes(state, 0);
  const happened = answer(state);
  if (happened !== null) advance(dialogue.next(happened));
  else state.resume = (later) => advance(dialogue.next(later));
}

/** Null when `resume` will be called later. */
function perform(state: State, want: Want, body: Body | null): Happened | null {
  switch (want.want) {
    case "reply":
      return converse(state, alone[want.phase], want.send === null ? null : `${want.send}\r\n`);
    case "replies":
      return converse(state, want.phases, written(want.send), true);
    case "body":
      if (body === null) throw new Error("a dialogue that has no body wants one");
      return sendBody(state, body);
    case "tls":
      return encrypt(state);
    default:
      return unreachable(want);
  }
}

/** The lists of one phase each, so that waiting for one reply makes no list. */
const alone = Object.fromEntries(
  Object.keys(phases).map((phase) => [phase, [phase as Phase]]),
) as unknown as Readonly<Record<Phase, readonly Phase[]>>;

function written(lines: readonly Line[]): string {
  let text = "";
  for (const line of lines) text += `${line}\r\n`;
  return text;
}

function converse(
  state: State,
  wanted: readonly Phase[],
  send: string | null,
  group = false,
): Happened | null {
  if (state.lost !== null && state.heard.length === 0) return state.lost;
  if (send !== null) {
    if (state.heard.length > 0 || state.parser.midReply()) {
      // A server that is about to hang up says so unasked (RFC 5321 3.8); it counts as the answer. Anything else is out of step.
      const [reply] = state.heard;
      if (reply?.code !== 421) return lose(state, "protocol", "the server spoke unasked");
      lose(state, "closed", "the server closed the session");
      return group
        ? { got: "replies", replies: [reply], lost: state.lost }
        : { got: "reply", reply };
    }
    state.sentAt = state.clock.monotonicMs();
    // Set before the write: a stand-in for a network may answer from within it.
    state.wanted = wanted;
    state.group = group;
    state.connection.write(send);
  } else {
    state.wanted = wanted;
    state.group = false;
  }
  return answer(state);
}

/** What the wanted replies have come to; null while one is missing. */
function answer(state: State): Happened | null {
  const { wanted, heard } = state;
  if (wanted === null || (state.lost !== null && heard.length === 0)) return state.lost;
  if (heard.length < wanted.length && state.lost === null) {
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

function onData(state: State, chunk: Uint8Array): void {
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
    state.timed(phase, reply, durationMs);
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

function resume(state: State, happened: Happened): void {
  const go = state.resume;
  state.resume = null;
  go?.(happened);
}

function lose(state: State, why: LossReason, text: string): Lost {
  if (state.lost !== null) return state.lost;
  const lost: Lost = { got: "lost", why, text };
  state.lost = lost;
  state.deadline.end();
  state.stop.abort();
  state.connection.close();
  settle(state);
  return lost;
}

function onDeadline(state: State): void {
  if (state.resting !== null) return endRest(state);
  const phase = state.wanted?.[state.heard.length];
  const what = phase === undefined ? "the message moving" : `an answer (${phase})`;
  lose(state, "timeout", `waited too long for ${what}`);
}

function sendBody(state: State, body: Body): Happened | null {
  if (state.lost !== null) return state.lost;
  const [early] = state.heard;
  if (early !== undefined) return { got: "early", reply: early };
  state.sentAt = state.clock.monotonicMs();
  if (body.kind === "bytes" && body.bytes.length <= ONE_WRITE_OCTETS) {
    // Answers from within the write wait in `heard` for the next want, which is the dot's reply.
    state.connection.write(dotted(body.bytes, goAhead(state), (octets) => roomFor(state, octets)));
    return { got: "done" };
  }
  state.pouring = pour({
    body,
    write: (octets) => state.connection.write(octets),
    block: () => state.deadline.set(state.deadlines.body),
    ended(happened) {
      state.pouring = null;
      state.sentAt = state.clock.monotonicMs();
      const go = state.resume;
      state.resume = null;
      if (happened.got !== "done") lose(state, "closed", "the message was cut off before its end");
      go?.(happened);
    },
  });
  return null;
}

/**
 * A buffer for one message. It is used again: the next message leaves only after a 354 that came after every octet of this one, so
 * by then the network holds none of it. A fresh buffer each time cost 5 us a message.
 */
function roomFor(state: State, octets: number): Buffer {
  if (octets > ROOM_OCTETS_MAX) return Buffer.allocUnsafeSlow(octets);
  if (state.room.length < octets)
    state.room = Buffer.allocUnsafeSlow(Math.ceil(octets / ROOM_STEP_OCTETS) * ROOM_STEP_OCTETS);
  return state.room.subarray(0, octets);
}

const ROOM_STEP_OCTETS = 4096;
/** Thousands of connections may each keep so much. */
const ROOM_OCTETS_MAX = 16_384;

/** The next dialogue's first group, to leave behind the dot; empty when there is none. */
function goAhead(state: State): string {
  const dialogue = state.ahead?.() ?? null;
  if (dialogue === null) return "";
  const step = dialogue.next();
  const group = step.done !== true && step.value.want === "replies" ? step.value : null;
  state.begun = { dialogue, step, sent: group?.phases ?? null };
  return group === null ? "" : written(group.send);
}

function encrypt(state: State): Happened | null {
  // Octets behind the 220 were not protected by the handshake: somebody put them there (RFC 3207 6, CVE-2021-22947).
  if (state.heard.length > 0 || state.parser.midReply())
    return lose(state, "tls", "the server sent more after its answer to STARTTLS");
  state.deadline.set(state.deadlines.tls);
  void state.connection.startTls(state.stop.signal).then((result) => {
    if (state.lost !== null) return;
    if (result.kind === "failed") lose(state, "tls", result.text);
    else if (state.verifiedOnly && !result.facts.verified)
      lose(state, "tls", "the certificate does not prove the host's name");
    else {
      state.facts = result.facts;
      state.secured(result.facts);
      state.parser = createReplyParser();
      state.deadline.clear();
      resume(state, { got: "done" });
    }
  });
  return null;
}

function rest(state: State, idleMs: number, ended: () => void): void {
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

function quit(state: State): void {
  if (state.lost !== null) return;
  state.resting = null;
  // After a DATA that was sent ahead, QUIT would be a line of a message.
  if (state.begun?.sent == null) state.connection.write(`${QUIT}\r\n`);
  lose(state, "closed", "we are done");
}
