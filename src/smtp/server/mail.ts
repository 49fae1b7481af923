// A message's way through a session that we serve: MAIL, RCPT, DATA.
import { type Path, parsePath, sizeOf } from "./grammar.ts";
import { said, type Said } from "./said.ts";
import { mayLogIn, saidIn, say, type ServerEnvelope, type State, type Step } from "./speech.ts";

export function* mailFrom(state: State, rest: string): Step {
  const refusal = stranger(state);
  if (refusal !== undefined) return yield* say(state, refusal);
  if (state.mail !== null) return yield* say(state, said(503, "5.5.1", "One message at a time"));
  const path = parsePath(rest, "FROM");
  if (path === undefined)
    return yield* say(state, said(501, "5.5.4", "Syntax: MAIL FROM:<address>"));
  const fault = parameterFault(path, state.options.limits.messageBytes);
  if (fault !== undefined) return yield* say(state, fault);
  const heard = yield { want: "sender", address: path.address };
  if (heard.got !== "yes") return yield* say(state, saidIn(heard));
  const utf8 = path.parameters.has("SMTPUTF8");
  state.mail = { from: heard.value, utf8, recipients: new Set() };
  yield* say(state, said(250, "2.1.0", "Ok"));
}

function stranger(state: State): Said | undefined {
  if (state.helo === "") return said(503, "5.5.1", "EHLO first");
  if (state.loggedIn) return undefined;
  const text = mayLogIn(state)
    ? "AUTH first: an API key is the password"
    : "STARTTLS and AUTH first";
  return said(530, "5.7.0", text, "smtp_no_login");
}

function parameterFault(path: Path, messageBytes: number): Said | undefined {
  for (const [name, value] of path.parameters) {
    switch (name) {
      case "SIZE": {
        const size = sizeOf(value);
        if (size === undefined) return said(501, "5.5.4", "SIZE is no number");
        if (size > messageBytes) return tooLarge(messageBytes);
        break;
      }
      case "BODY":
        if (!/^(?:7BIT|8BITMIME)$/i.test(value))
          return said(501, "5.5.4", "BODY is 7BIT or 8BITMIME");
        break;
      case "SMTPUTF8":
        if (value !== "") return said(501, "5.5.4", "SMTPUTF8 has no value");
        break;
      // RFC 4954 5: whoever offers AUTH takes it; nothing is made of it.
      case "AUTH":
        break;
      default:
        return unknownParameter(name);
    }
  }
  return addressFault(path, path.parameters.has("SMTPUTF8"));
}

function unknownParameter(name: string): Said {
  return said(555, "5.5.4", `The parameter ${name} is not known`);
}

function addressFault(path: Path, utf8: boolean): Said | undefined {
  return path.ascii || utf8 ? undefined : said(553, "5.6.7", "This address needs SMTPUTF8");
}

export function tooLarge(messageBytes: number): Said {
  return said(552, "5.3.4", `At most ${messageBytes} octets`, "message_too_large");
}

export function* rcptTo(state: State, rest: string): Step {
  const refusal = stranger(state);
  if (refusal !== undefined) return yield* say(state, refusal);
  const { mail } = state;
  if (mail === null) return yield* say(state, said(503, "5.5.1", "MAIL first"));
  const path = parsePath(rest, "TO");
  if (path === undefined || path.address === "")
    return yield* say(state, said(501, "5.5.4", "Syntax: RCPT TO:<address>"));
  const [parameter] = path.parameters.keys();
  if (parameter !== undefined) return yield* say(state, unknownParameter(parameter));
  const fault = addressFault(path, mail.utf8);
  if (fault !== undefined) return yield* say(state, fault);
  const heard = yield { want: "recipient", address: path.address };
  if (heard.got !== "yes") return yield* say(state, saidIn(heard));
  const { recipients: max } = state.options.limits;
  if (mail.recipients.size >= max && !mail.recipients.has(heard.value))
    return yield* say(state, said(452, "4.5.3", `A message has at most ${max} recipients`));
  // No idle command: `recipients` bounds them.
  if (!mail.recipients.has(heard.value)) state.idleCommands--;
  mail.recipients.add(heard.value);
  yield* say(state, said(250, "2.1.5", "Ok"));
}

export function* data(state: State, rest: string): Step {
  const refusal = stranger(state);
  if (refusal !== undefined) return yield* say(state, refusal);
  const { mail } = state;
  if (mail === null) return yield* say(state, said(503, "5.5.1", "MAIL first"));
  if (rest !== "") return yield* say(state, said(501, "5.5.4", "DATA stands alone"));
  if (mail.recipients.size === 0)
    return yield* say(state, said(554, "5.5.1", "No recipient was taken"));
  yield* say(state, said(354, "", "End with CR LF . CR LF"));
  state.mail = null;
  const { from, recipients } = mail;
  const envelope: ServerEnvelope = {
    from,
    recipients: [...recipients],
    helo: state.helo,
    protocol: protocolOf(state, mail.utf8),
  };
  const heard = yield { want: "content", envelope };
  if (heard.got !== "yes") return yield* say(state, saidIn(heard));
  state.errors = 0;
  state.idleCommands = 0;
  yield* say(state, said(250, "2.0.0", `Ok: queued as ${heard.value}`));
}

/** Nobody comes here without a login, so each of them ends in A. */
function protocolOf({ secure }: State, utf8: boolean): string {
  return `${utf8 ? "UTF8SMTP" : "ESMTP"}${secure ? "S" : ""}A`;
}
