// A session that we serve, as a coroutine: it wants a line, a decision, a message's content, and hears what happened. No socket, no
// clock: every path of it can be walked in a test. Nothing of a message is taken without a login, from whatever address.
import { isHelloName } from "./grammar.ts";
import { authenticate } from "./login.ts";
import { data, mailFrom, rcptTo } from "./mail.ts";
import { last, lineOf, linesOf, said, type Said } from "./said.ts";
import {
  mayLogIn,
  nextLine,
  say,
  type ServerOptions,
  type ServerSession,
  type State,
  type Step,
} from "./speech.ts";

export function* serverSession(options: ServerOptions): ServerSession {
  const state: State = {
    options,
    secure: options.secure,
    helo: "",
    extended: false,
    loggedIn: false,
    wrongKeys: 0,
    commands: 0,
    idleCommands: 0,
    errors: 0,
    mail: null,
    over: false,
  };
  yield* say(state, said(220, "", `${options.hostname} ESMTP Postrider`));
  while (!state.over) {
    const line = yield* nextLine(state, state.loggedIn ? "command" : "stranger");
    if (line !== undefined) yield* command(state, line);
  }
}

function* command(state: State, line: string): Step {
  const space = line.indexOf(" ");
  const verb = (space < 0 ? line : line.slice(0, space)).toUpperCase();
  const rest = space < 0 ? "" : line.slice(space + 1).trim();
  const many = tooMany(state);
  if (many !== undefined) return yield* say(state, many);
  switch (verb) {
    case "MAIL":
      return yield* mailFrom(state, rest);
    case "RCPT":
      return yield* rcptTo(state, rest);
    case "DATA":
      return yield* data(state, rest);
    case "EHLO":
    case "HELO":
      return yield* hello(state, verb, rest);
    case "RSET":
      state.mail = null;
      return yield* say(state, said(250, "2.0.0", "Forgotten"));
    case "NOOP":
      return yield* say(state, said(250, "2.0.0", "Ok"));
    case "QUIT":
      return yield* say(state, last(221, "2.0.0", "Bye"));
    case "AUTH":
      return yield* authenticate(state, rest);
    case "STARTTLS":
      return yield* startTls(state, rest);
    case "VRFY":
      return yield* say(state, said(252, "2.1.5", "Send it and see"));
    case "HELP":
      return yield* say(state, said(214, "2.0.0", "RFC 5321. Log in with an API key as password"));
    default:
      return yield* say(state, unknownCommand(verb));
  }
}

/** A page in a browser can be made to POST to any port: its lines must not be read as commands. */
function unknownCommand(verb: string): Said {
  if (/^(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE)$/.test(verb))
    return last(421, "4.7.0", "This is SMTP, not HTTP", "smtp_bad_command");
  return said(500, "5.5.1", "This command is not known");
}

function tooMany(state: State): Said | undefined {
  const { commands, idleCommands, strangerCommands } = state.options.limits;
  state.commands++;
  state.idleCommands++;
  const many = last(421, "4.7.0", "Too many commands in this session", "smtp_commands");
  if (!state.loggedIn && state.commands > strangerCommands) return many;
  if (state.idleCommands > idleCommands) return many;
  // Not within a message.
  return state.commands > commands && state.mail === null ? many : undefined;
}

// -- opening

function* hello(state: State, verb: "EHLO" | "HELO", name: string): Step {
  if (name === "") return yield* say(state, said(501, "5.5.4", `${verb} needs a name`));
  state.helo = isHelloName(name) ? name : "unknown";
  state.extended = verb === "EHLO";
  state.mail = null;
  const { hostname, limits } = state.options;
  if (verb === "HELO")
    return (yield { want: "say", text: linesOf(250, [hostname]) } as const, undefined);
  const offers = [
    hostname,
    "PIPELINING",
    `SIZE ${limits.messageBytes}`,
    ...(canEncrypt(state) ? ["STARTTLS"] : []),
    ...(mayLogIn(state) ? ["AUTH PLAIN LOGIN"] : []),
    "ENHANCEDSTATUSCODES",
    "8BITMIME",
    "SMTPUTF8",
  ];
  yield { want: "say", text: linesOf(250, offers) };
}

function canEncrypt({ options, secure }: State): boolean {
  return options.offersTls && !secure;
}

function* startTls(state: State, rest: string): Step {
  if (!canEncrypt(state)) {
    const text = state.secure ? "The session is already encrypted" : "There is no certificate here";
    return yield* say(state, said(502, "5.5.1", text));
  }
  if (rest !== "") return yield* say(state, said(501, "5.5.4", "STARTTLS stands alone"));
  const text = lineOf(said(220, "2.0.0", "Go ahead"));
  const heard = yield { want: "tls", text };
  if (heard.got === "no") return yield* say(state, heard.said);
  // RFC 3207 4.2: nothing that was said before counts.
  state.secure = true;
  state.helo = "";
  state.extended = false;
  state.loggedIn = false;
  state.mail = null;
}
