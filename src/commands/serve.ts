// `postrider serve`: the daemon in the foreground. Nothing heavy is loaded before the settings are right.
import { type Command, Option } from "commander";
import { flagOf, type LoadedConfig, loadConfig, problemLine, scalarNames } from "../config.ts";
import { rowOf, settingKeys } from "../config/table.ts";
import { banner, bannerJson } from "./banner.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { json } from "./output.ts";

/** One option for each scalar setting, and one for the file of each secret. */
function settingOptions(): Option[] {
  const rows = settingKeys.map(rowOf);
  return scalarNames.map((name) => {
    const row = rows.find((one) => one.name === name);
    if (row === undefined)
      return new Option(`${flagOf(name)} <file>`, "file that holds the secret");
    if (row.kind.allowed !== "true or false")
      return new Option(`${flagOf(name)} <value>`, row.help.replaceAll("`", ""));
    return new Option(`${flagOf(name)} [value]`, row.help.replaceAll("`", "")).preset("true");
  });
}

export function withSettings(command: Command): Command {
  command.option("--config <file>", "the settings' file");
  for (const option of settingOptions()) command.addOption(option);
  return command;
}

/** What was given on the command line, by the settings' names. */
export function flagsOf(options: Readonly<Record<string, unknown>>): Record<string, string> {
  const flags: Record<string, string> = {};
  if (typeof options["config"] === "string") flags["config"] = options["config"];
  for (const option of settingOptions()) {
    const value = options[option.attributeName()];
    if (typeof value === "string") flags[option.name().replaceAll("-", "_")] = value;
  }
  return flags;
}

export function addServe(program: Command, deps: CliDeps, end: (code: number) => void): void {
  const command = program
    .command("serve")
    .description("run the daemon in the foreground")
    .option("--json", "say what is started as one JSON document");
  command.addOption(new Option("--lifeline", "end with standard input").hideHelp());
  withSettings(command)
    .addHelpText("after", "\nExample:\n  postrider serve --data-dir /var/lib/postrider")
    .action(async (options: Readonly<Record<string, unknown>>) => {
      if (options["lifeline"] === true) deps.endWithStdin();
      end(await serve(flagsOf(options), options["json"] === true, deps));
    });
}

async function serve(
  flags: Readonly<Record<string, string>>,
  asJson: boolean,
  deps: CliDeps,
): Promise<number> {
  const { output } = deps;
  const load = (): LoadedConfig => loadConfig({ ...deps.surroundings, flags });
  const loaded = load();
  if (loaded.kind === "bad") {
    if (asJson) output.out(json({ problems: loaded.problems }));
    else for (const problem of loaded.problems) output.err(problemLine(problem));
    return exitCodes.config;
  }
  for (const warning of loaded.warnings) output.err(`warning: ${warning}`);
  return deps.startDaemon(loaded, {
    load,
    onReady: (facts) => output.out(asJson ? bannerJson(facts) : banner(facts)),
  });
}
