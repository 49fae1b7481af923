// `postrider trace ID|DOMAIN`: the dialogues with remote servers as they happen.
import type { Command } from "commander";
import type { TraceLine } from "../mail/trace.ts";
import type { CliDeps } from "./deps.ts";
import { printable } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function addTrace(program: Command, deps: CliDeps): void {
  const command = program
    .command("trace <id-or-domain>")
    .description("dialogues with remote servers, live, of one message or of a domain's mail");
  withTarget(command)
    .option("--json", "one JSON object a line")
    .addHelpText("after", "\nExample:\n  postrider trace example.com")
    .action(async (what: string, options: TargetOptions & { json?: boolean }) => {
      const query = new URLSearchParams(UUID.test(what) ? { id: what } : { domain: what });
      const show = (line: TraceLine): void =>
        deps.output.out(options.json === true ? JSON.stringify(line) : lineText(line));
      const missed = (count: string): void => deps.output.err(`${count} lines were missed`);
      const read = eventReader(show, missed);
      const client = clientFor(options, deps);
      const ended = await client.follow(`/trace?${query.toString()}`, read, deps.untilStopped());
      if (ended !== undefined) bodyOf(ended);
    });
}

/** Server-sent events as they come, in pieces of any size. */
function eventReader(
  show: (line: TraceLine) => void,
  missed: (count: string) => void,
): (text: string) => void {
  let rest = "";
  return (text) => {
    rest += text;
    const events = rest.split("\n\n");
    rest = events.pop() ?? "";
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (data === undefined) continue;
      if (/^event: missed$/m.test(event)) missed(data);
      else show(JSON.parse(data) as TraceLine);
    }
  };
}

const marks = { us: ">", them: "<", note: "-" } as const;

function lineText({ at, session, host, who, text, ms }: TraceLine): string {
  const took = ms === undefined ? "" : ` (${ms} ms)`;
  const time = new Date(at).toISOString().slice(11, 23);
  return printable(`${time} ${session.slice(0, 6)} ${host} ${marks[who]} ${text}${took}`);
}
