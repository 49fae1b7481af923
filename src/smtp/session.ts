// An SMTP session as coroutines that want things and are told what happened: no socket, no clock, no promise. Setting a connection
// up (`opening`) is apart from sending on it (`transaction`), so that a kept connection runs one transaction after another.
// The program counter is the state; read it from top to bottom like a dialogue.
import { authLines, mechanismFor, type Login } from "./auth.ts";
import { fixedLine, line, STARTTLS, type Line } from "./command.ts";
import { nothingOffered, offerOf, type Offer } from "./extensions.ts";
import { phases, type Phase } from "./phases.ts";
import { classOf, type Reply } from "./reply.ts";

export type Want =
  /** Write the line, if any, and wait for one reply. */
  | { readonly want: "reply"; readonly phase: Phase; readonly send: Line | null }
  /** Write all lines at once and wait for as many replies (RFC 2920). */
  | { readonly want: "replies"; readonly phases: readonly Phase[]; readonly send: readonly Line[] }
  /** Encrypt the connection; octets that were read before count as an attack (RFC 3207 5). */
  | { readonly want: "tls" }
  /** Write the message and its dot. */
  | { readonly want: "body" };

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
  /** The body cannot be read, or is not what was accepted: its dot was not sent, the connection is gone. */
  | { readonly got: "spoiled"; readonly text: string }
  /** The server answered before the body was out: its dot was not sent. */
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

export type OpeningEnd =
  { readonly end: "ready"; readonly offer: Offer; readonly secured: boolean } | OpeningTrouble;

export interface OpeningOptions {
  /** Our name for EHLO. */
  readonly helo: string;
  readonly encrypt: "never" | "offered" | "always";
  /** Already encrypted, as with implicit TLS (RFC 8314). */
  readonly secured: boolean;
  readonly login: Login | null;
  /** A password may be said in clear: the server is on this host. */
  readonly loopback: boolean;
  /** Say HELO at once, to a server that hung up on EHLO. */
  readonly heloOnly?: boolean;
}

/** Raised by the steps of `opening`, never leaves this file. */
class Stop {
  readonly end: OpeningTrouble;
  constructor(end: OpeningTrouble) {
    this.end = end;
  }
}

export function* opening(options: OpeningOptions): Dialogue<OpeningEnd> {
  try {
    yield* expect("greeting", null);
    let offer = yield* hello(options);
    let secured = options.secured;
    if (!secured && options.encrypt !== "never" && (yield* startTls(offer, options))) {
      secured = true;
      // What was said before the handshake may have been said by anybody (RFC 3207 4.2).
      offer = yield* hello(options);
    }
    if (options.login !== null) yield* login(options.login, offer, secured || options.loopback);
    return { end: "ready", offer, secured };
  } catch (stop) {
    if (stop instanceof Stop) return stop.end;
    throw stop;
  }
}

function* hello(options: OpeningOptions): Dialogue<Offer> {
  const name = line(options.helo) ?? fixedLine("localhost");
  if (options.heloOnly !== true) {
    const reply = yield* ask("ehlo", fixedLine(`EHLO ${name}`));
    if (accepted("ehlo", reply)) return offerOf(reply);
    // A server from before RFC 1869 says 500 or 502; anything but "never" is no reason to try the old way.
    if (classOf(reply) !== 5) throw new Stop({ end: "refused", phase: "ehlo", reply });
  }
  yield* expect("helo", fixedLine(`HELO ${name}`));
  return nothingOffered;
}

/** True when the connection is encrypted now; false when it may go on in clear. */
function* startTls(offer: Offer, options: OpeningOptions): Dialogue<boolean> {
  if (!offer.starttls) {
    if (options.encrypt === "offered") return false;
    throw new Stop({ end: "unfit", lacks: "tls", text: "the server does not offer STARTTLS" });
  }
  const reply = yield* ask("starttls", STARTTLS);
  if (!accepted("starttls", reply)) {
    // 454: TLS is not to be had at the moment (RFC 3207 4). The session stands as it was.
    if (options.encrypt === "offered" && reply.code !== 421) return false;
    throw new Stop({ end: "refused", phase: "starttls", reply });
  }
  const happened = yield { want: "tls" };
  if (happened.got === "done") return true;
  throw new Stop({ end: "lost", phase: "tls", ...lossOf(happened) });
}

function* login(who: Login, offer: Offer, safe: boolean): Dialogue<void> {
  if (!safe) {
    const text = "the connection is not encrypted: the password is not sent";
    throw new Stop({ end: "unfit", lacks: "private", text });
  }
  const mechanism = mechanismFor(offer);
  const lines = mechanism && authLines(mechanism, who);
  if (lines === undefined) {
    const text =
      mechanism === undefined
        ? "the server offers neither AUTH PLAIN nor LOGIN"
        : "the name or password for AUTH is too long";
    throw new Stop({ end: "unfit", lacks: "auth", text });
  }
  for (const command of lines.slice(0, -1)) yield* expect("challenge", command);
  yield* expect("auth", lines.at(-1) ?? null);
}

/** The reply, or the end of the session. */
function* ask(phase: Phase, send: Line | null): Dialogue<Reply> {
  const happened = yield { want: "reply", phase, send };
  if (happened.got === "reply") return happened.reply;
  throw new Stop({ end: "lost", phase, ...lossOf(happened) });
}

/** As `ask`, when only success lets the session go on. */
function* expect(phase: Phase, send: Line | null): Dialogue<Reply> {
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
