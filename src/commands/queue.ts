// `postrider queue list|show|stats`: what is still owed, and why it waits. Its verbs are in operate.ts.
import type { Command } from "commander";
import type { EmailView, ListView } from "../mail/query.ts";
import { FIRST_FINAL, recipientStates } from "../mail/state.ts";
import { type DaemonClient, pathWith } from "./daemonClient.ts";
import { checkedId } from "./arguments.ts";
import type { CliDeps } from "./deps.ts";
import { notAllowed } from "./failure.ts";
import { addOperating } from "./operate.ts";
import { addStats } from "./queueStats.ts";
import { json, printable, table } from "./output.ts";
import { type TargetOptions, bodyOf, clientFor, withTarget } from "./target.ts";

interface ListOptions extends TargetOptions {
  readonly state?: string;
  readonly to?: string;
  readonly domain?: string;
  readonly limit: string;
  readonly json?: boolean;
}

/** States that are not final: what a queue holds. */
const waiting = recipientStates.slice(0, FIRST_FINAL);
const STATES: readonly string[] = [...recipientStates, "dead"];

export function addQueue(program: Command, deps: CliDeps): void {
  const group = program.command("queue").description("what is still owed");
  addList(group, deps);
  addOperating(group, deps);
  withTarget(group.command("show <id>").description("one message and where its recipients stand"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider queue show 0199aa00-0000-7000-8000-000000000000")
    .action(async (id: string, options: TargetOptions & { json?: boolean }) => {
      const path = `/emails/${checkedId("id", id)}`;
      const email = bodyOf(await clientFor(options, deps).ask({ method: "GET", path }));
      deps.output.out(options.json === true ? json(email) : emailText(email as EmailView));
    });
  addStats(group, deps);
}

function addList(group: Command, deps: CliDeps): void {
  withTarget(group.command("list").description("messages that wait, newest first"))
    .option("--state <state>", `only this state: ${STATES.join(", ")}`)
    .option("--to <address>", "only for this recipient")
    .option("--domain <domain>", "only for this domain")
    .option("--limit <n>", "at most so many, 1 to 100", "20")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  postrider queue list --state deferred --domain example.com",
    )
    .action(async (options: ListOptions) => {
      const found = await listed(clientFor(options, deps), options);
      deps.output.out(options.json === true ? json(found) : listText(found));
    });
}

async function listed(client: DaemonClient, options: ListOptions): Promise<readonly EmailView[]> {
  const { state, to, domain, limit } = options;
  if (state !== undefined && !STATES.includes(state))
    throw notAllowed("--state", state, `one of ${STATES.join(", ")}`);
  const byId = new Map<string, EmailView>();
  // The API lists one state at a time; a message whose recipients differ is in several of them.
  for (const status of state === undefined ? waiting : [state]) {
    const path = pathWith("/emails", { status, limit, to, domain });
    const answer = await client.ask({ method: "GET", path });
    for (const email of (bodyOf(answer) as ListView<EmailView>).data) byId.set(email.id, email);
  }
  // Ids begin with the time of acceptance, so they sort by it.
  const newestFirst = [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  return newestFirst.slice(0, Number(limit));
}

function listText(emails: readonly EmailView[]): string {
  if (emails.length === 0) return "nothing";
  const rows = emails.map((email) => [
    email.id,
    email.created_at,
    email.priority,
    email.last_event,
    email.to.join(", "),
    email.subject,
  ]);
  return table(rows.map((row) => row.map(printable)));
}

function emailText(email: EmailView): string {
  const facts = [
    ["id", email.id],
    ["from", email.from],
    ["to", email.to.join(", ")],
    ["subject", email.subject],
    ["accepted", email.created_at],
    ["priority", email.priority],
  ];
  const recipients = email.recipients.map((one) => [
    `  ${one.address}`,
    one.state,
    `${one.attempts} ${one.attempts === 1 ? "attempt" : "attempts"}`,
    one.next_attempt_at === null ? "" : `next ${one.next_attempt_at}`,
    one.last ?? "",
  ]);
  const safe = (rows: string[][]): string => table(rows.map((row) => row.map(printable)));
  return `${safe(facts)}\n${safe(recipients)}`;
}
