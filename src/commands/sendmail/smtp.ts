// `sendmail -bs`: a program speaks SMTP to us on standard input and output, as some mailers do instead of opening a port. As small as
// RFC 5321 allows: each message ends as one that came by `sendmail -t` does.
import type { EpochMs } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { PICKUP_RECIPIENTS_MAX, pickupMessageId, pickupName } from "../../mail/pickup.ts";
import type { CliDeps } from "../deps.ts";
import { addressed, expanded } from "./addresses.ts";
import { createCollector } from "./collected.ts";
import { handOver } from "./handOver.ts";
import { findPlaces, type Places } from "./places.ts";
import { type Read, readMessage } from "./message.ts";
import { fail, sysexits, wordsOf } from "./sysexits.ts";

const LINE_BYTES_MAX = 4_096;
const LF = 0x0a;
const CR = 0x0d;

interface Session {
  readonly deps: CliDeps;
  readonly places: Places;
  readonly input: Input;
  sender: string | undefined;
  to: string[];
}

/** Resolves with the exit code. */
export async function runSmtp(deps: CliDeps): Promise<number> {
  const places = findPlaces(deps);
  if (typeof places === "string") return fail(deps, sysexits.config, places);
  const session: Session = {
    deps,
    places,
    input: inputOf(deps.stdin()),
    sender: undefined,
    to: [],
  };
  say(session, `220 ${places.hostname} ESMTP Postrider`);
  for (;;) {
    const line = await session.input.line();
    if (line === undefined) return sysexits.ok;
    const verb = (/^[A-Za-z]+/.exec(line)?.[0] ?? "").toUpperCase();
    if (verb === "QUIT") {
      say(session, "221 2.0.0 Bye");
      return sysexits.ok;
    }
    say(session, await replyTo(session, verb, line));
  }
}

function say({ deps }: Session, reply: string): void {
  deps.output.bytes(Buffer.from(`${reply}\r\n`));
}

async function replyTo(session: Session, verb: string, line: string): Promise<string> {
  switch (verb) {
    case "HELO":
      reset(session);
      return `250 ${session.places.hostname}`;
    case "EHLO":
      reset(session);
      return [
        `250-${session.places.hostname}`,
        "250-PIPELINING",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250 ENHANCEDSTATUSCODES",
      ].join("\r\n");
    case "MAIL":
      return mail(session, line);
    case "RCPT":
      return rcpt(session, line);
    case "DATA":
      return data(session);
    case "RSET":
      reset(session);
      return "250 2.0.0 Forgotten";
    case "NOOP":
      return "250 2.0.0 Ok";
    case "VRFY":
      return "252 2.1.5 Send it and see";
    default:
      return "500 5.5.2 Unknown command";
  }
}

function reset(session: Session): void {
  session.sender = undefined;
  session.to = [];
}

interface Path {
  readonly address: string;
  /** What stands behind the path. */
  readonly parameters: string;
}

function pathIn(line: string, word: string): Path | undefined {
  const found = new RegExp(`^\\w+ +${word}: *<([^<>]*)>( .*|)$`, "i").exec(line);
  return found === null ? undefined : { address: found[1] ?? "", parameters: found[2] ?? "" };
}

/** Of what may stand behind MAIL; behind RCPT nothing may. What is not known would change what the client means. */
const MAIL_PARAMETERS = /^(?: +(?:SIZE=\d{1,20}|BODY=(?:7BIT|8BITMIME)|SMTPUTF8|AUTH=\S+))* *$/i;
const unknownParameter = "555 5.5.4 A parameter is not known";

function mail(session: Session, line: string): string {
  if (session.sender !== undefined) return "503 5.5.1 A transaction is open";
  const path = pathIn(line, "FROM");
  const address = path && addressed(path.address, session.places.hostname);
  if (path === undefined || address === undefined) return "501 5.1.7 Syntax: MAIL FROM:<address>";
  if (!MAIL_PARAMETERS.test(path.parameters)) return unknownParameter;
  session.sender = address;
  return "250 2.1.0 Sender ok";
}

function rcpt(session: Session, line: string): string {
  if (session.sender === undefined) return "503 5.5.1 MAIL first";
  if (session.to.length >= PICKUP_RECIPIENTS_MAX) return "452 4.5.3 Too many recipients";
  const path = pathIn(line, "TO");
  const address = path && addressed(path.address, session.places.hostname);
  if (path === undefined || address === undefined || address === "")
    return "501 5.1.3 Syntax: RCPT TO:<address>";
  if (path.parameters.trim() !== "") return unknownParameter;
  session.to.push(address);
  return "250 2.1.5 Recipient ok";
}

