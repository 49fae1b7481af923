// `postrider message show|list|raw`: what became of one message, step by step, and its source.
import type { Command } from "commander";
import type { EmailView, ListView } from "../mail/query.ts";
import { pathWith } from "./daemonClient.ts";
import { checkedId } from "./arguments.ts";
import type { CliDeps } from "./deps.ts";
import { addShow } from "./messageShow.ts";
import { json, printable, table } from "./output.ts";
import { type TargetOptions, answered, bodyOf, clientFor, withTarget } from "./target.ts";

type Options = TargetOptions & { readonly json?: boolean };
type ListOptions = Options & Readonly<Record<string, string | undefined>>;

/** Filters of GET /emails that are options of the same name. */
const FILTERS = [
  ...["status", "to", "from", "domain", "tag", "reference", "trace", "since", "until", "limit"],
];

export function addMessage(program: Command, deps: CliDeps): void {
  const group = program.command("message").description("what became of a message");
  addShow(group, deps);
  addList(group, deps);
  withTarget(group.command("raw <id>").description("the message's source, while it is kept"))
    .option("--json", "as a JSON string")
    .addHelpText(
      "after",
      "\nExample:\n  postrider message raw 0199aa00-0000-7000-8000-000000000000",
    )
    .action(async (id: string, options: Options) => {
      const path = `/emails/${checkedId("id", id)}/raw`;
      const { bytes } = answered(await clientFor(options, deps).ask({ method: "GET", path }));
      // As it was sent, octet for octet: it need not be UTF-8.
      if (options.json !== true) return deps.output.bytes(bytes);
      deps.output.out(json({ id, source: new TextDecoder().decode(bytes) }));
    });
}

function addList(group: Command, deps: CliDeps): void {
  const command = withTarget(group.command("list").description("messages, newest first"));
  for (const name of FILTERS) command.option(`--${name} <value>`, `only with this ${name}`);
  command
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider message list --domain example.com --limit 5")
    .action(async (options: ListOptions) => {
      const filters = Object.fromEntries(FILTERS.map((name) => [name, options[name]]));
      const path = pathWith("/emails", filters);
      const list = bodyOf(await clientFor(options, deps).ask({ method: "GET", path }));
      const { data } = list as ListView<EmailView>;
      if (options.json === true) return deps.output.out(json(list));
      const rows = data.map((one) => [
        one.id,
        one.created_at,
        one.last_event,
        one.to.join(", "),
        one.subject,
      ]);
      deps.output.out(rows.length === 0 ? "nothing" : table(rows.map((row) => row.map(printable))));
    });
}
