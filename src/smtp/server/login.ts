// AUTH PLAIN and AUTH LOGIN (RFC 4954): the password is an API key, the user name is whatever the client likes.
import { decodeBase64, passwordOf } from "./grammar.ts";
import { last, said, type Said } from "./said.ts";
import { mayLogIn, nextLine, saidIn, say, type State, type Step } from "./speech.ts";

export function* authenticate(state: State, rest: string): Step {
  const refusal = notNow(state);
  if (refusal !== undefined) return yield* say(state, refusal);
  const [mechanism = "", initial, more] = rest.split(/ +/);
  if (more !== undefined) return yield* say(state, said(501, "5.5.4", "Syntax: AUTH PLAIN ..."));
  // RFC 4954 4: a lone equals sign is an empty initial answer.
  const first = initial === "=" ? "" : initial;
  switch (mechanism.toUpperCase()) {
    case "PLAIN":
      return yield* plain(state, first);
    case "LOGIN":
      return yield* login(state, first);
    default:
      return yield* say(state, said(504, "5.5.4", "PLAIN and LOGIN are taken here"));
  }
}

function notNow(state: State): Said | undefined {
  if (!state.extended) return said(503, "5.5.1", "EHLO first");
  if (state.loggedIn) return said(503, "5.5.1", "The session is logged in");
  if (!mayLogIn(state))
    return said(538, "5.7.11", "STARTTLS first: a key is not said in clear", "smtp_clear_login");
  return undefined;
}

function* plain(state: State, initial: string | undefined): Step {
  const answer = yield* answered(state, "", initial);
  if (answer === undefined) return;
  const password = passwordOf(answer);
  if (password === undefined)
    return yield* say(state, said(501, "5.5.2", "PLAIN is: name NUL name NUL key, in base64"));
  yield* check(state, password);
}

function* login(state: State, initial: string | undefined): Step {
  // The words "Username:" and "Password:", which some clients compare.
  const user = yield* answered(state, "VXNlcm5hbWU6", initial);
  if (user === undefined) return;
  const password = yield* answered(state, "UGFzc3dvcmQ6", undefined);
  if (password !== undefined) yield* check(state, password);
}

/** One answer, decoded; undefined: there was none, and the client has been told. */
function* answered(
  state: State,
  challenge: string,
  initial: string | undefined,
): Step<string | undefined> {
  let text = initial;
  if (text === undefined) {
    yield { want: "say", text: `334 ${challenge}\r\n` };
    text = yield* nextLine(state, "auth");
    if (text === undefined) return undefined;
    if (text === "*") {
      yield* say(state, said(501, "5.7.0", "Taken back"));
      return undefined;
    }
  }
  const decoded = decodeBase64(text);
  if (decoded === undefined) yield* say(state, said(501, "5.5.2", "This is no base64"));
  return decoded;
}

function* check(state: State, password: string): Step {
  const heard = yield { want: "login", password };
  if (heard.got === "yes") {
    state.loggedIn = true;
    return yield* say(state, said(235, "2.7.0", "Welcome"));
  }
  const refusal = saidIn(heard);
  yield* say(state, refusal);
  state.wrongKeys++;
  if (!state.over && state.wrongKeys >= state.options.limits.logins)
    yield* say(state, last(421, "4.7.0", "Too many wrong keys", "smtp_wrong_keys"));
}
