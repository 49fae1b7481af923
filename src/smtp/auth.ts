// Logging in to a relay (RFC 4954): which mechanism, and its conversation. PLAIN, LOGIN and a token show a secret to whoever reads the
// line, so they want a private one; CRAM-MD5 and SCRAM-SHA-256 do not show it.
import { createHmac } from "node:crypto";
import { unreachable } from "../base/unreachable.ts";
import { authLine, fixedLine, line } from "./command.ts";
import { ask, Stop, type Dialogue } from "./dialogue.ts";
import type { Offer } from "./extensions.ts";
import { classOf, type Reply } from "./reply.ts";
import { createScram } from "./scram.ts";
import { secretsOf, without } from "./secrets.ts";

export interface Login {
  readonly user: string;
  /** The password; for XOAUTH2 the access token. */
  readonly pass: string;
  /** Use this one and no other; undefined: the best that the server offers. */
  readonly mechanism?: Mechanism;
}

export const mechanisms = ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN", "XOAUTH2"] as const;
export type Mechanism = (typeof mechanisms)[number];

/** Under TLS: the server proves itself first, then what every server has got right; MD5 last. */
const onPrivateLine: readonly Mechanism[] = ["SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"];
/** In clear: what shows no password. A token is used only where it is named as one. */
const inClear: readonly Mechanism[] = ["SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"];

export function mechanismFor(offer: Offer, login: Login, secured: boolean): Mechanism | undefined {
  const { mechanism } = login;
  if (mechanism !== undefined) return offer.auth.includes(mechanism) ? mechanism : undefined;
  return (secured ? onPrivateLine : inClear).find((one) => offer.auth.includes(one));
}

export interface LoginOptions {
  readonly login: Login;
  readonly offer: Offer;
  readonly secured: boolean;
  /** The password may be said in clear: the server is on this host, or the operator wants it so. */
  readonly clearAllowed: boolean;
  /** Printable and never the same twice, for SCRAM. */
  nonce(): string;
}

/** Challenges that a server may send; SCRAM has two, LOGIN two. */
const CHALLENGES_MAX = 4;
/** RFC 4954 4: an initial answer that makes the command longer than this waits for an empty challenge. */
const COMMAND_MAX_OCTETS = 510;

export function* logIn(options: LoginOptions): Dialogue<void> {
  const { login, offer, secured, clearAllowed, nonce } = options;
  if (!secured && !clearAllowed) {
    const text = "the connection is not encrypted: the password is not sent";
    throw new Stop({ end: "unfit", lacks: "private", text });
  }
  const mechanism = mechanismFor(offer, login, secured);
  if (mechanism === undefined) throw unfit(missing(offer, login));
  const exchange = exchangeOf(mechanism, login, nonce);
  const { first } = exchange;
  const whole = first === undefined ? undefined : line(`AUTH ${mechanism} ${base64(first)}`);
  const atOnce = whole !== undefined && whole.length <= COMMAND_MAX_OCTETS;
  let waiting = atOnce ? undefined : first;
  let reply = yield* ask("auth", atOnce ? whole : fixedLine(`AUTH ${mechanism}`));
  for (let count = 0; reply.code === 334 && count < CHALLENGES_MAX; count++) {
    const answer = waiting ?? exchange.next(challengeOf(reply));
    waiting = undefined;
    const said = answer === undefined ? undefined : authLine(base64(answer));
    if (said === undefined) {
      // RFC 4954 4: a lone star takes the whole of it back.
      yield* ask("auth", fixedLine("*"));
      throw unfit(`the server's ${mechanism} cannot be answered`);
    }
    reply = yield* ask("auth", said);
  }
  if (classOf(reply) !== 2) {
    const secrets = secretsOf(login);
    const lines = reply.lines.map((text) => without(secrets, text));
    throw new Stop({ end: "refused", phase: "auth", reply: { ...reply, lines } });
  }
  if (!exchange.satisfied()) throw unfit("the server did not prove that it knows the password");
}

function missing(offer: Offer, { mechanism }: Login): string {
  const wanted = mechanism ?? inClear.join(", ");
  const had = offer.auth.length === 0 ? "no AUTH" : `AUTH ${offer.auth.join(" ")}`;
  return `the server offers ${had}, not ${wanted}`.slice(0, TEXT_MAX);
}

const TEXT_MAX = 200;

const unfit = (text: string): Stop => new Stop({ end: "unfit", lacks: "auth", text });

/** One mechanism's side of the conversation; its texts are not yet base64. */
interface Exchange {
  /** Undefined where the server speaks first. */
  readonly first: string | undefined;
  /** Undefined: this challenge cannot be answered. */
  next(challenge: string): string | undefined;
  /** The server has shown what this mechanism makes it show. */
  satisfied(): boolean;
}

function exchangeOf(mechanism: Mechanism, login: Login, nonce: () => string): Exchange {
  const { user, pass } = login;
  switch (mechanism) {
    case "PLAIN":
      // RFC 4616: no other identity than the user's own.
      return listed(`\0${user}\0${pass}`, []);
    case "LOGIN":
      return listed(undefined, [user, pass]);
    case "XOAUTH2":
      // An error comes as a challenge; the empty answer to it brings the 535.
      return listed(`user=${user}\x01auth=Bearer ${pass}\x01\x01`, [""]);
    case "CRAM-MD5":
      return cram(login);
    case "SCRAM-SHA-256":
      return scram(login, nonce());
    default:
      return unreachable(mechanism);
  }
}

/** Answers in order, whatever the challenges say. */
function listed(first: string | undefined, answers: readonly string[]): Exchange {
  const left = [...answers];
  return { first, next: () => left.shift(), satisfied: () => true };
}

/** RFC 2195. */
function cram({ user, pass }: Login): Exchange {
  let answered = false;
  return {
    first: undefined,
    next(challenge) {
      if (answered) return undefined;
      answered = true;
      return `${user} ${createHmac("md5", pass).update(challenge, "latin1").digest("hex")}`;
    },
    satisfied: () => answered,
  };
}

function scram(login: Login, nonce: string): Exchange {
  const run = createScram(login, nonce);
  let answered = false;
  let proven = false;
  return {
    first: run.first,
    next(challenge) {
      if (!answered) {
        answered = true;
        return run.final(challenge);
      }
      // RFC 5802 7: a server that found fault says which, and then 535.
      if (challenge.startsWith("e=")) return "";
      // Without proof the conversation is taken back.
      proven = run.proves(challenge);
      return proven ? "" : undefined;
    },
    satisfied: () => proven,
  };
}

/** One character an octet. What is no base64 is read as far as it goes: the mechanism will not like it. */
function challengeOf(reply: Reply): string {
  return Buffer.from(reply.lines[0] ?? "", "base64").toString("latin1");
}

/** An empty answer is `=` only as an initial response (RFC 4954 4); none of ours is empty there. */
const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
