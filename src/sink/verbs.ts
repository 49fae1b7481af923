// The commands of RFC 5321 as the receiving server answers them.
import { createContentScanner, unstuffed, type ContentFacts } from "./content.ts";
import type { Taken } from "./dialogue.ts";
import { parsePath, passwordOf, sizeParameter } from "./grammar.ts";
import { isEarly, scenarioOf, type Scenario, type SinkPhase } from "./scenarios.ts";
import { isOrdinary, say, sayAndEnd, type Session, type Transaction } from "./session.ts";

const GREYLIST_ENTRIES_MAX = 100_000;
const NEXT_CONNECTIONS_MAX = 1_000;
const TEXT_LINE_BYTES_MAX = 998;
const BAD_COMMANDS_MAX = 20;
const DEFAULT_SIZE_MAX = 64_000_000;
const DEFAULT_RECIPIENTS_MAX = 1_000;
const DEFAULT_KEPT_BYTES = 16_384;
const HEADERS_SEARCHED_BYTES = 16_384;
const ID_SHOWN_MAX = 200;

export function command(session: Session, line: string): void {
  const space = line.indexOf(" ");
  const verb = (space < 0 ? line : line.slice(0, space)).toUpperCase();
  const rest = space < 0 ? "" : line.slice(space + 1).trim();
  switch (verb) {
    case "MAIL":
      return mailFrom(session, rest);
    case "RCPT":
      return rcptTo(session, rest);
    case "DATA":
      return data(session);
    case "EHLO":
    case "HELO":
      return hello(session, verb, rest);
    case "RSET":
      session.transaction = null;
      return say(session, "250 2.0.0 Forgotten");
    case "NOOP":
      return say(session, "250 2.0.0 Ok");
    case "QUIT":
      return sayAndEnd(session, "221 2.0.0 Bye");
    case "STARTTLS":
      return startTls(session);
    case "AUTH":
      return authenticate(session, rest);
    case "VRFY":
      return say(session, "252 2.1.5 Send it and see");
    default:
      session.badCommands++;
      return session.badCommands > BAD_COMMANDS_MAX
        ? sayAndEnd(session, "421 4.7.0 Too many errors")
        : say(session, "500 5.5.2 Unknown command");
  }
}

function hostnameOf(session: Session): string {
  return session.options.hostname ?? "sink.test";
}

export function greet(session: Session): void {
  if (isOrdinary(session, "220", session.early))
    say(session, `220 ${hostnameOf(session)} ESMTP sink`);
}

function hello(session: Session, verb: "EHLO" | "HELO", name: string): void {
  const { offersTls, login } = session.options;
  if (name === "") return say(session, "501 5.5.4 A name is needed");
  if (verb === "EHLO" && !isOrdinary(session, "ehlo", session.early)) return;
  session.helo = name;
  session.transaction = null;
  if (verb === "HELO") return say(session, `250 ${hostnameOf(session)}`);
  const offers = [
    hostnameOf(session),
    "PIPELINING",
    `SIZE ${session.options.sizeMax ?? DEFAULT_SIZE_MAX}`,
    ...(offersTls === true && !session.secure ? ["STARTTLS"] : []),
    ...(login === undefined ? [] : ["AUTH PLAIN LOGIN"]),
    "ENHANCEDSTATUSCODES",
    "8BITMIME",
    "SMTPUTF8",
  ];
  const last = offers.length - 1;
  say(session, offers.map((offer, i) => `250${i === last ? " " : "-"}${offer}`).join("\r\n"));
}

function mailFrom(session: Session, rest: string): void {
  if (session.helo === "") return say(session, "503 5.5.1 EHLO first");
  if (!session.loggedIn) return say(session, "530 5.7.0 Authentication is required");
  if (session.transaction !== null) return say(session, "503 5.5.1 A transaction is open");
  const path = parsePath(rest, "FROM");
  if (path === null) return say(session, "501 5.5.4 Syntax: MAIL FROM:<address>");
  const utf8 = path.parameters.has("SMTPUTF8");
  if (path.nonAscii && !utf8) return say(session, "553 5.6.7 This address needs SMTPUTF8");
  const size = sizeParameter(path.parameters);
  if (size === null) return say(session, "501 5.5.4 SIZE is no number");
  const sizeMax = session.options.sizeMax ?? DEFAULT_SIZE_MAX;
  if (size > sizeMax) return say(session, `552 5.3.4 At most ${sizeMax} bytes`);
  if (!isOrdinary(session, "mail", scenarioOf(path.address))) return;
  const eightBit = path.parameters.get("BODY")?.toUpperCase() === "8BITMIME";
  session.transaction = { from: path.address, eightBit, utf8, recipients: [], scenarios: [] };
  say(session, "250 2.1.0 Sender ok");
}

