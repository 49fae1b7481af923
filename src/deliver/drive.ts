// Runs dialogues of smtp/ against a Connection: the only place where wants meet octets. The hot path makes no promise and no timer: a
// reply resumes the coroutine in the same turn of the event loop.
import { unreachable } from "../base/unreachable.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import { QUIT } from "../smtp/command.ts";
import type { Dialogue, Happened, LossReason, Want } from "../smtp/dialogue.ts";
import { phases, type Phase } from "../smtp/phases.ts";
import { createReplyParser } from "../smtp/reply.ts";
import type { Body } from "./body.ts";
import { createDeadline } from "./deadline.ts";
import {
  converse,
  converseBegun,
  lose,
  onData,
  onDeadline,
  rest,
  resume,
  type State,
  type TalkDeps,
} from "./hear.ts";
import type { About } from "./metering.ts";
import { noteAsked, noteSecured, type Recording } from "./record.ts";
import { sendBody, written } from "./say.ts";

export interface RunOptions {
  readonly recording: Recording | null;
  readonly ahead?: (() => Dialogue<unknown> | null) | undefined;
  readonly about?: About;
}

export interface Talk {
  /**
   * One dialogue at a time. `done` may be called before `run` returns. `ahead` is asked, when a small body is about to leave, for
   * the dialogue that will be run next: its first group of commands then leaves with the body. What is said goes into `recording`.
   */
  run<T>(
    dialogue: Dialogue<T>,
    body: Body | null,
    done: (result: T) => void,
    options?: RunOptions,
  ): void;
  /** The last answer to a dot came within `ms`; false when there was none yet. */
  answersWithin(ms: number): boolean;
  /** The end of a message has been sent, and its answer is waited for. */
  pastDot(): boolean;
  /** What is waited for, and since when by the monotonic clock. */
  waits(): { readonly phase: Phase; readonly sinceMs: number } | null;
  /** Between dialogues: `ended` is called once the server hung up or said something unasked, or `idleMs` have passed. */
  rest(idleMs: number, ended: () => void): void;
  tls(): TlsFacts | null;
  /** QUIT without waiting for its answer, which could change nothing. */
  quit(): void;
  /** A running dialogue sees `lost`. */
  close(why: LossReason, text: string): void;
}

export function createTalk(deps: TalkDeps): Talk {
  const state: State = {
    ...deps,
    deadline: createDeadline(deps.clock, () => onDeadline(state)),
    stop: null,
    parser: createReplyParser(),
    heard: [],
    lost: null,
    facts: deps.connection.tls,
    resume: null,
    wanted: null,
    group: false,
    awaited: -1,
    sentAt: deps.clock.monotonicMs(),
    sending: null,
    recording: null,
    about: null,
    doing: null,
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
    run: (dialogue, body, done, options) => {
      state.ahead = options?.ahead ?? null;
      state.recording = options?.recording ?? null;
      state.about = options?.about ?? null;
      run(state, dialogue, body, done);
    },
    answersWithin: (ms) => state.dotMs <= ms,
    pastDot: () => state.wanted?.[0] === "dot",
    waits() {
      const phase = state.wanted?.[state.heard.length];
      return phase === undefined ? null : { phase, sinceMs: state.sentAt };
    },
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
        state.recording = null;
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
  if (state.recording !== null && begun.step.done !== true) noteAsked(state, begun.step.value);
  const happened = converseBegun(state, begun.sent);
  if (happened !== null) advance(dialogue.next(happened));
  else state.resume = (later) => advance(dialogue.next(later));
}

/** Null when `resume` will be called later. */
function perform(state: State, want: Want, body: Body | null): Happened | null {
  if (state.recording !== null) noteAsked(state, want);
  switch (want.want) {
    case "reply":
      return converse(state, alone[want.phase], want.send === null ? null : `${want.send}\r\n`);
    case "replies":
      return converse(state, want.phases, written(want.send), true);
    case "body":
      if (body === null) throw new Error("a dialogue that has no body wants one");
      return sendBody(state, body, want);
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

function encrypt(state: State): Happened | null {
  // Octets behind the 220 were not protected by the handshake: somebody put them there (RFC 3207 6, CVE-2021-22947).
  if (state.heard.length > 0 || state.parser.midReply())
    return lose(state, "tls", "the server sent more after its answer to STARTTLS");
  state.deadline.set(state.deadlines.tls);
  state.sentAt = state.clock.monotonicMs();
  state.doing = "tls";
  state.stop = new AbortController();
  void state.connection.startTls(state.stop.signal).then((result) => {
    state.stop = null;
    if (state.lost !== null) return;
    if (result.kind === "failed") lose(state, "tls", result.text);
    else if (state.verifiedOnly && !result.facts.verified)
      lose(state, "tls", "the certificate does not prove the host's name");
    else {
      state.facts = result.facts;
      state.secured(result.facts);
      state.doing = null;
      const tookMs = state.clock.monotonicMs() - state.sentAt;
      noteSecured(state.recording, result.facts, { sentAtMs: state.sentAt, tookMs });
      state.parser = createReplyParser();
      state.deadline.clear();
      resume(state, { got: "done" });
    }
  });
  return null;
}

function quit(state: State): void {
  if (state.lost !== null) return;
  state.resting = null;
  // After a DATA that was sent ahead, QUIT would be a line of a message.
  if (state.begun?.sent == null) state.connection.write(`${QUIT}\r\n`);
  lose(state, "closed", "we are done");
}
