// `postrider reload`: the daemon reads its settings anew while mail flows; SIGHUP does the same.
import type { Command } from "commander";
import type { CliDeps } from "./deps.ts";
import { json, printable } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Reloaded {
  readonly changed: readonly string[];
  readonly needs_restart: readonly string[];
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
}

export function addReload(program: Command, deps: CliDeps): void {
  const command = program
    .command("reload")
    .description("let the daemon read its settings anew; what is wrong changes nothing");
  withTarget(command)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider reload")
    .action(async (options: TargetOptions & { json?: boolean }) => {
      const client = clientFor(options, deps);
      const said = bodyOf(await client.ask({ method: "POST", path: "/reload", json: {} }));
      deps.output.out(options.json === true ? json(said) : reloadText(said as Reloaded));
    });
}

function reloadText({ changed, needs_restart, failures, warnings }: Reloaded): string {
  const lines = [changed.length === 0 ? "nothing has changed" : `changed: ${changed.join(" ")}`];
  if (needs_restart.length > 0) lines.push(`only after a restart: ${needs_restart.join(" ")}`);
  for (const text of [...failures, ...warnings]) lines.push(printable(text));
  return lines.join("\n");
}