function rcptTo(session: Session, rest: string): void {
  const { transaction, options } = session;
  if (transaction === null) return say(session, "503 5.5.1 MAIL first");
  const path = parsePath(rest, "TO");
  if (path === null || path.address === "")
    return say(session, "501 5.5.4 Syntax: RCPT TO:<address>");
  if (path.nonAscii && !transaction.utf8)
    return say(session, "553 5.6.7 This address needs SMTPUTF8");
  if (transaction.recipients.length >= (options.recipientsMax ?? DEFAULT_RECIPIENTS_MAX))
    return say(session, "452 4.5.3 Too many recipients");
  const scenario = obeys(session, path.address) ? scenarioOf(path.address) : undefined;
  if (scenario !== undefined && isEarly(scenario.phase)) {
    const { nextConnection } = options.memory;
    if (nextConnection.length < NEXT_CONNECTIONS_MAX) nextConnection.push(scenario);
    return sayAndEnd(session, "421 4.3.2 Come back and see");
  }
  if (!isOrdinary(session, "rcpt", scenario)) return;
  if (scenario?.reaction.kind === "greylist") {
    const key = `${transaction.from} ${path.address}`;
    const waitMs = greylistWaitMs(session, key, scenario.reaction.delayMs);
    const seconds = Math.ceil(waitMs / 1_000);
    if (waitMs > 0) return say(session, `451 4.7.1 Greylisted, try again in ${seconds} seconds`);
  }
  transaction.recipients.push(path.address);
  if (scenario !== undefined) transaction.scenarios.push(scenario);
  say(session, "250 2.1.5 Recipient ok");
}

function greylistWaitMs(session: Session, key: string, delayMs: number): number {
  const { greylist } = session.options.memory;
  const now = session.options.clock.now();
  const seenAt = greylist.get(key);
  if (seenAt === undefined) {
    const oldest = greylist.keys().next();
    if (greylist.size >= GREYLIST_ENTRIES_MAX && oldest.done === false)
      greylist.delete(oldest.value);
    greylist.set(key, now);
    return delayMs;
  }
  const waitMs = seenAt + delayMs - now;
  // The next message of this pair is greylisted anew: each one shows the whole scenario.
  if (waitMs <= 0) greylist.delete(key);
  return waitMs;
}

function obeys({ options }: Session, address: string): boolean {
  const { scenarioDomain } = options;
  return scenarioDomain === undefined || address.endsWith(`@${scenarioDomain}`);
}

function scenarioFor(transaction: Transaction, phase: SinkPhase): Scenario | undefined {
  return transaction.scenarios.find((scenario) => scenario.phase === phase);
}

function data(session: Session): void {
  const { transaction } = session;
  if (transaction === null) return say(session, "503 5.5.1 MAIL first");
  if (transaction.recipients.length === 0) return say(session, "554 5.5.1 No valid recipient");
  if (!isOrdinary(session, "data", scenarioFor(transaction, "data"))) return;
  const { keptBytes = DEFAULT_KEPT_BYTES, tap } = session.options;
  const scanner = createContentScanner(keptBytes, tap?.(transaction));
  session.mode = { at: "content", transaction, scanner };
  say(session, "354 End with CR LF . CR LF");
}

/** Takes content from `chunk`; gives the next index. */
export function content(
  session: Session,
  mode: Extract<Session["mode"], { at: "content" }>,
  chunk: Uint8Array,
  from: number,
): number {
  const { transaction, scanner } = mode;
  if (!isOrdinary(session, "body", scenarioFor(transaction, "body"))) return chunk.length;
  const next = scanner.scan(chunk, from);
  if (next < 0) return chunk.length;
  session.transaction = null;
  session.mode = { at: "command" };
  finish(session, transaction, scanner.facts());
  return next;
}

