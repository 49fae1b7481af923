// `sendmail`, as programs of forty years call it: by that name, or as a command of ours. A message from standard input goes to the
// daemon by a local socket, and where no daemon takes it into the pickup folder. Ends with the codes of sysexits.h.
import { systemRandom } from "../../base/random.ts";
import { unreachable } from "../../base/unreachable.ts";
import { PICKUP_RECIPIENTS_MAX, pickupMessageId, pickupName } from "../../mail/pickup.ts";
import type { CliDeps } from "../deps.ts";
import { addressed, expanded, named } from "./addresses.ts";
import { createCollector } from "./collected.ts";
import { handOver } from "./handOver.ts";
import type { Author } from "./header.ts";
import { type Read, readMessage } from "./message.ts";
import { type ParsedOptions, parseSendmail, type SendmailOptions } from "./options.ts";
import { findPlaces, type Places } from "./places.ts";
import { fail, sysexits, wordsOf } from "./sysexits.ts";

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
  const now = deps.clock.now();
  const name = pickupName(now, systemRandom.bytes);
  const author: Author = {
    address: `${deps.user()}@${places.hostname}`,
    name: options.fullName ?? "",
    domain: places.hostname,
    now,
    messageId: pickupMessageId(name, places.hostname),
  };
  const sender = addressed(options.sender ?? author.address, author.domain);
  if (sender === undefined)
    return fail(deps, sysexits.usage, `-f: ${options.sender} is no address`);
  const to: string[] = [];
  for (const argument of options.recipients) {
    const addresses = named(argument, author.domain);
    if (addresses === undefined) return fail(deps, sysexits.usage, `${argument} is no address`);
    to.push(...addresses);
  }
  const writer = sender === "" ? author : { ...author, address: sender };
  return readAndSubmit({ options, deps, places, name, author: writer, sender, named: to });
}

interface Delivery {
  readonly options: SendmailOptions;
  readonly deps: CliDeps;
  readonly places: Places;
  /** As which it would wait in a pickup folder. */
  readonly name: string;
  readonly author: Author;
  readonly sender: string;
  readonly named: readonly string[];
}

async function readAndSubmit(delivery: Delivery): Promise<number> {
  const { options, deps, places, name, author, sender } = delivery;
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
    const all = options.fromHeader ? [...delivery.named, ...read.recipients] : delivery.named;
    const to = expanded(all, places);
    if (to.length === 0) return fail(deps, sysexits.dataError, "To, Cc and Bcc name nobody");
    if (to.length > PICKUP_RECIPIENTS_MAX)
      return fail(deps, sysexits.dataError, `more than ${PICKUP_RECIPIENTS_MAX} recipients`);
    const { notify, ret, envid } = options;
    return await handOver(
      deps,
      places,
      name,
      { from: sender, to, notify, ret, envid },
      read.message,
    );
  } finally {
    read.message.close();
  }
}
