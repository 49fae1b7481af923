// `postrider version`: what to write into a report.
import type { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import type { CliDeps } from "./deps.ts";
import { json } from "./output.ts";

export const version: string = manifest.version;

export function addVersion(program: Command, { output }: CliDeps): void {
  program
    .command("version")
    .description("print the version")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider version --json")
    .action((options: { json?: boolean }) => {
      const runtime = process.versions["bun"] ?? process.versions.node;
      const platform = `${process.platform}-${process.arch}`;
      const text = `postrider ${version} (runtime ${runtime}, ${platform})`;
      output.out(options.json === true ? json({ version, runtime, platform }) : text);
    });
}
