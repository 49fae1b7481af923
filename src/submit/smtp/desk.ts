// What is decided about one SMTP client: whether its key is right, from whom it may send, to whom. The same gate, keys and limits as at
// the HTTP door.
import type { Parsed } from "../../mail/compose/headerText.ts";
import { type Address, parseAddress } from "../../mail/address.ts";
import { said } from "../../smtp/server/said.ts";
import type { Gate } from "../auth.ts";
import { admitSender, type Caller } from "../caller.ts";
import type { Health } from "../door.ts";
import type { Problem } from "../problem.ts";
import { refusals } from "../send.ts";
import type { Decision, Desk } from "./connection.ts";
import { createTaker, type MessageDeps } from "./message.ts";
import { saidOf } from "./replies.ts";

export interface DeskDeps extends MessageDeps {
  readonly gate: Gate;
  readonly health: () => Health;
}

export function createDesk(deps: DeskDeps, address: string): Desk {
  let caller: Caller | undefined;
  let password = "";
  const known = (): Caller => {
    if (caller === undefined) throw new Error("a session that is not logged in sends no mail");
    return caller;
  };
  const enter = (token: string): Problem | undefined => {
    const found = deps.gate.checkToken(token, () => address);
    if (found.kind === "problem") return found.problem;
    if (!found.value.scopes.has("send")) return lacking;
    [caller, password] = [found.value, token];
    return undefined;
  };
  return {
    login(token) {
      const wrong = enter(token);
      if (wrong === undefined) return { got: "yes", value: "" };
      if (wrong !== lacking) return wrongKey(wrong);
      return { got: "no", said: said(535, "5.7.8", lacking.detail, lacking.name) };
    },
    sender(text) {
      const health = deps.health();
      if (health.kind === "refusing") return no({ name: health.why, detail: refusals[health.why] });
      const from: Parsed<Address | ""> =
        text === "" ? { kind: "ok", value: "" } : parseAddress(text);
      if (from.kind === "refused") return { got: "no", said: said(553, "5.1.7", from.why) };
      // A session may outlive its key, or what the key may do.
      const wrong = enter(password);
      if (wrong !== undefined) return no(wrong);
      const foreign = admitSender(known(), [from.value]);
      if (foreign !== undefined) return no(foreign);
      const yes: Decision = { got: "yes", value: from.value };
      const waiting = known().allowance?.enter();
      if (waiting instanceof Promise)
        return waiting.then((late) => (late === undefined ? yes : no(late)));
      return waiting === undefined ? yes : no(waiting);
    },
    recipient(text) {
      const to = parseAddress(text);
      if (to.kind === "refused") return { got: "no", said: said(553, "5.1.3", to.why) };
      return { got: "yes", value: to.value };
    },
    take: (envelope) =>
      createTaker(deps, { caller: known(), address, lacks: () => enter(password) }, envelope),
  };
}

const lacking: Problem = { name: "restricted_api_key", detail: "This API key may not send" };

function no(problem: Problem): Decision {
  return { got: "no", said: saidOf(problem) };
}

/** An address that guesses is told to go. */
function wrongKey(problem: Problem): Decision {
  const { name } = problem;
  if (name !== "rate_limit_exceeded") return no(problem);
  const text = "Too many wrong API keys came from this address";
  return { got: "no", said: { ...said(421, "4.7.0", text, name), close: true } };
}
