// What the server knows of one connection, and how it answers: the ordinary way, or as a scenario
// or an injected fault will have it.
import { unreachable } from "../base/unreachable.ts";
import type { ContentScanner } from "./content.ts";
import type { DialogueOptions, SinkAction, Taken } from "./dialogue.ts";
import type { Reaction, Scenario, SinkPhase } from "./scenarios.ts";

export interface Transaction {
  readonly from: string;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly recipients: string[];
  readonly scenarios: Scenario[];
}

export type Mode =
  | { readonly at: "command" }
  | { readonly at: "content"; readonly transaction: Transaction; readonly scanner: ContentScanner }
  | { readonly at: "login"; readonly step: "plain" | "user" | "pass"; readonly user: string }
  | { readonly at: "handshake" }
  | { readonly at: "over" };

export interface Session {
  readonly options: DialogueOptions;
  /** What this connection does before a recipient is known. */
  readonly early: Scenario | undefined;
  mode: Mode;
  secure: boolean;
  helo: string;
  loggedIn: boolean;
  badCommands: number;
  transaction: Transaction | null;
  actions: SinkAction[];
}

export function say(session: Session, text: string): void {
  session.actions.push({ kind: "reply", text: `${text}\r\n` });
}

export function end(session: Session): void {
  session.mode = { at: "over" };
  session.actions.push({ kind: "close" });
}

export function sayAndEnd(session: Session, text: string): void {
  say(session, text);
  end(session);
}

/**
 * False: the scenario or a fault has answered, or never will, in place of the ordinary reply.
 * `taken` is for the dot only.
 */
export function isOrdinary(
  session: Session,
  phase: SinkPhase,
  scenario: Scenario | undefined,
  taken?: Taken,
): boolean {
  const { delaysMs, faults, random } = session.options;
  const delayMs = delaysMs?.[phase];
  if (delayMs !== undefined) session.actions.push({ kind: "delay", delayMs });
  const fault = faults?.find((one) => one.phase === phase && random.roll() < one.rate);
  if (fault !== undefined) {
    if (fault.code === 0) end(session);
    else say(session, `${fault.code} ${fault.code < 500 ? "4.3.0" : "5.3.0"} Injected fault`);
    // RFC 5321 3.8: 421 announces the end of the connection.
    if (fault.code === 421) end(session);
    return false;
  }
  return scenario?.phase === phase ? react(session, scenario.reaction, taken) : true;
}

function react(session: Session, reaction: Reaction, taken: Taken | undefined): boolean {
  switch (reaction.kind) {
    case "delay":
      session.actions.push({ kind: "delay", delayMs: reaction.delayMs });
      return true;
    case "greylist":
      return true;
    case "reply":
      say(session, reaction.text);
      if (reaction.close === true) end(session);
      return false;
    case "hang":
    case "drop":
      if (reaction.taken === true && taken !== undefined)
        session.actions.push({ kind: "take", taken });
      if (reaction.kind === "drop") end(session);
      else {
        session.mode = { at: "over" };
        session.actions.push({ kind: "hang" });
      }
      return false;
    default:
      return unreachable(reaction);
  }
}
