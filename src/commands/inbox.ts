// `postrider inbox list|show|raw|clear`: what `capture` and `*@postrider.test` took, for people and for test scripts.
import type { Command } from "commander";
import type { InboxItem, InboxView, ListView } from "../mail/query.ts";
import { type DaemonClient, pathWith } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { json, printable, table } from "./output.ts";
import { answered, bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";
import { waitOf } from "./when.ts";

interface ListOptions extends TargetOptions {
  readonly to?: string;
  readonly from?: string;
  readonly subject?: string;
  readonly limit: string;
  readonly wait?: string | true;
  readonly json?: boolean;
}

type OneOptions = TargetOptions & { readonly json?: boolean };

const WAIT_DEFAULT_MS = 10_000;
/** Beyond the time for which the daemon is asked to wait. */
const ANSWER_MS = 10_000;

export function addInbox(program: Command, deps: CliDeps, end: (code: number) => void): void {
  const group = program.command("inbox").description("mail that capture and postrider.test took");
  withTarget(group.command("list").description("what it holds, newest first"))
    .option("--to <address>", "only for this recipient")
    .option("--from <text>", "only from this sender")
    .option("--subject <text>", "only where the subject holds this")
    .option("--limit <n>", "at most so many, 1 to 100", "20")
    .option("--wait [time]", "until there is one, 10s unless said: exit 1 when the time is up")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  postrider inbox list --to delivered@postrider.test --wait 5s",
    )
    .action(async (options: ListOptions) => end(await list(options, deps)));
  withTarget(group.command("show <id>").description("one message, taken apart"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider inbox show 0199aa00-0000-7000-8000-000000000000")
    .action(async (id: string, options: OneOptions) => {
      const view = bodyOf(await one(clientFor(options, deps), id));
      deps.output.out(options.json === true ? json(view) : messageText(view as InboxView));
    });
  withTarget(group.command("raw <id>").description("its source, to the octet; there is no --json"))
    .addHelpText("after", "\nExample:\n  postrider inbox raw 0199aa00-0000-7000-8000-000000000000")
    .action(async (id: string, options: OneOptions) => {
      deps.output.bytes(answered(await one(clientFor(options, deps), id, "/raw")).bytes);
    });
  withTarget(group.command("clear [id]").description("remove one message, or all"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider inbox clear")
    .action(async (id: string | undefined, options: OneOptions) => {
      const path = id === undefined ? "/inbox" : `/inbox/${encodeURIComponent(id)}`;
      const body = bodyOf(await clientFor(options, deps).ask({ method: "DELETE", path }));
      const { count = 1 } = body as { readonly count?: number };
      deps.output.out(options.json === true ? json(body) : `${count} removed`);
    });
}

function one(client: DaemonClient, id: string, end = ""): ReturnType<DaemonClient["ask"]> {
  return client.ask({ method: "GET", path: `/inbox/${encodeURIComponent(id)}${end}` });
}

async function list(options: ListOptions, deps: CliDeps): Promise<number> {
  const { to, from, subject, limit } = options;
  const waitMs = waitOf(options.wait, WAIT_DEFAULT_MS) ?? 0;
  const headers = waitMs === 0 ? {} : { prefer: `wait=${Math.ceil(waitMs / 1000)}` };
  const answer = await clientFor(options, deps).ask({
    method: "GET",
    path: pathWith("/inbox", { limit, to, from, subject }),
    headers,
    timeoutMs: waitMs + ANSWER_MS,
  });
  const found = bodyOf(answer) as ListView<InboxItem>;
  deps.output.out(options.json === true ? json(found) : listText(found));
  return waitMs > 0 && found.data.length === 0 ? exitCodes.failed : exitCodes.done;
}

function listText({ data, has_more }: ListView<InboxItem>): string {
  if (data.length === 0) return "nothing";
  const rows = data.map((item) => [
    item.id,
    item.received_at,
    item.from ?? item.envelope.from,
    item.envelope.to.join(", "),
    item.subject,
  ]);
  const text = table(rows.map((row) => row.map(printable)));
  return has_more ? `${text}\nand more` : text;
}

function messageText(view: InboxView): string {
  const facts = [
    ["id", view.id],
    ["received", view.received_at],
    ["envelope", `${view.envelope.from} -> ${view.envelope.to.join(", ")}`],
    ...view.headers.map(({ name, value }) => [name, value]),
    ...view.attachments.map(({ filename, content_type, size_bytes }) => [
      "attachment",
      `${filename ?? "without a name"}, ${content_type}, ${size_bytes} bytes`,
    ]),
  ];
  const body = view.text ?? view.html ?? "";
  const lines = body.split("\n").map(printable);
  return [table(facts.map((row) => row.map(printable))), "", ...lines].join("\n").trimEnd();
}
