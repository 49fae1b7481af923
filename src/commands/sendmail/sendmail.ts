// `sendmail`, as programs of forty years call it: by that name, or as a command of ours. A message from standard input goes to the
// daemon by a local socket, and where no daemon takes it into the pickup folder. Ends with the codes of sysexits.h.
import { systemRandom } from "../../base/random.ts";
import { unreachable } from "../../base/unreachable.ts";
import { parseAddress } from "../../mail/address.ts";
import { partsOf, PICKUP_RECIPIENTS_MAX, pickupName } from "../../mail/pickup.ts";
import type { PickupEnvelope } from "../../mail/pickup.ts";
import { type Answer, createDaemonClient, type DaemonClient } from "../daemonClient.ts";
import type { CliDeps } from "../deps.ts";
import { printable } from "../output.ts";
import { problemText } from "../target.ts";
import { type Collected, createCollector } from "./collected.ts";
import { expandAliases } from "./aliases.ts";
import { type Author, isBare, makeHeader } from "./header.ts";
import { post } from "./letterbox.ts";
import { type ParsedOptions, parseSendmail, type SendmailOptions } from "./options.ts";
import { findPlaces, type Places } from "./places.ts";
import { createDotEnd, createHeadReader, createLineBreaker, type Head } from "./stream.ts";
import { sysexits } from "./sysexits.ts";

/** A body that is large, on a disk that is slow. */
const SEND_TIMEOUT_MS = 300_000;

/** Resolves with the exit code. */
export async function runSendmail(args: readonly string[], deps: CliDeps): Promise<number> {
  const parsed: ParsedOptions = parseSendmail(args);
  if (parsed.kind === "refused") return fail(deps, sysexits.usage, parsed.why);
  const { options } = parsed;
  switch (options.mode) {
    case "nothing":
      return sysexits.ok;
    case "list":
    case "flush":
      return (await import("../mailq.ts")).asSendmail(options.mode, deps);
    case "smtp":
      return (await import("./smtp.ts")).runSmtp(deps);
    case "deliver":
      return deliver(options, deps);
    default:
      return unreachable(options.mode);
  }
}

async function deliver(options: SendmailOptions, deps: CliDeps): Promise<number> {
  if (!options.fromHeader && options.recipients.length === 0)
    return fail(deps, sysexits.usage, "name the recipients as arguments, or with -t in the header");
  const places = findPlaces(deps);
  if (typeof places === "string") return fail(deps, sysexits.config, places);
  const author: Author = {
    address: `${deps.user()}@${places.hostname}`,
    name: options.fullName ?? "",
    domain: places.hostname,
  };
  const sender = addressed(options.sender ?? author.address, author.domain);
  if (sender === undefined)
    return fail(deps, sysexits.usage, `-f: ${options.sender} is no address`);
  const named: string[] = [];
  // Old programs give several in one argument.
  for (const text of options.recipients.flatMap((one) => one.split(","))) {
    const address = addressed(text.trim(), author.domain);
    if (address === undefined || address === "")
      return fail(deps, sysexits.usage, `${text} is no address`);
    named.push(address);
  }
  const writer = sender === "" ? author : { ...author, address: sender };
  return readAndSubmit({ options, deps, places, author: writer, sender, named });
}

interface Delivery {
  readonly options: SendmailOptions;
  readonly deps: CliDeps;
  readonly places: Places;
  readonly author: Author;
  readonly sender: string;
  readonly named: readonly string[];
}

async function readAndSubmit(delivery: Delivery): Promise<number> {
  const { options, deps, places, author, sender, named } = delivery;
  const name = pickupName(deps.clock.now(), systemRandom.bytes);
  let read: Read;
  try {
    read = await readMessage(deps.stdin(), { author, dotEnds: options.dotEnds }, () =>
      createCollector(places.tempDir, name),
    );
  } catch (error) {
    return fail(deps, sysexits.ioError, `the message could not be read: ${wordsOf(error)}`);
  }
  if (read.kind === "refused") return fail(deps, sysexits.dataError, read.why);
  try {
    if (options.fromHeader && read.unreadable !== undefined)
      return fail(deps, sysexits.dataError, read.unreadable);
    const all = options.fromHeader ? [...named, ...read.recipients] : named;
    const to = expanded(all, places);
    if (to.length === 0) return fail(deps, sysexits.dataError, "To, Cc and Bcc name nobody");
    if (to.length > PICKUP_RECIPIENTS_MAX)
      return fail(deps, sysexits.dataError, `more than ${PICKUP_RECIPIENTS_MAX} recipients`);
    const { notify, ret, envid } = options;
    return await submit(deps, places, name, { from: sender, to, notify, ret, envid }, read.message);
  } finally {
    read.message.close();
  }
}

