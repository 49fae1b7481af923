// POST /send with message/rfc822: a message that the caller composed, taken in constant memory. It passes through the intake chunk
// by chunk; what grows beyond a small message goes to the spool as it comes.
import type { Clock, EpochMs } from "../base/clock.ts";
import { type Address, needsUtf8 } from "../mail/address.ts";
import { formatDate } from "../mail/compose/headers.ts";
import { type HeaderText, type Parsed, parseHeaderText } from "../mail/compose/headerText.ts";
import { type HostTag, type MessageId, uuidOf } from "../mail/id.ts";
import { domainOf, type MessageFacts, type MessageHead, type Priority } from "../mail/message.ts";
import { partOfKey, RECIPIENTS_AT_ONCE } from "../mail/pickup.ts";
import type { RawFault } from "../mail/raw/header.ts";
import { type RawIntake, type RawTaken, createRawIntake } from "../mail/raw/intake.ts";
import type { RawHeader } from "../mail/raw/readHeader.ts";
import type { WarningCode } from "../mail/warning.ts";
import { declaredLength, freeChunk, readChunks, tooLarge } from "./chunks.ts";
import { admitSender, type Caller, markOf } from "./caller.ts";
import { checkCoding } from "./decode.ts";
import { INLINE_MAX_BYTES, type Prepared, type ReturnPathOf } from "./draft.ts";
import { createGathered, type Gathered } from "./gathered.ts";
import { createRawDigest, type Known, type RawDigest, readIdempotencyKey } from "./once.ts";
import { type Fault, type Problem, type Result, ok, problem, problemOf } from "./problem.ts";
import { type Envelope, readEnvelope } from "./rawEnvelope.ts";
import { REFERENCE_MAX, TAGS_MAX, lanes } from "./schema.ts";
import { createSendmailDigest } from "./smtp/sameMail.ts";
import { type Spool, type SpoolFile, diskProblem } from "./spool.ts";
import type { Turns } from "./turns.ts";
import { rawWarningsOf } from "./warnings.ts";

export interface RawDeps {
  readonly clock: Clock;
  readonly ids: (now: EpochMs) => MessageId;
  readonly tag: HostTag;
  readonly hostname: string;
  readonly returnPathOf?: ReturnPathOf;
  readonly spool: Spool;
  readonly messageBytesMax: number;
  readonly recipientsPerField: number;
  readonly turns?: Turns | undefined;
  /** Whether a DKIM key here covers this domain; absent: nobody knows. */
  readonly signs?: ((domain: string) => boolean) | undefined;
}

/** `once`: what a message that is refused by now is known by. It may have been taken when it came before. */
export type RawMade =
  | { readonly kind: "ok"; readonly value: Prepared }
  | { readonly kind: "problem"; readonly problem: Problem; readonly once?: Known | undefined };

export async function prepareRaw(
  door: RawDeps,
  request: Request,
  caller: Caller,
): Promise<RawMade> {
  const coded = checkCoding(request);
  if (coded !== undefined) return problem(coded);
  const given = request.headers.get("idempotency-key");
  const part = given === null ? undefined : partOfKey(given);
  const deps = part === undefined ? door : forPart(door);
  const envelope = readEnvelope(request, deps.recipientsPerField);
  if (envelope.kind === "problem") return envelope;
  const key = given === null ? undefined : readIdempotencyKey(given, caller);
  if (key?.kind === "problem") return key;
  const digest =
    key === undefined || part === undefined
      ? createRawDigest(key?.value)
      : createSendmailDigest(key.value, part);
  const length = declaredLength(request) ?? 0;
  if (length > deps.messageBytesMax) return problem(tooLarge(deps.messageBytesMax, length, true));
  // The trace line on top names the id, so it is given out before the body has come.
  const now = deps.clock.now();
  const id = deps.ids(now);
  const uuid = uuidOf(id, deps.tag);
  const intake = createRawIntake({
    received: headerText(`by ${deps.hostname} with HTTP id ${uuid}; ${formatDate(now)}`),
    date: now,
    messageId: headerText(`${uuid}@${deps.hostname}`),
  });
  const holder = createHolder(deps.spool);
  const taken = await diskProblem(pour(deps, request, intake, holder, digest)).catch(
    async (error: unknown) => {
      await holder.discard();
      throw error;
    },
  );
  const result = taken.kind === "ok" ? taken.value : taken;
  const came = { id, uuid, now, envelope: envelope.value, caller, digest, holder };
  const made = result.kind === "ok" ? prepareTaken(deps, came, result.value) : result;
  if (made.kind === "problem") await holder.discard();
  return made;
}

/** `sendmail` cuts a message into parts without knowing the settings, and may have told its caller that it is taken. */
function forPart(deps: RawDeps): RawDeps {
  const recipientsPerField = Math.max(deps.recipientsPerField, RECIPIENTS_AT_ONCE);
  return { ...deps, recipientsPerField };
}

