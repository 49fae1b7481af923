// One client of the SMTP listener: carries octets into the session and does what it wants. Without a socket of its own, so that every
// way in which a client can come, dawdle and vanish is tested in memory.
import type { Clock } from "../../base/clock.ts";
import { unreachable } from "../../base/unreachable.ts";
import { createContentReader } from "../../smtp/server/content.ts";
import type { ServerPhase, ServerTimeouts } from "../../smtp/server/phases.ts";
import { last, said } from "../../smtp/server/said.ts";
import { serverSession } from "../../smtp/server/session.ts";
import type {
  ServerEnvelope,
  ServerHeard,
  ServerOptions,
  ServerWant,
} from "../../smtp/server/speech.ts";
import { freeChunk } from "../chunks.ts";
import { createDeadline } from "./deadline.ts";
import { createIncoming } from "./incoming.ts";

/** The socket as the connection sees it. */
export interface Wire {
  /** False: the client does not read as fast as it is told; `drained` will be called. */
  write(text: string): boolean;
  pause(): void;
  resume(): void;
  /** Begins the handshake as a server; `secured` will be called. */
  startTls(): void;
  /** Lets what was written arrive, then closes. */
  end(): void;
  destroy(): void;
}

/** A message that is coming in. */
export interface Taker {
  /** The next may be given once it has settled; undefined: at once. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Settles after the commit: `yes` with the message's id, or why it was not taken. */
  end(): Promise<Decision>;
  /** Leaves nothing of it. */
  discard(): Promise<void>;
}

export type Decision = Extract<ServerHeard, { readonly got: "yes" | "no" }>;

/** What is decided about this client. */
export interface Desk {
  login(password: string): Decision | Promise<Decision>;
  sender(address: string): Decision | Promise<Decision>;
  recipient(address: string): Decision;
  take(envelope: ServerEnvelope): Taker;
}

export interface ConnectionDeps {
  readonly clock: Clock;
  readonly options: ServerOptions;
  readonly timeouts: ServerTimeouts;
  readonly desk: Desk;
  readonly wire: Wire;
  /** A refusal was said. */
  readonly refused: (reason: string) => void;
  /** A bug of ours, or a disk that fails. */
  readonly failed: (error: unknown) => void;
}

export interface Connection {
  start(): void;
  received(chunk: Buffer): void;
  drained(): void;
  secured(): void;
  /** The client says no more, and may still listen. */
  ended(): void;
  /** The client is gone. */
  closed(): void;
  /** The daemon ends: a message that is under way ends first. */
  drain(): void;
  /** A message is under way. */
  busy(): boolean;
}

/** Octets that wait for us while we wait for something else; beyond that the socket is not read. */
const HELD_MAX_BYTES = 65_536;
/** From here on it is read again: more than any line has, since a line that is cut there waits for its rest. */
const HELD_LOW_BYTES = 16_384;
const LARGE_CHUNK_BYTES = 16_384;

type Mode = "line" | "tls" | "content" | "deciding" | "over";

const NOTHING = Buffer.alloc(0);
const DONE: ServerHeard = { got: "done" };
const LF = 10;
const CR = 13;

