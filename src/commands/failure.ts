// How a command ends when it cannot do what it was asked.
import { exitCodes } from "./exitCodes.ts";

/** Thrown to end a command with a code; `runCli` prints the text. Never leaves this room. */
export class CommandFailure extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The command line is wrong. */
export function misused(text: string): CommandFailure {
  return new CommandFailure(exitCodes.usage, text);
}

export function notAllowed(option: string, found: string, allowed: string): CommandFailure {
  return misused(`${option}: found ${found === "" ? "nothing" : found}; allowed: ${allowed}`);
}
