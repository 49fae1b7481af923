// `postrider trace ID|DOMAIN`: the dialogues with remote servers as they happen. What is to be expected is said first, since a look at a
// domain without mail shows nothing for as long as one likes to wait.
import type { Command } from "commander";
import { iso } from "../base/clock.ts";
import type { ExplainView } from "../mail/explain.ts";
import type { EmailView } from "../mail/query.ts";
import { isFinal } from "../mail/state.ts";
import type { TraceLine } from "../mail/trace.ts";
import { parseDurationMs } from "../config/kinds.ts";
import { checkedDomain, isMessageId } from "./arguments.ts";
import type { DaemonClient } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { notAllowed } from "./failure.ts";
import { jsonLine, printable } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly json?: boolean;
  readonly for?: string;
}

export function addTrace(program: Command, deps: CliDeps): void {
  const command = program
    .command("trace <id-or-domain>")
    .description("dialogues with remote servers, live, of one message or of a domain's mail");
  withTarget(command)
    .option("--json", "one JSON object a line")
    .option("--for <duration>", "end after so long, such as 30s; the daemon ends it after 10m")
    .addHelpText("after", "\nExample:\n  postrider trace example.com")
    .action((what: string, options: Options) => trace(what, options, deps));
}

async function trace(what: string, options: Options, deps: CliDeps): Promise<void> {
  const { clock, output } = deps;
  const forMs = options.for === undefined ? undefined : parseDurationMs(options.for);
  if (options.for !== undefined && forMs === undefined)
    throw notAllowed("--for", options.for, "such as 30s");
  const isMessage = isMessageId(what);
  if (!isMessage) checkedDomain("id-or-domain", what, "a message's id, or a domain name");
  const client = clientFor(options, deps);
  output.err(printable(await (isMessage ? ofMessage(client, what) : ofDomain(client, what))));
  const query = new URLSearchParams(isMessage ? { id: what } : { domain: what });
  const ended = Promise.withResolvers<void>();
  let isStopped = false;
  const stop = Promise.race([deps.untilStopped(), ended.promise]).then(() => {
    isStopped = true;
  });
  if (forMs !== undefined) clock.after(forMs, ended.resolve);
  const show = (line: TraceLine): void =>
    output.out(options.json === true ? jsonLine(line) : lineText(line));
  const missed = (count: string): void => output.err(`${count} lines were missed`);
  const read = eventReader(show, missed);
  const answer = await client.follow(`/trace?${query.toString()}`, read, stop);
  if (answer !== undefined && !isStopped) bodyOf(answer);
  // A look that is forgotten costs something, so the daemon ends it.
  if (!isStopped) output.err("the daemon ended the look: call it again to go on");
}

async function ofMessage(client: DaemonClient, id: string): Promise<string> {
  const path = `/emails/${encodeURIComponent(id)}`;
  const email = bodyOf(await client.ask({ method: "GET", path })) as EmailView;
  const open = email.recipients.filter(({ state }) => !isFinal(state));
  if (open.length === 0)
    return `every recipient of it is final, and nothing more will be said: see message show ${id}`;
  const next = open
    .map(({ next_attempt_at: at }) => at)
    .filter((at) => at !== null)
    .sort()[0];
  return `${open.length} of ${email.recipients.length} recipients wait${next === undefined ? "" : `, the next attempt is at ${next}`}; ${END}`;
}

const END = "Ctrl-C ends it";

async function ofDomain(client: DaemonClient, domain: string): Promise<string> {
  const path = `/explain/${encodeURIComponent(domain)}`;
  const { route, hosts, site, lines } = bodyOf(
    await client.ask({ method: "GET", path }),
  ) as ExplainView;
  const leased = site?.leased ?? 0;
  // What has no route yet may be for any domain.
  const waiting = lines.reduce((sum, line) => sum + (line.site === "" ? 0 : line.waiting), leased);
  const road =
    route.result === "route"
      ? `goes to site ${route.site}, by ${hosts.map(({ name }) => name).join(", ")}`
      : `has no route: ${route.text}`;
  const what =
    waiting === 0
      ? `nothing waits for ${domain} at this moment: lines come when mail is sent there`
      : `${waiting} recipients wait there`;
  return `mail to ${domain} ${road}; ${what}; ${END}`;
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
  const time = iso(at).slice(11, 23);
  return printable(`${time} ${session.slice(0, 6)} ${host} ${marks[who]} ${text}${took}`);
}