/** What is known of a raw message besides its bytes, by whatever door it came. */
export interface RawCame {
  readonly id: MessageId;
  readonly uuid: string;
  readonly now: EpochMs;
  readonly envelope: Envelope;
  readonly caller: Caller;
  readonly digest: RawDigest;
  readonly holder: Holder;
}

/** From a sealed message to what the queue takes. After a problem the holder is still to be discarded. */
export function prepareTaken(deps: RawDeps, came: RawCame, taken: RawTaken): RawMade {
  const once = came.digest.known(taken.header, came.envelope, came.caller);
  if (once.kind === "problem") return once;
  const made = judged(deps, came, taken);
  if (made.kind === "problem") return { ...made, once: once.value };
  return once.value === undefined ? made : ok({ ...made.value, once: once.value });
}

function judged(deps: RawDeps, came: RawCame, taken: RawTaken): Result<Prepared> {
  const { id, uuid, now, envelope, caller, holder } = came;
  const { sizeBytes, sha256, eightBit, header } = taken;
  const read = readOptions(deps, header, envelope, holder.beginning(), eightBit);
  if (read.kind === "problem") return read;
  const authors = header.from.map(({ address }) => address);
  const barred = admitSender(caller, [...authors, ...header.speakers, envelope.from ?? ""]);
  if (barred !== undefined) return problem(barred);
  const { recipients } = read.value;
  const from = envelope.from ?? reversePath(deps, header.from[0].address, uuid);
  const head: MessageHead = {
    ...read.value.head,
    ...markOf(caller),
    id,
    acceptedAt: now,
    from,
    recipients,
    dueAt: now,
    expiresAt: null,
    sizeBytes,
    sha256,
    eightBit,
    dsn: envelope.dsn,
    utf8: header.utf8 || [from, ...recipients].some((one) => needsUtf8(one as Address)),
    body: holder.place(),
  };
  return ok({
    uuid,
    submission: { head, body: holder.bytes() },
    file: holder.file(),
    warnings: read.value.warnings,
  });
}

export function headerText(text: string): HeaderText {
  const parsed = parseHeaderText("It", text);
  if (parsed.kind === "refused") throw new Error(`the host name is no header text: ${parsed.why}`);
  return parsed.value;
}

/** Everything from the socket through the intake into the holder. */
async function pour(
  deps: RawDeps,
  request: Request,
  intake: RawIntake,
  holder: Holder,
  digest: RawDigest,
): Promise<Result<RawTaken>> {
  const chunks = readChunks(request, deps.messageBytesMax, deps.clock, deps.turns);
  for (;;) {
    const step = await chunks.next();
    if (step.done) {
      if (step.value !== undefined) return problem(step.value);
      break;
    }
    const passed = intake.write(step.value);
    if (passed.kind === "fault") {
      await chunks.return(undefined);
      return rawProblem(passed);
    }
    digest.add(step.value, intake.header);
    // The holder has copied or written what it needs.
    await holder.add(passed.bytes, passed.areNew);
    freeChunk(step.value);
  }
  const taken = intake.end();
  if (taken.kind === "fault") return rawProblem(taken);
  await holder.add(taken.bytes);
  await holder.seal();
  return ok(taken);
}

function rawProblem(fault: RawFault): Result<never> {
  return problem({
    ...problemOf([{ pointer: "", code: fault.code, detail: fault.why }]),
    close: true,
  });
}

/** Small messages stay in memory, larger ones go to a file as soon as they are found to be large. */
export interface Holder {
  /** Undefined: it is held in memory, and nothing has to be waited for. `areNew`: nobody else has these octets. */
  add(pieces: readonly Uint8Array[], areNew?: boolean): Promise<void> | undefined;
  /** The same. */
  seal(): Promise<void> | undefined;
  place(): MessageHead["body"];
  /** All of a small message, and some of a large one. */
  beginning(): Uint8Array;
  bytes(): Uint8Array | null;
  file(): SpoolFile | null;
  discard(): Promise<void>;
}

/** What is kept in memory of a large message, to be judged. */
const BEGINNING_BYTES = 65_536;
/** Of a piece that is worth an object of its own. */
const PIECE_BYTES_MIN = 1024;

