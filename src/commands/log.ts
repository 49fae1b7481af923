// `postrider log level`: which lines of the log are written, changed while the daemon runs.
import type { Command } from "commander";
import { logLevels, parseLogLevels } from "../base/log.ts";
import { logAreas } from "../base/logTable.ts";
import { parseDurationMs } from "../config/kinds.ts";
import type { LogLevelView } from "../mail/journal.ts";
import type { CliDeps } from "./deps.ts";
import { notAllowed } from "./failure.ts";
import { json } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly for?: string;
  readonly json?: boolean;
}

/** As the API takes it. */
const FOR_MS_MAX = 7 * 86_400_000;

export function addLog(program: Command, deps: CliDeps): void {
  const group = program.command("log").description("the daemon's log");
  withTarget(group.command("level [levels]").description("show or change which lines are written"))
    .option("--for <duration>", "then the level of the settings holds again, such as 10m")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider log level info,mail=debug --for 10m")
    .action(async (levels: string | undefined, options: Options) => {
      const client = clientFor(options, deps);
      const path = "/log-level";
      const said = bodyOf(
        levels === undefined
          ? await client.ask({ method: "GET", path })
          : await client.ask({ method: "POST", path, json: changeOf(levels, options) }),
      ) as LogLevelView;
      const until = said.until === null ? "" : ` until ${said.until}`;
      deps.output.out(options.json === true ? json(said) : `${said.level}${until}`);
    });
}

function changeOf(level: string, { for: text }: Options): object {
  if (parseLogLevels(level) === undefined) {
    const areas = `areas: ${logAreas.join(", ")}`;
    const allowed = `${logLevels.join(", ")}, also as info,mail=debug; ${areas}`;
    throw notAllowed("log level", level, allowed);
  }
  if (text === undefined) return { level };
  const forMs = parseDurationMs(text);
  if (forMs === undefined || forMs < 1000 || forMs > FOR_MS_MAX)
    throw notAllowed("--for", text, "from 1s to 7d");
  return { level, for_seconds: Math.round(forMs / 1000) };
}
