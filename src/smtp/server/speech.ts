// What a session that we serve is made of: what it wants and hears, what it knows, and how it says a reply and awaits a line.
import { unreachable } from "../../base/unreachable.ts";
import type { ServerLimits, ServerPhase } from "./phases.ts";
import { last, lineOf, type Said } from "./said.ts";

export interface ServerOptions {
  readonly hostname: string;
  readonly limits: ServerLimits;
  /** STARTTLS can be done. */
  readonly offersTls: boolean;
  /** From the first octet on (RFC 8314). */
  readonly secure: boolean;
  /** A key may be said in clear: the client is on this host. */
  readonly clearLogin: boolean;
}

export interface ServerEnvelope {
  /** As the decisions gave them back. */
  readonly from: string;
  readonly recipients: readonly string[];
  readonly helo: string;
  /** The word of the trace field (RFC 3848, RFC 6531 4.3). */
  readonly protocol: string;
}

export type ServerWant =
  /** Text for the client; it may leave together with what follows. */
  | { readonly want: "say"; readonly text: string; readonly refusal?: string }
  | { readonly want: "line"; readonly phase: ServerPhase; readonly octetsMax: number }
  /** Say this and begin the handshake, unless octets already wait behind the command: those came unprotected. */
  | { readonly want: "tls"; readonly text: string }
  | { readonly want: "login"; readonly password: string }
  | { readonly want: "sender"; readonly address: string }
  | { readonly want: "recipient"; readonly address: string }
  /** Take the message up to its dot and make it ours. */
  | { readonly want: "content"; readonly envelope: ServerEnvelope };

export type ServerHeard =
  | { readonly got: "done" }
  | { readonly got: "line"; readonly text: string }
  /** No line of SMTP: `bare` has a CR or LF that stands alone, `text` is no UTF-8 or holds a NUL. */
  | { readonly got: "broken"; readonly why: "bare" | "long" | "text" }
  | { readonly got: "late" }
  /** The daemon ends. */
  | { readonly got: "drain" }
  /** `value`: the address in wire form, where an address was asked about. */
  | { readonly got: "yes"; readonly value: string }
  | { readonly got: "no"; readonly said: Said };

export type ServerSession = Generator<ServerWant, void, ServerHeard>;
export type Step<T = void> = Generator<ServerWant, T, ServerHeard>;

export interface Mail {
  readonly from: string;
  readonly utf8: boolean;
  readonly recipients: Set<string>;
}

export interface State {
  readonly options: ServerOptions;
  secure: boolean;
  helo: string;
  extended: boolean;
  loggedIn: boolean;
  wrongKeys: number;
  commands: number;
  idleCommands: number;
  errors: number;
  mail: Mail | null;
  over: boolean;
}

export function* say(state: State, what: Said): Step {
  if (what.code >= 500) state.errors++;
  if (what.close === true) state.over = true;
  const text = lineOf(what);
  yield what.reason === undefined
    ? { want: "say", text }
    : { want: "say", text, refusal: what.reason };
  if (state.errors > state.options.limits.errors && !state.over) {
    state.errors = 0;
    yield* say(state, last(421, "4.7.0", "Too many errors", "smtp_errors"));
  }
}

/** Undefined: there is none, and the session is over. */
export function* nextLine(state: State, phase: ServerPhase): Step<string | undefined> {
  const { lineOctets, authOctets } = state.options.limits;
  const octetsMax = phase === "auth" ? authOctets : lineOctets;
  const heard = yield { want: "line", phase, octetsMax };
  switch (heard.got) {
    case "line":
      return heard.text;
    case "broken":
      yield* say(state, brokenLine(heard.why, octetsMax));
      return undefined;
    case "late":
      yield* say(state, last(421, "4.4.2", "Nothing came for too long", "smtp_timeout"));
      return undefined;
    case "drain":
      yield* say(state, last(421, "4.3.2", "The daemon is stopping, try again later"));
      return undefined;
    case "done":
    case "yes":
    case "no":
      throw new Error(`${heard.got} is no line`);
    default:
      return unreachable(heard);
  }
}

/** What follows such a line cannot be told from it, so the session ends. */
function brokenLine(why: "bare" | "long" | "text", octetsMax: number): Said {
  switch (why) {
    case "bare":
      return last(500, "5.5.2", "A line ends with CR LF (RFC 5321 2.3.8)", "smtp_bare_line_end");
    case "long":
      return last(500, "5.5.6", `A line has at most ${octetsMax} octets`, "smtp_line_too_long");
    case "text":
      return last(500, "5.5.2", "A command is text in UTF-8", "smtp_bad_command");
    default:
      return unreachable(why);
  }
}

/** The answer to a question that was decided against. */
export function saidIn(heard: ServerHeard): Said {
  if (heard.got !== "no") throw new Error(`${heard.got} is no decision`);
  return heard.said;
}

export function mayLogIn({ options, secure }: State): boolean {
  return secure || options.clearLogin;
}
