// `postrider message show|list|raw`: what became of one message, step by step, and its source.
import type { Command } from "commander";
import type { EmailView, ListView } from "../mail/query.ts";
import type { CliDeps } from "./deps.ts";
import { json, printable, table } from "./output.ts";
import { emailText } from "./queue.ts";
import { type TargetOptions, answered, bodyOf, clientFor, withTarget } from "./target.ts";

type Options = TargetOptions & { readonly json?: boolean };
type ListOptions = Options & Readonly<Record<string, string | undefined>>;

/** Filters of GET /emails that are options of the same name. */
const FILTERS = ["status", "to", "from", "domain", "tag", "reference", "since", "until", "limit"];

/** An event as the API tells it (INTERFACE 4); what is missing is not printed. */
interface EventView {
  readonly type: string;
  readonly created_at: string;
  readonly data?: {
    readonly postrider?: Readonly<Record<string, unknown>>;
  };
}

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
      const path = `/emails/${encodeURIComponent(id)}/raw`;
      const { bytes } = answered(await clientFor(options, deps).ask({ method: "GET", path }));
      // As it was sent, octet for octet: it need not be UTF-8.
      if (options.json !== true) return deps.output.bytes(bytes);
      deps.output.out(json({ id, source: new TextDecoder().decode(bytes) }));
    });
}

function addShow(group: Command, deps: CliDeps): void {
  withTarget(group.command("show <id>").description("a message and its timeline"))
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  postrider message show 0199aa00-0000-7000-8000-000000000000",
    )
    .action(async (id: string, options: Options) => {
      const client = clientFor(options, deps);
      const path = `/emails/${encodeURIComponent(id)}`;
      const email = bodyOf(await client.ask({ method: "GET", path })) as EmailView;
      const found = bodyOf(await client.ask({ method: "GET", path: `${path}/events` }));
      const events = (found as ListView<EventView>).data;
      if (options.json === true) return deps.output.out(json({ ...email, events }));
      deps.output.out(`${emailText(email)}\n${timeline(events)}`);
    });
}

function addList(group: Command, deps: CliDeps): void {
  const command = withTarget(group.command("list").description("messages, newest first"));
  for (const name of FILTERS) command.option(`--${name} <value>`, `only with this ${name}`);
  command
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider message list --domain example.com --limit 5")
    .action(async (options: ListOptions) => {
      const query = new URLSearchParams();
      for (const name of FILTERS) {
        const value = options[name];
        if (value !== undefined) query.set(name, value);
      }
      const path = `/emails?${query.toString()}`;
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

function timeline(events: readonly EventView[]): string {
  const rows = events.map(({ type, created_at, data }) => {
    const facts = data?.postrider ?? {};
    const word = (name: string): string => {
      const value = facts[name];
      return value === undefined || value === null ? "" : String(value);
    };
    const doubt = facts["doubt"] === true ? "doubt" : "";
    const said = [word("host"), word("phase"), word("code"), word("enhanced"), word("text"), doubt];
    return [created_at, type, word("recipient"), said.filter((part) => part !== "").join(" ")];
  });
  return table(rows.map((row) => row.map(printable)));
}
