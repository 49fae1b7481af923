// `postrider send`: one message from the command line, and with --wait its end.
import type { Command } from "commander";
import { sleep } from "../base/clock.ts";
import { parseDurationMs } from "../config/kinds.ts";
import type { RecipientView } from "../mail/query.ts";
import { isFinal } from "../mail/state.ts";
import type { DaemonClient, Request } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { json, printable, table } from "./output.ts";
import { CommandFailure, type TargetOptions, bodyOf, clientFor, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly from?: string;
  readonly to: readonly string[];
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  readonly file?: string;
  readonly priority?: string;
  readonly wait?: string | true;
  readonly json?: boolean;
}

interface Accepted {
  readonly id: string;
  readonly status: string;
  readonly recipients?: readonly { readonly address: string; readonly status: string }[];
}

const WAIT_DEFAULT_MS = 60_000;
const POLL_EVERY_MS = 200;

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

export function addSend(program: Command, deps: CliDeps, end: (code: number) => void): void {
  const command = program
    .command("send")
    .description("send one message")
    .option("--from <address>", "the author; with --file also the envelope's sender")
    .option("--to <address>", "a recipient; may be repeated", collect, [])
    .option("--subject <text>", "the subject")
    .option("--text <text>", "the body as plain text; - reads it from standard input")
    .option("--html <html>", "the body as HTML")
    .option("--file <file>", "a whole RFC 5322 message; - reads it from standard input")
    .option("--priority <p>", "p0, p1 or p2")
    .option("--wait [time]", "wait for its end, 60s unless said: exit 0, 1 bounced, 75 deferred")
    .option("--json", "print the daemon's answer");
  withTarget(command)
    .addHelpText(
      "after",
      "\nExample:\n  postrider send --from me@example.com --to delivered@postrider.test --subject Hello --text Hi --wait",
    )
    .action(async (options: Options) => {
      end(await send(options, deps));
    });
}

async function send(options: Options, deps: CliDeps): Promise<number> {
  const waitMs = waitOf(options.wait);
  const client = clientFor(options, deps);
  const accepted = bodyOf(await client.ask(await requestOf(options, deps))) as Accepted;
  if (waitMs === undefined) {
    const text = `${accepted.id} ${accepted.status}`;
    deps.output.out(options.json === true ? json(accepted) : text);
    return exitCodes.done;
  }
  const recipients = await settled(client, accepted.id, waitMs, deps);
  if (options.json === true) deps.output.out(json({ ...accepted, recipients }));
  else {
    const rows = recipients.map((one) => [one.address, one.state, one.last ?? ""].map(printable));
    deps.output.out(`${accepted.id}\n${table(rows)}`);
  }
  return codeOf(recipients);
}

function waitOf(wait: string | true | undefined): number | undefined {
  if (wait === undefined) return undefined;
  const waitMs = wait === true ? WAIT_DEFAULT_MS : parseDurationMs(wait);
  if (waitMs !== undefined) return waitMs;
  const text = `--wait: found ${String(wait)}; allowed: a duration such as 30s`;
  throw new CommandFailure(exitCodes.usage, text);
}

async function requestOf(options: Options, deps: CliDeps): Promise<Request> {
  const { from, to, subject, html, priority } = options;
  if (options.file !== undefined) return rawRequest(options, options.file, deps);
  const text =
    options.text === "-" ? new TextDecoder().decode(await deps.readStdin()) : options.text;
  return { method: "POST", path: "/send", json: { from, to, subject, text, html, priority } };
}

async function rawRequest(options: Options, file: string, deps: CliDeps): Promise<Request> {
  const { from, to, subject, text, html, priority } = options;
  if (subject !== undefined || text !== undefined || html !== undefined)
    throw new CommandFailure(exitCodes.usage, "--file holds the whole message: no other content");
  const bytes = file === "-" ? await deps.readStdin() : deps.readBytes(file);
  if (bytes === undefined) throw new CommandFailure(exitCodes.failed, `${file} is not there`);
  const query = new URLSearchParams();
  for (const address of to) query.append("to", address);
  if (from !== undefined) query.append("from", from);
  if (priority !== undefined) query.append("priority", priority);
  const path = query.size === 0 ? "/send" : `/send?${query.toString()}`;
  return { method: "POST", path, raw: { type: "message/rfc822", bytes } };
}

/** The recipients once all are final, or as they are when the time is up. */
async function settled(
  client: DaemonClient,
  id: string,
  waitMs: number,
  { clock }: CliDeps,
): Promise<readonly RecipientView[]> {
  const endsAtMs = clock.monotonicMs() + waitMs;
  const never = new AbortController().signal;
  for (;;) {
    const answer = await client.ask({ method: "GET", path: `/emails/${id}` });
    // The reader follows the queue by a moment, so a message may not be found yet.
    const early = answer.kind === "answer" && answer.status === 404;
    const { recipients } = early
      ? { recipients: [] }
      : (bodyOf(answer) as { recipients: readonly RecipientView[] });
    const done = recipients.length > 0 && recipients.every((one) => isFinal(one.state));
    if (done || clock.monotonicMs() >= endsAtMs) return recipients;
    await sleep(clock, POLL_EVERY_MS, never);
  }
}

function codeOf(recipients: readonly RecipientView[]): number {
  if (recipients.length === 0 || recipients.some((one) => !isFinal(one.state)))
    return exitCodes.later;
  return recipients.every((one) => one.state === "delivered") ? exitCodes.done : exitCodes.failed;
}
