// `postrider send`: one message from the command line, and with --wait its end.
import { isUtf8 } from "node:buffer";
import type { Command } from "commander";
import { sleep } from "../base/clock.ts";
import { systemRandom } from "../base/random.ts";
import type { RecipientView } from "../mail/query.ts";
import { isFinal, type StateName } from "../mail/state.ts";
import { wholeKey } from "../mail/pickup.ts";
import type { Answer, DaemonClient, Request } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { misused, notAllowed } from "./failure.ts";
import { json, printable, table } from "./output.ts";
import { type TargetOptions, bodyOf, clientFor, withTarget } from "./target.ts";
import { formPieces, streamOf, uploadOf } from "./uploads.ts";
import { waitOf } from "./when.ts";

interface Options extends TargetOptions {
  readonly from?: string;
  readonly to: readonly string[];
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  readonly file?: string;
  readonly attach: readonly string[];
  readonly priority?: string;
  readonly wait?: string | true;
  readonly json?: boolean;
}

interface Accepted {
  readonly id: string;
  readonly status: string;
  readonly recipients?: readonly {
    readonly address: string;
    readonly status: StateName;
    readonly last?: string | null;
  }[];
  readonly warnings?: readonly { readonly detail: string }[];
}

const WAIT_DEFAULT_MS = 60_000;
const POLL_EVERY_MS = 200;
/** So long a daemon that went away while it was asked may take to come back. */
const RETURN_MS = 10_000;
/** A large attachment, on a disk that is slow. */
const SEND_TIMEOUT_MS = 120_000;
const BOUNDARY_BYTES = 16;

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
    .option("--attach <file>", "a file to attach; may be repeated", collect, [])
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
  const waitMs = waitOf(options.wait, WAIT_DEFAULT_MS);
  const client = clientFor(options, deps, "send");
  const request = await requestOf(options, deps);
  const startMs = deps.clock.monotonicMs();
  const keyed = {
    ...request,
    headers: { "idempotency-key": wholeKey(deps.clock.now(), systemRandom.bytes) },
  };
  const untilMs = startMs + Math.max(waitMs ?? 0, RETURN_MS);
  const accepted = bodyOf(
    await handed(client, patient(keyed, waitMs ?? 0), untilMs, deps),
  ) as Accepted;
  for (const { detail } of accepted.warnings ?? [])
    deps.output.err(`warning: ${printable(detail)}`);
  if (waitMs === undefined) {
    const text = `${accepted.id} ${accepted.status}`;
    deps.output.out(options.json === true ? json(accepted) : text);
    return exitCodes.done;
  }
  const endsAtMs = startMs + waitMs;
  const recipients = ends(accepted) ?? (await settled(client, accepted.id, endsAtMs, deps));
  if (options.json === true) deps.output.out(json({ ...accepted, recipients }));
  else {
    const rows = recipients.map((one) => [one.address, one.state, one.last ?? ""].map(printable));
    deps.output.out(`${accepted.id}\n${table(rows)}`);
  }
  return codeOf(recipients);
}

/** The daemon answers once the message has come to its end, or after so long; who may only send cannot ask again. */
function patient(request: Request, waitMs: number): Request {
  const timeoutMs = SEND_TIMEOUT_MS + waitMs;
  if (waitMs === 0) return { ...request, timeoutMs };
  const headers = { ...request.headers, prefer: `wait=${Math.ceil(waitMs / 1000)}` };
  return { ...request, timeoutMs, headers };
}

/** A daemon that went away in the midst may have taken the message: it is asked again under the same key once it is back. */
async function handed(
  client: DaemonClient,
  request: Request,
  untilMs: number,
  { clock }: CliDeps,
): Promise<Answer> {
  const never = new AbortController().signal;
  for (let broke = false; ;) {
    const answer = await client.ask(request);
    if (answer.kind !== "unreachable") return answer;
    broke ||= !answer.nobody;
    if (!broke || clock.monotonicMs() >= untilMs) return answer;
    await sleep(clock, POLL_EVERY_MS, never);
  }
}

type End = Pick<RecipientView, "address" | "state" | "last">;