export function createHolder(spool: Spool): Holder {
  let held: Uint8Array[] = [];
  /** What came in small pieces behind those. */
  let gathered: Gathered | undefined;
  let heldBytes = 0;
  let file: SpoolFile | null = null;
  let whole: Uint8Array | null = null;
  let beginning: Uint8Array = new Uint8Array(0);
  const settle = (): void => {
    if (gathered !== undefined) held.push(gathered.take());
    gathered = undefined;
  };
  const spill = async (): Promise<SpoolFile> => {
    settle();
    beginning = Buffer.concat(held, BEGINNING_BYTES);
    const created = await spool.create();
    file = created;
    for (const one of held) await created.write(one);
    held = [];
    return created;
  };
  const write = async (pieces: readonly Uint8Array[]): Promise<void> => {
    const to = file ?? (await spill());
    for (const piece of pieces) await to.write(piece);
  };
  return {
    add(pieces, areNew = false) {
      if (file !== null) return write(pieces);
      for (const [i, piece] of pieces.entries()) {
        // Copied: the intake gives views of buffers that others may use again.
        if (!areNew && piece.length < PIECE_BYTES_MIN) (gathered ??= createGathered()).add(piece);
        else {
          settle();
          held.push(areNew ? piece : new Uint8Array(piece));
        }
        heldBytes += piece.length;
        if (heldBytes > INLINE_MAX_BYTES) return write(pieces.slice(i + 1));
      }
      return undefined;
    },
    seal() {
      if (file !== null) return file.seal();
      settle();
      whole = held.length === 1 ? (held[0] ?? null) : Buffer.concat(held);
      return undefined;
    },
    place: () =>
      file === null ? { kind: "inline", length: heldBytes } : { kind: "spool", file: file.name },
    beginning: () => whole ?? beginning,
    bytes: () => whole,
    file: () => file,
    discard: async () => file?.discard(),
  };
}

// -- the facts

function reversePath({ returnPathOf }: RawDeps, address: string, uuid: string): string {
  return returnPathOf?.(domainOf(address), uuid) ?? address;
}

interface Read {
  readonly recipients: readonly string[];
  readonly head: Pick<MessageHead, "priority" | "facts">;
  readonly warnings: readonly WarningCode[];
}

/** The envelope, and what the `X-Postrider-` fields of the header ask for. */
function readOptions(
  deps: RawDeps,
  header: RawHeader,
  envelope: Envelope,
  beginning: Uint8Array,
  eightBit: boolean,
): Result<Read> {
  const faults: Fault[] = [];
  const add = (code: Fault["code"], detail: string): void =>
    void faults.push({ pointer: "", code, detail });
  // The query's envelope counts alone: who names recipients there sends a copy to them and to nobody else.
  const recipients: Parsed<readonly Address[]> =
    envelope.to === null ? header.recipients : { kind: "ok", value: envelope.to };
  if (recipients.kind === "refused")
    add("invalid_address", `${recipients.why} Name the recipients with ?to=ADDRESS.`);
  else if (recipients.value.length > deps.recipientsPerField * 3)
    add("too_many", `The message has more than ${deps.recipientsPerField * 3} recipients.`);
  let priority: Priority | undefined = 1;
  let reference: string | null = null;
  const tags: { name: string; value: string }[] = [];
  for (const { name, value } of header.options) {
    if (name === "priority") priority = laneOf(value);
    else if (name === "reference") reference = value.slice(0, REFERENCE_MAX);
    else if (name === "tag" && tags.length < TAGS_MAX && tagPattern.test(value))
      tags.push(tagOf(value));
    else if (name === "tag") add("invalid_header", "X-Postrider-Tag must be NAME or NAME=VALUE.");
    else add("invalid_header", `The header X-Postrider-${name} is not known.`);
  }
  if (priority === undefined) add("invalid_header", "X-Postrider-Priority must be p0, p1 or p2.");
  if (faults.length > 0 || recipients.kind === "refused") return problem(problemOf(faults));
  const aligned = deps.signs?.(domainOf(header.from[0].address)) ?? true;
  const warnings = rawWarningsOf(beginning, eightBit, aligned, priority ?? 1);
  const facts = JSON.stringify({
    ...factsOf(header, envelope, tags, reference),
    warnings: warnings.length === 0 ? undefined : warnings,
  } satisfies MessageFacts);
  return ok({ recipients: recipients.value, head: { priority: priority ?? 1, facts }, warnings });
}

const tagPattern = /^ *[A-Za-z0-9_-]{1,256} *(= *[A-Za-z0-9_-]{1,256} *)?$/;

function laneOf(word: string): Priority | undefined {
  return Object.hasOwn(lanes, word) ? lanes[word as keyof typeof lanes] : undefined;
}

/** `campaign=spring`, or a name alone. */
function tagOf(value: string): { name: string; value: string } {
  const at = value.indexOf("=");
  if (at < 0) return { name: value.trim(), value: "true" };
  return { name: value.slice(0, at).trim(), value: value.slice(at + 1).trim() };
}

function factsOf(
  header: RawHeader,
  envelope: Envelope,
  tags: MessageFacts["tags"],
  reference: string | null,
): MessageFacts {
  const [sender] = header.from;
  const list = (values: readonly string[]) => (values.length === 0 ? null : values);
  return {
    message_id: `<${header.messageId}>`,
    from: sender.name === "" ? sender.address : `${sender.name} <${sender.address}>`,
    to: header.to.length > 0 ? header.to : (envelope.to ?? []),
    cc: list(header.cc),
    bcc: list(header.bcc),
    reply_to: list(header.replyTo),
    subject: header.subject,
    tags,
    metadata: null,
    reference,
  };
}