/** What an alias stands for is checked like everything else; what is no address there leaves its name as it is. */
export function expanded(addresses: readonly string[], places: Places): readonly string[] {
  const { hostname: domain, aliases } = places;
  const found = expandAliases(addresses, { domain, aliases });
  return found.flatMap((one) => addressed(one, domain) ?? []);
}

/** In wire form; with this host's name where it has none. Undefined when it is no address. */
export function addressed(text: string, domain: string): string | undefined {
  if (text === "") return "";
  const bare = /^<(.*)>$/.exec(text)?.[1] ?? text;
  const parsed = parseAddress(isBare(bare) ? `${bare}@${domain}` : bare);
  return parsed.kind === "ok" ? parsed.value : undefined;
}

export type Read =
  | {
      readonly kind: "read";
      readonly message: Collected;
      readonly recipients: readonly string[];
      readonly unreadable: string | undefined;
    }
  | { readonly kind: "refused"; readonly why: string };

/** The message made whole, up to its end or its lone dot. */
export async function readMessage(
  input: AsyncIterable<Uint8Array>,
  { author, dotEnds }: { readonly author: Author; readonly dotEnds: boolean },
  open: () => ReturnType<typeof createCollector>,
): Promise<Read> {
  const dot = createDotEnd();
  const head = createHeadReader();
  const lines = createLineBreaker();
  const collector = open();
  let header: ReturnType<typeof makeHeader> | undefined;
  const begin = (found: Head): string | undefined => {
    if (found.kind === "too large") return "the header is too large";
    header = makeHeader(found.lines, author);
    collector.add(Buffer.from(header.text, "latin1"));
    collector.add(lines.push(found.body));
    return undefined;
  };
  const take = (bytes: Uint8Array): string | undefined => {
    if (header !== undefined) return void collector.add(lines.push(bytes));
    const found = head.push(bytes);
    return found === undefined ? undefined : begin(found);
  };
  for await (const chunk of input) {
    const why = take(dotEnds ? dot.push(chunk) : chunk);
    if (why !== undefined) return { kind: "refused", why };
    if (dot.ended) break;
  }
  const last = take(dot.rest());
  const why = last ?? (header === undefined ? begin(head.end()) : undefined);
  if (why !== undefined || header === undefined)
    return { kind: "refused", why: why ?? "there is no message" };
  const { recipients, unreadable } = header;
  return { kind: "read", message: collector.done(), recipients, unreadable };
}

/** To the daemon, part by part; from the first part that no daemon takes on, into the pickup folder. */
export async function submit(
  deps: CliDeps,
  places: Places,
  name: string,
  envelope: PickupEnvelope,
  message: Collected,
): Promise<number> {
  const client = createDaemonClient({ kind: "socket", paths: places.sockets }, deps.clock);
  for (const part of partsOf(name, envelope)) {
    const answer = await ask(client, part.query, part.idempotencyKey, message);
    if (answer.kind === "answer" && answer.status < 300) continue;
    const refusal = refusalOf(answer);
    if (refusal !== undefined) return fail(deps, codeOf(refusal), problemText(refusal));
    // Every part has the key that the daemon will use for it, so one that it has taken is not taken again.
    const posted = post(places.pickup, name, envelope, message);
    if (posted.kind === "posted") return sysexits.ok;
    const why = answer.kind === "answer" ? problemText(answer) : answer.why;
    const code = posted.kind === "nowhere" ? sysexits.unavailable : sysexits.temporary;
    return fail(deps, code, `${why}; ${posted.why}`);
  }
  return sysexits.ok;
}

function ask(
  client: DaemonClient,
  query: string,
  idempotencyKey: string,
  message: Collected,
): Promise<Answer> {
  return client.ask({
    method: "POST",
    path: `/send?${query}`,
    stream: { type: "message/rfc822", open: message.stream },
    headers: { "idempotency-key": idempotencyKey },
    timeoutMs: SEND_TIMEOUT_MS,
  });
}

type Answered = Extract<Answer, { kind: "answer" }>;

/** The message is no good, or its sender: waiting mends nothing. Everything else may be better later. */
function refusalOf(answer: Answer): Answered | undefined {
  if (answer.kind !== "answer") return undefined;
  const { status, body } = answer;
  const { name } = (body ?? {}) as { readonly name?: string };
  const isLater = status === 429 || (status === 409 && name !== "invalid_idempotent_request");
  const isFinal = status >= 400 && status < 500 && !isLater;
  return isFinal ? answer : undefined;
}

function codeOf({ status }: Answered): number {
  return status === 401 || status === 403 ? sysexits.noPermission : sysexits.dataError;
}

export function fail({ output }: CliDeps, code: number, why: string): number {
  // Callers log one line; a lone fault is the whole problem and would stand there twice.
  const lines = new Set(why.split("\n").map((line) => printable(line.trim())));
  output.err(`sendmail: ${[...lines].join("; ")}`);
  return code;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
