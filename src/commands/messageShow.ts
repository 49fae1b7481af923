// `postrider message show`: one message, found by whatever the customer on the phone has, and its whole road.
import { Option, type Command } from "commander";
import type { EventView } from "../mail/eventView.ts";
import type { ExplainView } from "../mail/explain.ts";
import { domainOf } from "../mail/message.ts";
import type { EmailView, ListView } from "../mail/query.ts";
import type { StateName } from "../mail/state.ts";
import { type DaemonClient, pathWith } from "./daemonClient.ts";
import { isMessageId } from "./arguments.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure, misused, notAllowed } from "./failure.ts";
import { json, printable, table } from "./output.ts";
import { type Reasons, type Spoken, roadText } from "./roadText.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly reference?: string;
  readonly recipient?: string;
  readonly trace?: string;
  readonly smtp?: boolean;
  readonly json?: boolean;
}

/** Of several that fit so many are named. */
const CANDIDATES = 10;
/** The daemon is asked why mail waits for so many domains; each may take a look into the DNS. */
const ASKED_DOMAINS_MAX = 3;

const EXAMPLES = `
Example:
  postrider message show 0199aa00-0000-7000-8000-000000000000
  postrider message show '<order-7@shop.example>' --smtp
  postrider message show --recipient ann@example.com`;

export function addShow(group: Command, deps: CliDeps): void {
  const command = group
    .command("show [id]")
    .description("a message and its whole road, found by id, by Message-ID or by what it is about");
  withTarget(command)
    .option("--reference <reference>", "the message with this reference of yours")
    .option("--recipient <address>", "the message to this address")
    .option("--trace <id>", "the message of this trace, 32 hex digits")
    .addOption(new Option("--smtp", "with all that was said in all attempts"))
    .addOption(new Option("--no-smtp", "without; else the last attempt that failed has it"))
    .option("--json", "as JSON; with --smtp, the dialogues too")
    .addHelpText("after", EXAMPLES)
    .action(async (id: string | undefined, options: Options) => {
      const client = clientFor(options, deps);
      const found = await findOne(client, deps, id, options);
      const path = `/emails/${encodeURIComponent(found)}`;
      const email = bodyOf(await client.ask({ method: "GET", path })) as EmailView;
      const spoken = spokenOf(options);
      const asked = spoken === "none" ? `${path}/events` : `${path}/events?smtp=1`;
      const list = bodyOf(await client.ask({ method: "GET", path: asked }));
      const { data: events } = list as ListView<EventView>;
      if (options.json === true) return deps.output.out(json({ ...email, events }));
      const reasons = await reasonsFor(client, email);
      const { colors } = deps.output;
      deps.output.out(roadText(email, events, { spoken, reasons, colors, now: deps.clock.now() }));
    });
}

function spokenOf({ smtp, json: asJson }: Options): Spoken {
  if (smtp === undefined) return asJson === true ? "none" : "failed";
  return smtp ? "all" : "none";
}

async function findOne(
  client: DaemonClient,
  deps: CliDeps,
  id: string | undefined,
  { reference, recipient, trace, json: asJson }: Options,
): Promise<string> {
  if (trace !== undefined && !TRACE_ID.test(trace))
    throw notAllowed("--trace", trace, "32 hex digits");
  const filters = { reference, to: recipient, trace };
  const isFiltered = Object.values(filters).some((value) => value !== undefined);
  if (id !== undefined && isMessageId(id)) {
    if (isFiltered) throw misused("an id says it all: leave the other options out");
    return id;
  }
  if (id === undefined && !isFiltered)
    throw misused("give an id, a Message-ID, --reference, --recipient or --trace");
  // A header's value, as people copy it: with the brackets or without.
  const messageId = id === undefined || id.startsWith("<") ? id : `<${id}>`;
  const limit = String(CANDIDATES);
  const path = pathWith("/emails", { limit, ...filters, message_id: messageId });
  const list = bodyOf(await client.ask({ method: "GET", path }));
  const { data, has_more: more } = list as ListView<EmailView>;
  const [first, second] = data;
  if (first === undefined)
    throw new CommandFailure(
      exitCodes.failed,
      "no message fits: it never was, or its history is gone",
    );
  if (second === undefined && !more) return first.id;
  deps.output.out(asJson === true ? json(list) : candidates(data));
  const count = `${more ? "more than " : ""}${data.length}`;
  throw new CommandFailure(exitCodes.failed, `${count} messages fit, newest first: give the id`);
}

const TRACE_ID = /^[0-9a-f]{32}$/i;

function candidates(emails: readonly EmailView[]): string {
  const rows = emails.map((one) => [
    ...[one.id, one.created_at, one.last_event, one.to.join(", "), one.subject],
  ]);
  return table(rows.map((row) => row.map(printable)));
}

/** States of mail that the daemon may know a reason for: it waits for its turn, or in a sender for a connection. */
const mayWait: ReadonlySet<StateName> = new Set<StateName>(["queued", "deferred", "sending"]);

/** Why mail waits is known by the daemon as it is now; not knowing it is no reason to show nothing. */
async function reasonsFor(client: DaemonClient, { recipients }: EmailView): Promise<Reasons> {
  const waiting = recipients.filter(({ state }) => mayWait.has(state));
  const domains = [...new Set(waiting.map(({ address }) => domainOf(address)))];
  const told = domains.slice(0, ASKED_DOMAINS_MAX).map(async (domain) => {
    const path = `/explain/${encodeURIComponent(domain)}`;
    const answer = await client.ask({ method: "GET", path });
    const isTold = answer.kind === "answer" && answer.status < 300;
    return [domain, isTold ? (answer.body as ExplainView).reasons : []] as const;
  });
  return new Map(await Promise.all(told));
}
