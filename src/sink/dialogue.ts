// One SMTP connection as the server sees it, without a socket: bytes in, actions out, delays as
// data. The same code serves the `sink` command, the daemon's built-in `*@postrider.test` and the
// simulator. Deliberately strict (RFC 5321 2.3.8), so that a fault of our client shows here first.
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Fault } from "./faults.ts";
import { scenarioOfDomain, type Scenario, type SinkPhase } from "./scenarios.ts";
import { sayAndEnd, type Session } from "./session.ts";
import { command, content, greet, loginLine } from "./verbs.ts";

/**
 * In order; what follows a delay waits for it. After `hang` nothing more will be said. Text is
 * Latin-1.
 */
export type SinkAction =
  | { readonly kind: "reply"; readonly text: string }
  | { readonly kind: "delay"; readonly delayMs: number }
  | { readonly kind: "take"; readonly taken: Taken }
  | { readonly kind: "starttls" }
  | { readonly kind: "hang" }
  | { readonly kind: "close" };

/** A message that the server keeps, whether or not the client will hear of it. */
export interface Taken {
  readonly from: string;
  readonly recipients: readonly string[];
  readonly helo: string;
  readonly secure: boolean;
  readonly sizeBytes: number;
  /** `X-Id`, else Message-ID without its angle brackets, else empty. */
  readonly id: string;
  /** What a correct client does not do, in words. */
  readonly complaints: readonly string[];
  /** The message with dots unstuffed; cut at `keptBytes`. */
  content(): Uint8Array;
  /** What heard all of it, where somebody wanted to. */
  readonly tap: Tap | undefined;
}

/** Hears the content of one message as it comes, dots stuffed, up to the line of its final dot. The chunks stay as they are. */
export interface Tap {
  add(chunk: Uint8Array): void;
}

export interface DialogueOptions {
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<Random, "roll">;
  readonly memory: SinkMemory;
  readonly hostname?: string | undefined;
  /** The name that the client looked up, where it is known: a first label may name a scenario. */
  readonly domain?: string | undefined;
  readonly offersTls?: boolean | undefined;
  /** Already encrypted, as with implicit TLS (RFC 8314). */
  readonly secure?: boolean | undefined;
  readonly login?: { readonly user: string; readonly pass: string } | undefined;
  readonly faults?: readonly Fault[] | undefined;
  readonly delaysMs?: Partial<Readonly<Record<SinkPhase, number>>> | undefined;
  readonly sizeMax?: number | undefined;
  readonly recipientsMax?: number | undefined;
  /** How much of each message can be read afterwards; the headers need a part of it. */
  readonly keptBytes?: number | undefined;
  /** Asked as the content of a message begins. */
  readonly tap?: ((envelope: { from: string; recipients: readonly string[] }) => Tap) | undefined;
  /** Only addresses of this domain name scenarios; absent: all do. */
  readonly scenarioDomain?: string | undefined;
}

export interface Dialogue {
  greet(): readonly SinkAction[];
  /** The chunk is kept in part: do not reuse its memory. */
  receive(chunk: Uint8Array): readonly SinkAction[];
  /** After the action `starttls`, once the handshake is done: forgets everything (RFC 3207 4.2). */
  secured(): void;
}

/** What a server remembers across its connections; bounded. */
export interface SinkMemory {
  readonly greylist: Map<string, number>;
  readonly nextConnection: Scenario[];
}

export function createSinkMemory(): SinkMemory {
  return { greylist: new Map(), nextConnection: [] };
}

const COMMAND_BYTES_MAX = 4_096;
const LF = 10;
const CR = 13;

export function createDialogue(options: DialogueOptions): Dialogue {
  const { domain, memory } = options;
  const named = domain === undefined ? undefined : scenarioOfDomain(domain);
  const session: Session = {
    options,
    early: named ?? memory.nextConnection.shift(),
    mode: { at: "command" },
    secure: options.secure ?? false,
    helo: "",
    loggedIn: options.login === undefined,
    badCommands: 0,
    transaction: null,
    actions: [],
  };
  let partial: Uint8Array | null = null;

  /** Takes one line, or all that there is of it; gives the next index. */
  const takeLine = (chunk: Uint8Array, from: number): number => {
    const at = chunk.indexOf(LF, from);
    const piece = chunk.subarray(from, at < 0 ? chunk.length : at);
    const whole = partial === null ? piece : joined(partial, piece);
    partial = at < 0 ? whole : null;
    if (whole.length > COMMAND_BYTES_MAX) sayAndEnd(session, "500 5.5.6 The line is too long");
    else if (at >= 0) takeCommand(session, whole);
    return at < 0 ? chunk.length : at + 1;
  };

  const flush = (): readonly SinkAction[] => {
    const { actions } = session;
    session.actions = [];
    return actions;
  };

  return {
    greet() {
      greet(session);
      return flush();
    },
    receive(chunk) {
      let at = 0;
      while (at < chunk.length) {
        const { mode } = session;
        // What was sent before the handshake is not protected: it is dropped, never read as
        // commands.
        if (mode.at === "over" || mode.at === "handshake") break;
        at = mode.at === "content" ? content(session, mode, chunk, at) : takeLine(chunk, at);
      }
      return flush();
    },
    secured() {
      session.mode = { at: "command" };
      session.secure = true;
      session.helo = "";
      session.transaction = null;
      partial = null;
    },
  };
}

/** A line without its LF. */
function takeCommand(session: Session, bytes: Uint8Array): void {
  const end = bytes.indexOf(CR);
  if (end < 0 || end !== bytes.length - 1)
    return sayAndEnd(session, "521 5.5.2 A CR or LF stands alone");
  const line = Buffer.from(bytes.buffer, bytes.byteOffset, end).toString();
  if (session.mode.at === "login") loginLine(session, session.mode, line);
  else command(session, line);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
