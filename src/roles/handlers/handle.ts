// From a command to the function that does it: one table of a thread, in which the compiler misses whatever is not there.
import type { CommandAnswer } from "../../mail/command.ts";

export type Handlers<C extends { readonly do: string }> = {
  readonly [Name in C["do"]]: (
    command: Extract<C, { readonly do: Name }>,
  ) => CommandAnswer | Promise<CommandAnswer>;
};

export async function handle<C extends { readonly do: string }>(
  handlers: Handlers<C>,
  command: C,
): Promise<CommandAnswer> {
  const run = handlers[command.do as C["do"]] as
    ((command: C) => CommandAnswer | Promise<CommandAnswer>) | undefined;
  if (run === undefined) throw new Error(`nobody handles ${command.do}`);
  return run(command);
}
