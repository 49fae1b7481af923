// One mail transaction (RFC 5321 3.3) on a connection that stands: MAIL, any number of RCPT, DATA, the message, the dot. With
// PIPELINING the commands travel as one group (RFC 2920); the rules by which replies are judged are the same. A large message goes as
// one chunk where the server takes chunks (RFC 3030): no octet of it need be looked at. DATA and BDAT never meet in one transaction.
import { DOT, RSET, type Line } from "./command.ts";
import {
  accepted,
  lossOf,
  type BodyWant,
  type Dialogue,
  type Happened,
  type LossReason,
} from "./dialogue.ts";
import { chunk, commandsOf, unfit, type Commands, type Envelope, type Misfit } from "./envelope.ts";
import type { Offer } from "./extensions.ts";
import type { Phase } from "./phases.ts";
import { classOf, type Reply } from "./reply.ts";

/** What became of one recipient. */
export type Fate =
  | { readonly fate: "taken"; readonly reply: Reply }
  | { readonly fate: "refused"; readonly phase: Phase; readonly reply: Reply }
  | {
      readonly fate: "lost";
      readonly phase: Phase;
      readonly why: LossReason;
      readonly text: string;
      readonly doubt: boolean;
    }
  | Misfit
  | { readonly fate: "spoiled"; readonly text: string };

export interface TransactionEnd {
  /** In the order of the envelope's recipients. */
  readonly fates: readonly Fate[];
  /** Another MAIL may follow on this connection. */
  readonly clean: boolean;
  /** What the server offers, and seems not to bear: worth trying without. */
  readonly broke: "pipelining" | "chunking" | null;
}

/** What is known while the dialogue runs. A recipient without a fate has been accepted, or not been asked for yet. */
interface Course {
  readonly fates: (Fate | undefined)[];
  /** How many have none. */
  undecided: number;
  /** The transaction as a whole is over: no further command belongs to it. */
  over: boolean;
  clean: boolean;
  /** MAIL was accepted and nothing has ended the transaction since. */
  open: boolean;
  broke: TransactionEnd["broke"];
  /** DATA was refused although somebody was accepted: rare, and also what replies look like that are out of step by one. */
  suspect: boolean;
  /** They are. */
  misread: boolean;
}

export function* transaction(envelope: Envelope, offer: Offer): Dialogue<TransactionEnd> {
  const commands = commandsOf(envelope, offer);
  if ("fate" in commands)
    return { fates: envelope.to.map(() => commands), clean: true, broke: null };
  const course: Course = {
    fates: new Array<Fate | undefined>(envelope.to.length).fill(undefined),
    undecided: envelope.to.length,
    over: false,
    clean: true,
    open: false,
    broke: null,
    suspect: false,
    misread: false,
  };
  if (offer.pipelining) yield* inOneGroup(commands, course);
  else yield* oneByOne(commands, course);
  if (course.open && course.clean) yield* reset(course);
  return { fates: course.fates as Fate[], clean: course.clean, broke: course.broke };
}

/** The group's phases by its number of recipients; made once for the usual small numbers. */
const groups: (readonly Phase[])[] = [];
function groupOf(recipients: number): readonly Phase[] {
  return (groups[recipients] ??= [
    "mail",
    ...new Array<Phase>(recipients).fill("rcpt"),
    "data",
  ] as const);
}

function* inOneGroup({ lines, body }: Commands, course: Course): Dialogue<void> {
  // A chunk follows only once somebody is known to want it.
  const chunked = body === chunk;
  const whole = groupOf(course.fates.length);
  const group = chunked ? whole.slice(0, -1) : whole;
  const happened = yield { want: "replies", phases: group, send: lines };
  const replies = happened.got === "replies" ? happened.replies : [];
  const loss = happened.got === "replies" ? happened.lost : happened;
  let i = 0;
  for (const reply of replies) {
    const phase = group[i] ?? "data";
    const someAccepted = phase === "data" && course.undecided > 0;
    judge(course, phase, i++ - 1, reply);
    if (someAccepted && classOf(reply) >= 4) course.suspect = true;
  }
  if (loss !== null) {
    // A server that says goodbye leaves the rest of a group unanswered with every right (RFC 5321 3.8).
    const stopped = loss.got === "lost" && loss.why === "stopped";
    if (!stopped && replies.at(-1)?.code !== 421) course.broke = "pipelining";
    return endLost(course, group[i] ?? "data", loss);
  }
  if (course.misread) course.broke = "pipelining";
  if (chunked) {
    if (course.undecided > 0) yield* message(course, body);
    return;
  }
  const data = replies[i - 1];
  if (data === undefined || classOf(data) !== 3) return;
  // The server waits for a message. If nobody is left to get it, a lone dot ends it (RFC 2920 3.1).
  if (course.undecided > 0) yield* message(course, body);
  else if (course.clean) yield* nothing(course);
}

function* oneByOne({ lines, body }: Commands, course: Course): Dialogue<void> {
  const recipients = course.fates.length;
  yield* step(course, "mail", -1, lines[0] ?? null);
  for (let i = 0; i < recipients && !course.over; i++)
    yield* step(course, "rcpt", i, lines[i + 1] ?? null);
  if (course.undecided === 0) return;
  if (body !== chunk) yield* step(course, "data", recipients, lines[recipients + 1] ?? null);
  if (course.undecided > 0) yield* message(course, body);
}