/** Undefined while one of them is not final. */
function ends({ recipients = [] }: Accepted): readonly End[] | undefined {
  if (recipients.length === 0 || !recipients.every((one) => isFinal(one.status))) return undefined;
  return recipients.map(({ address, status, last }) => ({
    address,
    state: status,
    last: last ?? null,
  }));
}

async function requestOf(options: Options, deps: CliDeps): Promise<Request> {
  const { from, to, subject, html, priority } = options;
  if (options.file !== undefined) return rawRequest(options, options.file, deps);
  const text = options.text === "-" ? textOf(await deps.readStdin()) : options.text;
  const message = { from, to, subject, text, html, priority };
  if (options.attach.length > 0) return formRequest(message, options.attach);
  return { method: "POST", path: "/send", json: message };
}

/** What is of another charset would arrive with marks in place of its letters. */
function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes))
    throw misused("--text -: standard input is not UTF-8; --file takes a message of any charset");
  return new TextDecoder().decode(bytes);
}

/** Files are not read into memory: they travel as a form. */
function formRequest(
  message: Readonly<Record<string, string | readonly string[] | undefined>>,
  paths: readonly string[],
): Request {
  const fields: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(message))
    for (const one of typeof value === "string" ? [value] : (value ?? [])) fields.push([name, one]);
  const boundary = `postrider-${Buffer.from(systemRandom.bytes(BOUNDARY_BYTES)).toString("hex")}`;
  const form = { fields, files: paths.map(uploadOf), boundary };
  const type = `multipart/form-data; boundary=${boundary}`;
  const stream = { type, open: () => streamOf(formPieces(form)) };
  return { method: "POST", path: "/send", stream };
}

async function rawRequest(options: Options, file: string, deps: CliDeps): Promise<Request> {
  const { from, to, subject, text, html, priority, attach } = options;
  if (subject !== undefined || text !== undefined || html !== undefined || attach.length > 0)
    throw misused("--file holds the whole message: no other content");
  if (priority !== undefined && !/^p[012]$/.test(priority))
    throw notAllowed("--priority", priority, "p0, p1 or p2");
  const query = new URLSearchParams();
  for (const address of to) query.append("to", address);
  if (from !== undefined) query.append("from", from);
  const path = query.size === 0 ? "/send" : `/send?${query.toString()}`;
  // An option of ours, which does not travel on.
  const top = Buffer.from(priority === undefined ? "" : `X-Postrider-Priority: ${priority}\r\n`);
  const type = "message/rfc822";
  if (file === "-") {
    const bytes = Buffer.concat([top, await deps.readStdin()]);
    return { method: "POST", path, raw: { type, bytes } };
  }
  const upload = uploadOf(file);
  const pieces = function* (): Generator<Uint8Array> {
    if (top.length > 0) yield top;
    yield* upload.pieces();
  };
  return { method: "POST", path, stream: { type, open: () => streamOf(pieces()) } };
}

/** The recipients once all are final, or as they are when the time is up. */
async function settled(
  client: DaemonClient,
  id: string,
  endsAtMs: number,
  { clock }: CliDeps,
): Promise<readonly End[]> {
  const never = new AbortController().signal;
  for (;;) {
    const answer = await client.ask({ method: "GET", path: `/emails/${id}` });
    // The reader follows the queue by a moment, so a message may not be found yet; and a daemon that is gone may come back.
    const early =
      answer.kind === "unreachable" || (answer.kind === "answer" && answer.status === 404);
    // A socket or a key that may only send: what became of it is not for us to see.
    if (answer.kind === "answer" && answer.status === 401) return [];
    const { recipients } = early
      ? { recipients: [] }
      : (bodyOf(answer) as { recipients: readonly RecipientView[] });
    const done = recipients.length > 0 && recipients.every((one) => isFinal(one.state));
    if (done || clock.monotonicMs() >= endsAtMs) return recipients;
    await sleep(clock, POLL_EVERY_MS, never);
  }
}

function codeOf(recipients: readonly End[]): number {
  if (recipients.length === 0 || recipients.some((one) => !isFinal(one.state)))
    return exitCodes.later;
  return recipients.every((one) => one.state === "delivered") ? exitCodes.done : exitCodes.failed;
}