function finish(session: Session, transaction: Transaction, facts: ContentFacts): void {
  const sizeMax = session.options.sizeMax ?? DEFAULT_SIZE_MAX;
  if (facts.bareLineEnd) return say(session, "550 5.5.2 A CR or LF stands alone");
  if (facts.sizeBytes > sizeMax) return say(session, `552 5.3.4 At most ${sizeMax} bytes`);
  const taken: Taken = {
    from: transaction.from,
    recipients: transaction.recipients,
    helo: session.helo,
    secure: session.secure,
    sizeBytes: facts.sizeBytes,
    id: messageIdOf(facts.kept),
    complaints: complaintsAbout(transaction, facts),
    content: () => unstuffed(facts.kept),
    tap: facts.tap,
  };
  if (!isOrdinary(session, "dot", scenarioFor(transaction, "dot"), taken)) return;
  session.actions.push({ kind: "take", taken });
  say(session, `250 2.0.0 Taken ${taken.id.slice(0, ID_SHOWN_MAX)}`.trimEnd());
}

function complaintsAbout(transaction: Transaction, facts: ContentFacts): string[] {
  const complaints: string[] = [];
  if (facts.eightBit && !transaction.eightBit && !transaction.utf8)
    complaints.push("8-bit content without BODY=8BITMIME");
  if (facts.longestLineBytes > TEXT_LINE_BYTES_MAX)
    complaints.push(`a line of ${facts.longestLineBytes} bytes`);
  return complaints;
}

function startTls(session: Session): void {
  if (session.options.offersTls !== true || session.secure)
    return say(session, "502 5.5.1 Not offered");
  if (!isOrdinary(session, "starttls", session.early)) return;
  say(session, "220 2.0.0 Go ahead");
  session.actions.push({ kind: "starttls" });
  session.mode = { at: "handshake" };
}

function authenticate(session: Session, rest: string): void {
  if (session.options.login === undefined || session.helo === "")
    return say(session, "503 5.5.1 AUTH is not possible now");
  const [mechanism = "", initial] = rest.split(" ");
  switch (mechanism.toUpperCase()) {
    case "PLAIN":
      if (initial !== undefined) return judge(session, passwordOf(initial));
      session.mode = { at: "login", step: "plain", user: "" };
      return say(session, "334 ");
    case "LOGIN":
      session.mode = { at: "login", step: "user", user: "" };
      return say(session, "334 VXNlcm5hbWU6");
    default:
      return say(session, "504 5.5.4 PLAIN and LOGIN only");
  }
}

export function loginLine(
  session: Session,
  mode: Extract<Session["mode"], { at: "login" }>,
  line: string,
): void {
  session.mode = { at: "command" };
  if (mode.step === "plain") return judge(session, passwordOf(line));
  const text = Buffer.from(line, "base64").toString();
  if (mode.step === "pass") return judge(session, { user: mode.user, pass: text });
  session.mode = { at: "login", step: "pass", user: text };
  say(session, "334 UGFzc3dvcmQ6");
}

function judge(session: Session, given: { user: string; pass: string } | null): void {
  const { login } = session.options;
  session.loggedIn = given !== null && given.user === login?.user && given.pass === login.pass;
  say(session, session.loggedIn ? "235 2.7.0 Welcome" : "535 5.7.8 Wrong user or password");
}

function messageIdOf(chunks: readonly Uint8Array[]): string {
  let headers = "";
  for (const chunk of chunks) {
    const part = chunk.subarray(0, HEADERS_SEARCHED_BYTES - headers.length);
    headers += Buffer.from(part.buffer, part.byteOffset, part.length).toString("latin1");
    const end = headers.indexOf("\r\n\r\n");
    if (end >= 0) headers = headers.slice(0, end + 2);
    if (end >= 0 || headers.length >= HEADERS_SEARCHED_BYTES) break;
  }
  return valueIn(headers, X_ID) ?? valueIn(headers, MESSAGE_ID)?.replace(/^<|>$/g, "") ?? "";
}

const X_ID = /^x-id:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*)/im;
const MESSAGE_ID = /^message-id:[ \t]*(?:\r\n[ \t]+)?([^\r\n]*)/im;

function valueIn(headers: string, pattern: RegExp): string | undefined {
  return pattern.exec(headers)?.[1]?.trim();
}