function* step(course: Course, phase: Phase, i: number, send: Line | null): Dialogue<void> {
  const happened = yield { want: "reply", phase, send };
  if (happened.got === "reply") judge(course, phase, i, happened.reply);
  else endLost(course, phase, happened);
}

/** One reply before the message. `i` is the recipient's place; it says nothing in the other phases. */
function judge(course: Course, phase: Phase, i: number, reply: Reply): void {
  if (accepted(phase, reply)) {
    if (phase === "mail") course.open = true;
    return;
  }
  // A reply that is neither yes nor no means that we no longer understand each other.
  if (classOf(reply) < 4) return misread(course, { fate: "refused", phase, reply });
  // RFC 5321 3.8: it ends the session.
  if (reply.code === 421) course.clean = false;
  if (course.over) return;
  const fate: Fate = { fate: "refused", phase, reply };
  if (phase !== "rcpt" || !course.clean) return endAll(course, fate);
  course.fates[i] = fate;
  course.undecided--;
}

/** Which reply belongs to which command is not known any more: nobody is refused for good by what may have been said to another. */
function misread(course: Course, fate: Fate): void {
  course.fates.fill(fate);
  course.undecided = 0;
  course.over = true;
  course.clean = false;
  course.misread = true;
}

/** The connection is of no more use; and if that is so because more was said than asked, what was said before is worth nothing. */
function endLost(course: Course, phase: Phase, happened: Happened): void {
  const fate = lostFate(phase, happened);
  if (fate.why === "protocol") misread(course, fate);
  else endAll(course, fate);
}

/** The fate of all that have none yet. */
function endAll(course: Course, fate: Fate): void {
  for (let i = 0; i < course.fates.length; i++) course.fates[i] ??= fate;
  course.undecided = 0;
  course.over = true;
  if (fate.fate === "lost" || fate.fate === "spoiled") course.clean = false;
}

function lostFate(
  phase: Phase,
  happened: Happened,
  doubt = false,
): Extract<Fate, { fate: "lost" }> {
  return { fate: "lost", phase, doubt, ...lossOf(happened) };
}

function* message(course: Course, body: BodyWant): Dialogue<void> {
  const written = yield body;
  // From here on every road ends the transaction, so there is nothing to reset.
  course.open = false;
  if (written.got === "early") {
    // The body is cut off in the middle: the connection cannot be used again.
    course.clean = false;
    if (foreign(course, body, written.reply)) return;
    const phase = classOf(written.reply) < 4 ? "body" : "dot";
    return endAll(course, { fate: "refused", phase, reply: written.reply });
  }
  if (written.got === "spoiled") return endSpoiled(course, written);
  if (written.got !== "done") return endAll(course, lostFate("body", written));
  const happened = yield { want: "reply", phase: "dot", send: null };
  if (happened.got !== "reply") return endAll(course, lostFate("dot", happened, true));
  const { reply } = happened;
  if (accepted("dot", reply)) return endAll(course, { fate: "taken", reply });
  if (foreign(course, body, reply)) return;
  if (reply.code === 421) course.clean = false;
  if (classOf(reply) >= 4) return endAll(course, { fate: "refused", phase: "dot", reply });
  const text = `the server said ${reply.code} to the end of the message`;
  endAll(course, { fate: "lost", phase: "dot", why: "protocol", text, doubt: true });
}

/** The server, or something before it, does not know BDAT although it was offered: no word about the message, which goes by DATA next. */
function foreign(course: Course, body: BodyWant, { code }: Reply): boolean {
  if (body !== chunk || code < 500 || code > 504) return false;
  course.broke = "chunking";
  const text = `the server offers CHUNKING and answers ${code} to BDAT`;
  endAll(course, { fate: "lost", phase: "body", why: "protocol", text, doubt: false });
  return true;
}

function endSpoiled(course: Course, written: Extract<Happened, { got: "spoiled" }>): void {
  const { text, enhanced } = written;
  if (enhanced === undefined) return endAll(course, { fate: "spoiled", text });
  course.clean = false;
  endAll(course, unfit(enhanced, text));
}

/** An empty message to nobody. Its reply does not matter, but there must be one. */
function* nothing(course: Course): Dialogue<void> {
  course.open = false;
  const happened = yield { want: "reply", phase: "void", send: DOT };
  if (happened.got !== "reply" || happened.reply.code === 421) course.clean = false;
}

function* reset(course: Course): Dialogue<void> {
  const happened = yield { want: "reply", phase: "rset", send: RSET };
  course.clean = happened.got === "reply" && accepted("rset", happened.reply);
  if (!course.suspect || course.clean || happened.got !== "reply") return;
  const { code } = happened.reply;
  if (code === 421) return;
  // Most likely what was meant for DATA: then each reply before it was meant for the command before.
  const text = `the replies are out of step: ${code} to RSET`;
  misread(course, { fate: "lost", phase: "data", why: "protocol", text, doubt: false });
  course.broke = "pipelining";
}