async function data(session: Session): Promise<string> {
  const { deps, places, sender, to, input } = session;
  if (sender === undefined || to.length === 0) return "503 5.5.1 RCPT first";
  say(session, "354 End with CR LF . CR LF");
  const now = deps.clock.now();
  const name = pickupName(now, systemRandom.bytes);
  const content = input.content();
  reset(session);
  const read = await readContent(session, { now, name, sender, content });
  // The rest of a message that is not taken is none of our commands.
  for await (const piece of content) void piece;
  if (read === undefined) return notNow;
  if (read.kind === "refused") return `554 5.6.0 ${read.why}`;
  try {
    if (input.isCut()) return "451 4.4.2 The message has no end";
    const envelope = { from: sender, to: expanded(to, places) };
    const code = await handOver(deps, places, name, envelope, read.message);
    if (code === sysexits.ok) return "250 2.0.0 Taken";
    return code === sysexits.dataError ? "554 5.6.0 The message is refused" : notNow;
  } finally {
    read.message.close();
  }
}

const notNow = "451 4.3.0 The message could not be stored now";

interface Arriving {
  readonly now: EpochMs;
  readonly name: string;
  readonly sender: string;
  readonly content: AsyncGenerator<Uint8Array>;
}

/** Undefined: there is no room for it. What it does not read stays in `content`. */
async function readContent(
  { deps, places }: Session,
  { now, name, sender, content }: Arriving,
): Promise<Read | undefined> {
  const author = {
    address: sender === "" ? `${deps.user()}@${places.hostname}` : sender,
    name: "",
    domain: places.hostname,
    now,
    messageId: pickupMessageId(name, places.hostname),
  };
  // Without `return`, by which a reader that stops would end what it reads from.
  const pieces = { [Symbol.asyncIterator]: () => ({ next: () => content.next() }) };
  const open = () => createCollector(places.tempDir, name);
  try {
    return await readMessage(pieces, { author, dotEnds: false }, open);
  } catch (error) {
    fail(deps, sysexits.ioError, `the message could not be read: ${wordsOf(error)}`);
    return undefined;
  }
}

interface Input {
  /** Undefined at the end; empty for a line that is too long. */
  line(): Promise<string | undefined>;
  /**
   * The lines up to the lone dot, with their doubled dots made single (RFC 5321 4.5.2). A client that ended its last command with CR LF
   * has stuffed dots behind CR LF alone, and means no end by others: a message could be smuggled in behind one.
   */
  content(): AsyncGenerator<Uint8Array>;
  /** The client is gone, and its message has no dot. */
  isCut(): boolean;
}

function inputOf(chunks: AsyncIterable<Uint8Array>): Input {
  const source = chunks[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  let cut = false;
  let crlf = false;
  const more = async (): Promise<boolean> => {
    const next = await source.next();
    if (next.done === true) return false;
    held = held.length === 0 ? Buffer.from(next.value) : Buffer.concat([held, next.value]);
    return true;
  };
  /** With its end; a line that is too long comes in parts. */
  const take = async (): Promise<Buffer | undefined> => {
    for (;;) {
      const lf = held.indexOf(LF);
      if (lf >= 0 || held.length > LINE_BYTES_MAX) {
        const end = lf >= 0 ? lf + 1 : held.length;
        const line = held.subarray(0, end);
        held = held.subarray(end);
        return line;
      }
      if (!(await more())) return undefined;
    }
  };
  return {
    isCut: () => cut,
    async line() {
      let bytes = await take();
      let isLong = false;
      for (; bytes !== undefined && bytes.at(-1) !== LF; bytes = await take()) isLong = true;
      if (bytes === undefined) return undefined;
      crlf = bytes.at(-2) === CR;
      if (isLong || bytes.length > LINE_BYTES_MAX) return "";
      return bytes.toString().replace(/\r?\n$/, "");
    },
    async *content() {
      const end = crlf ? /^\.\r\n$/ : /^\.\r?\n$/;
      let isStart = true;
      let last: number | undefined;
      for (;;) {
        const bytes = await take();
        if (bytes === undefined) {
          cut = true;
          return;
        }
        const dotted = isStart && bytes[0] === 0x2e;
        if (dotted && end.test(bytes.toString("latin1"))) return;
        yield dotted ? bytes.subarray(1) : bytes;
        const before = bytes.length > 1 ? bytes.at(-2) : last;
        last = bytes.at(-1);
        isStart = last === LF && (before === CR || !crlf);
      }
    },
  };
}