export function createConnection(deps: ConnectionDeps): Connection {
  const { clock, wire, desk, timeouts } = deps;
  const session = serverSession(deps.options);
  const openedMs = clock.monotonicMs();
  const deadline = createDeadline(clock);
  let mode: Mode = "deciding";
  let lineMax = 0;
  let linePhase: ServerPhase = "stranger";
  let held: Buffer = NOTHING;
  let at = 0;
  let out = "";
  /** The client does not read what it was told. */
  let blocked = false;
  let paused = false;
  let draining = false;
  /** Wakes the content loop: there are octets, or there never will be. */
  let wake: (() => void) | null = null;
  let lateContent = false;
  let inputEnded = false;

  const isOver = (): boolean => mode === "over";
  const finish = (): void => {
    if (isOver()) return;
    mode = "over";
    deadline.end();
    held = NOTHING;
    at = 0;
    wake?.();
  };

  const flush = (): void => {
    if (out === "") return;
    const text = out;
    out = "";
    if (wire.write(text)) return;
    blocked = true;
    deadline.set(timeouts.reading, () => wire.destroy());
  };

  /** A bug of ours costs this client its connection, and nobody else theirs. */
  const run = (heard: ServerHeard): void => {
    try {
      advance(heard);
    } catch (error) {
      deps.failed(error);
      finish();
      wire.destroy();
    }
  };

  const advance = (heard: ServerHeard): void => {
    for (let next: ServerHeard | undefined = heard; next !== undefined && mode !== "over";) {
      const step = session.next(next);
      if (step.done === true) {
        flush();
        return hangUp();
      }
      next = perform(step.value);
    }
  };

  /** Undefined: the answer comes later. */
  const perform = (want: ServerWant): ServerHeard | undefined => {
    switch (want.want) {
      case "say":
        out += want.text;
        if (want.refusal !== undefined) deps.refused(want.refusal);
        return DONE;
      case "line":
        [mode, lineMax, linePhase] = ["line", want.octetsMax, want.phase];
        return awaitLine();
      case "tls":
        return beginTls(want.text);
      case "login":
        return decide(() => desk.login(want.password));
      case "sender":
        return decide(() => desk.sender(want.address));
      case "recipient":
        return decide(() => desk.recipient(want.address));
      case "content":
        mode = "content";
        flush();
        void takeContent(desk.take(want.envelope)).then(run);
        return undefined;
      default:
        return unreachable(want);
    }
  };

  const awaitLine = (): ServerHeard | undefined => {
    // Replies leave together, once nothing more can be answered.
    const heard = blocked ? undefined : takeLine();
    if (heard !== undefined) return heard;
    if (draining && !blocked) return { got: "drain" };
    flush();
    if (inputEnded) hangUp();
    else if (!blocked) armLine();
    return undefined;
  };

  const hangUp = (): void => {
    finish();
    wire.end();
  };

  const armLine = (): void => {
    const sinceMs = linePhase === "stranger" ? clock.monotonicMs() - openedMs : 0;
    deadline.set(timeouts[linePhase] - sinceMs, () => mode === "line" && run({ got: "late" }));
  };

  const takeLine = (): ServerHeard | undefined => {
    const end = held.indexOf(LF, at);
    const octets = (end < 0 ? held.length : end + 1) - at;
    if (octets > lineMax) return { got: "broken", why: "long" };
    if (end < 0) return undefined;
    const bytes = held.subarray(at, end);
    consume(end + 1);
    // Only one CR, and that before the LF.
    if (bytes.indexOf(CR) !== bytes.length - 1 || bytes.length === 0)
      return { got: "broken", why: "bare" };
    const text = bytes.toString("utf8", 0, bytes.length - 1);
    if (text.includes("\0") || text.includes("\ufffd")) return { got: "broken", why: "text" };
    return { got: "line", text };
  };

  const consume = (to: number): void => {
    at = to;
    if (at >= held.length) [held, at] = [NOTHING, 0];
    if (!paused || held.length - at > HELD_LOW_BYTES) return;
    paused = false;
    wire.resume();
  };

  const decide = (ask: () => Decision | Promise<Decision>): ServerHeard | undefined => {
    mode = "deciding";
    const answer = ask();
    if (!(answer instanceof Promise)) return answer;
    flush();
    void answer.catch(failure).then(run);
    return undefined;
  };

  const failure = (error: unknown): Decision => {
    deps.failed(error);
    return { got: "no", said: said(451, "4.3.0", "Something went wrong here", "internal_error") };
  };

  const beginTls = (text: string): ServerHeard | undefined => {
    // What came unprotected behind STARTTLS is not read as if it had come by TLS.
    if (at < held.length)
      return {
        got: "no",
        said: last(503, "5.5.1", "Nothing may follow STARTTLS", "smtp_injected"),
      };
    mode = "tls";
    out += text;
    flush();
    deadline.set(timeouts.tls, () => wire.destroy());
    wire.startTls();
    return undefined;
  };

  // -- the content of a message

  /** False: nothing will come any more. */
  const more = (): Promise<boolean> | boolean => {
    if (at < held.length) return true;
    if (isOver() || lateContent || inputEnded) return false;
    return new Promise((resolve) => {
      wake = () => {
        wake = null;
        resolve(at < held.length && mode !== "over");
      };
    });
  };

  const takeContent = async (taker: Taker): Promise<ServerHeard> => {
    lateContent = false;
    const untilMs = clock.monotonicMs() + timeouts.content;
    const incoming = createIncoming(createContentReader(), taker, deps.options.limits.messageBytes);
    try {
      for (;;) {
        const leftMs = untilMs - clock.monotonicMs();
        if (!blocked) deadline.set(Math.min(timeouts.block, leftMs), lateNow);
        const isMore = more();
        if (!(isMore === true || (await isMore))) return await gone(taker);
        const [chunk, from] = [held, at];
        const took = incoming.read(chunk, from);
        consume(took.next);
        if (took.written !== undefined) await took.written;
        // Written or copied: of a large message thousands of these would wait for the collector.
        if (took.next === chunk.length && chunk.length >= LARGE_CHUNK_BYTES) freeChunk(chunk);
        if (took.refusal !== undefined) {
          await taker.discard();
          return { got: "no", said: took.refusal };
        }
        if (took.whole) break;
      }
      deadline.stop();
      return await taker.end();
    } catch (error) {
      await taker.discard().catch(deps.failed);
      return failure(error);
    }
  };

  const lateNow = (): void => {
    lateContent = true;
    wake?.();
  };

  const gone = async (taker: Taker): Promise<ServerHeard> => {
    await taker.discard();
    return { got: "no", said: last(421, "4.4.2", "The message came too slowly", "smtp_timeout") };
  };

  return {
    start: () => run(DONE),
    received(chunk) {
      if (mode === "over" || mode === "tls") return;
      held = at < held.length ? Buffer.concat([held.subarray(at), chunk]) : chunk;
      at = 0;
      if (mode === "content") wake?.();
      else if (mode === "line" && !blocked) {
        const heard = takeLine();
        if (heard !== undefined) run(heard);
      }
      if (held.length - at <= HELD_MAX_BYTES || paused || isOver()) return;
      paused = true;
      wire.pause();
    },
    drained() {
      if (!blocked) return;
      blocked = false;
      deadline.stop();
      if (mode === "content") deadline.set(timeouts.block, lateNow);
      if (mode !== "line") return;
      const heard = awaitLine();
      if (heard !== undefined) run(heard);
    },
    secured() {
      if (mode !== "tls") return;
      deadline.stop();
      run(DONE);
    },
    ended() {
      inputEnded = true;
      if (mode === "content") wake?.();
      else if (mode === "line") hangUp();
      else if (mode === "tls") wire.destroy();
    },
    closed: finish,
    drain() {
      draining = true;
      if (mode === "line" && !blocked && at >= held.length) run({ got: "drain" });
    },
    busy: () => mode === "content" || mode === "deciding",
  };
}
