// `postrider config check|show`: what the daemon would start with, and where each value comes from.
import type { Command } from "commander";
import { type LoadedConfig, loadConfig, problemLine, shownSettings } from "../config.ts";
import type { CliDeps, GoodConfig } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { json, table } from "./output.ts";
import { flagsOf, withSettings } from "./serve.ts";

type Options = Readonly<Record<string, unknown>>;

export function addConfig(program: Command, deps: CliDeps, end: (code: number) => void): void {
  const { output, surroundings } = deps;
  const group = program.command("config").description("check or show the settings");

  const run = (options: Options, good: (loaded: GoodConfig, asJson: boolean) => void): void => {
    const loaded = loadConfig({ ...surroundings, flags: flagsOf(options) });
    const asJson = options["json"] === true;
    if (loaded.kind === "ok") return good(loaded, asJson);
    tellProblems(loaded, asJson);
    end(exitCodes.config);
  };
  const tellProblems = (bad: Extract<LoadedConfig, { kind: "bad" }>, asJson: boolean): void => {
    if (asJson) return output.out(json({ ok: false, problems: bad.problems }));
    for (const problem of bad.problems) output.err(problemLine(problem));
  };

  withSettings(group.command("check").description("find all mistakes without starting anything"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider config check --config postrider.toml")
    .action((options: Options) =>
      run(options, ({ file, warnings }, asJson) => {
        if (asJson) return output.out(json({ ok: true, file, warnings }));
        for (const warning of warnings) output.err(`warning: ${warning}`);
        output.out(`the settings are right (${file ?? "no file"})`);
      }),
    );

  withSettings(group.command("show").description("print every setting and where it comes from"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider config show --json")
    .action((options: Options) =>
      run(options, (loaded, asJson) => {
        const shown = shownSettings(loaded.config, loaded.origins);
        if (asJson) return output.out(json({ file: loaded.file, settings: shown }));
        output.out(table(shown.map(({ name, value, from }) => [name, value, `# ${from}`])));
      }),
    );
}
