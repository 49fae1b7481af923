// `mailq`, by that name and as a command: what waits, in the shape that people and their scripts know from other mail systems.
import type { Command } from "commander";
import type { EmailView, ListView } from "../mail/query.ts";
import { FIRST_FINAL, isFinal, recipientStates } from "../mail/state.ts";
import { type DaemonClient, pathWith } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure } from "./failure.ts";
import { json, printable } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly json?: boolean;
}

const waiting = recipientStates.slice(0, FIRST_FINAL);
const PAGE = 100;
/** Messages that are listed. */
const SHOWN_MAX = 1000;

export function addMailq(program: Command, deps: CliDeps, end: (code: number) => void): void {
  withTarget(program.command("mailq").description("what waits, as other mail systems print it"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider mailq")
    .action(async (options: Options) => end(await mailq(options, deps)));
}

export async function mailq(options: Options, deps: CliDeps): Promise<number> {
  const emails = await allWaiting(clientFor(options, deps));
  const shown = emails.slice(0, SHOWN_MAX);
  deps.output.out(options.json === true ? json(shown) : queueText(shown, emails.length));
  return exitCodes.done;
}

/** `sendmail -bp`, and `sendmail -q`: everything that waits is tried now. */
export async function asSendmail(what: "list" | "flush", deps: CliDeps): Promise<number> {
  try {
    if (what === "list") return await mailq({}, deps);
    const all = { all: true };
    bodyOf(await clientFor({}, deps).ask({ method: "POST", path: "/queue/flush", json: all }));
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    deps.output.err(`sendmail: ${error.message}`);
    return error.code;
  }
}

/** Oldest first, of many the youngest; a message whose recipients differ in their states is in several lists. */
async function allWaiting(client: DaemonClient): Promise<readonly EmailView[]> {
  const byId = new Map<string, EmailView>();
  for (const status of waiting) {
    let after: string | undefined;
    while (byId.size <= SHOWN_MAX) {
      const path = pathWith("/emails", { status, limit: String(PAGE), after });
      const answer = await client.ask({ method: "GET", path });
      const page = bodyOf(answer) as ListView<EmailView>;
      for (const email of page.data) byId.set(email.id, email);
      after = page.data.at(-1)?.id;
      if (!page.has_more || after === undefined) break;
    }
  }
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

function queueText(emails: readonly EmailView[], count: number): string {
  if (emails.length === 0) return "Mail queue is empty";
  const blocks = emails.map((email) => {
    const open = email.recipients.filter((one) => !isFinal(one.state));
    const why = open.find((one) => one.last !== null)?.last ?? null;
    const lines = [
      `${email.id}${markOf(open)}  ${email.created_at}  ${printable(email.from)}`,
      ...(why === null ? [] : [`    (${printable(why)})`]),
      ...open.map((one) => `    ${printable(one.address)}`),
    ];
    return lines.join("\n");
  });
  const shown = count > emails.length ? ", and there are more" : "";
  const noun = emails.length === 1 ? "Request" : "Requests";
  const head = "-Queue ID-                             -Arrival Time-           -Sender/Recipient-";
  return [head, ...blocks, "", `-- ${emails.length} ${noun}${shown}.`].join("\n");
}

/** `*`: being sent; `!`: held. */
function markOf(open: EmailView["recipients"]): string {
  if (open.some((one) => one.state === "sending")) return "*";
  return open.length > 0 && open.every((one) => one.state === "held") ? "!" : " ";
}
