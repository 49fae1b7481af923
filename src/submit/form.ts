// POST /send with multipart/form-data: the fields of JSON as the fields of a form, attachments as its files.
import type { Clock } from "../base/clock.ts";
import type { Held } from "./body.ts";
import type { Budget } from "./budget.ts";
import { freeChunk, readChunks } from "./chunks.ts";
import type { StoredContent } from "./content.ts";
import { createFieldKeeper, createFileKeeper } from "./formParts.ts";
import { type FormEvent, boundaryOf, createFormParser } from "./multipart.ts";
import type { PartHeader } from "./partHeader.ts";
import {
  type Fault,
  ok,
  pointerOf,
  type Problem,
  problem,
  problemOf,
  type Result,
} from "./problem.ts";
import { repeatedMember } from "./repeated.ts";
import { checkShape } from "./shape.ts";
import { type Spool, diskProblem } from "./spool.ts";
import type { Turns } from "./turns.ts";

export interface FormDeps {
  readonly clock: Clock;
  readonly spool: Pick<Spool, "scratch">;
  readonly limitBytes: number;
  /** Of large bodies in memory. */
  readonly large: Budget;
  readonly turns: Turns;
}

/** A message has fewer; each costs memory. */
const PARTS_MAX = 5000;
const NAME_MAX = 200;

/** The message as JSON would have it; the contents of its attachments are octets in memory or on the disk. */
export async function readForm(deps: FormDeps, request: Request): Promise<Result<Held<unknown>>> {
  const boundary = boundaryOf(request.headers.get("content-type") ?? "");
  if (boundary.kind === "refused") return problem(unreadable(boundary.why));
  const taking = createTaking(deps);
  const poured = await diskProblem(pour(deps, request, boundary.value, taking)).catch(
    async (error: unknown) => {
      await taking.release();
      throw error;
    },
  );
  const failed = poured.kind === "problem" ? poured.problem : poured.value;
  const body = failed === undefined ? messageOf(taking) : problem(failed);
  if (body.kind === "ok") return ok({ value: body.value, release: () => void taking.release() });
  await taking.release();
  return body;
}

function unreadable(why: string): Problem {
  const detail = `The body is no valid multipart/form-data. ${why}`;
  return { name: "invalid_json", detail, close: true };
}

/** Everything from the socket into what is kept of it. */
async function pour(
  { limitBytes, clock, turns }: FormDeps,
  request: Request,
  boundary: string,
  taking: Taking,
): Promise<Problem | undefined> {
  const parser = createFormParser(boundary);
  const chunks = readChunks(request, limitBytes, clock, turns);
  for (;;) {
    const chunk = await chunks.next();
    if (chunk.done) {
      const cut = parser.end();
      return chunk.value ?? (cut === undefined ? undefined : unreadable(cut.why));
    }
    const failed = await pass(parser.push(chunk.value), taking);
    if (failed !== undefined) {
      await chunks.return(undefined);
      return { ...failed, close: true };
    }
    freeChunk(chunk.value);
  }
}

type Events = ReturnType<ReturnType<typeof createFormParser>["push"]>;

async function pass(events: Events, taking: Taking): Promise<Problem | undefined> {
  for (;;) {
    const event = events.next();
    if (event.done) return event.value === undefined ? undefined : unreadable(event.value.why);
    const failed = taking.take(event.value);
    // Awaited only where something is waited for: a form may have thousands of parts.
    const problem = failed instanceof Promise ? await failed : failed;
    if (problem !== undefined) return problem;
  }
}

interface Taken {
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly files: readonly FormFile[];
}

interface FormFile {
  readonly header: PartHeader;
  readonly content: Uint8Array | StoredContent;
}

interface Taking extends Taken {
  take(event: FormEvent): Promise<Problem | undefined> | Problem | undefined;
  release(): Promise<void>;
}

function createTaking({ spool, large }: FormDeps): Taking {
  const fields = createFieldKeeper(large);
  const kept = createFileKeeper(spool);
  const files: FormFile[] = [];
  let header: PartHeader | undefined;
  let parts = 0;

  const begin = (next: PartHeader): Problem | undefined => {
    const fault = partFault(next, ++parts);
    if (fault !== undefined) return problemOf([fault]);
    header = next;
    if (next.filename === null) fields.begin(next.name);
    else kept.begin();
    return undefined;
  };
  const endFile = (of: PartHeader): undefined => {
    const content = kept.end();
    const length = content instanceof Uint8Array ? content.length : content.sizeBytes;
    // What browsers send for a file that nobody chose.
    if (of.filename !== "" || length > 0) files.push({ header: of, content });
  };
  return {
    fields: fields.values,
    files,
    take(event) {
      if (event.kind === "part") return begin(event.header);
      if (header === undefined) throw new Error("a part begins with its header");
      const isField = header.filename === null;
      if (event.kind === "data") return (isField ? fields : kept).add(event.bytes);
      return isField ? fields.end() : endFile(header);
    },
    async release() {
      fields.release();
      await kept.release();
    },
  };
}

const fileName = /^attachments?(?:\[\d{0,4}\])?$/;
const inlineName = /^inline\[([^\]]+)\]$/;

function partFault({ name, filename, contentType }: PartHeader, parts: number): Fault | undefined {
  const pointer = pointerOf([name.slice(0, NAME_MAX)]);
  if (parts > PARTS_MAX)
    return { pointer, code: "too_many", detail: `The form holds more than ${PARTS_MAX} parts.` };
  if (name.length > NAME_MAX || name === "__proto__")
    return { pointer, code: "unknown_field", detail: "The name of a part is no known field." };
  if (filename === null) {
    const charset = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType ?? "")?.[1] ?? "utf-8";
    if (/^(?:utf-?8|us-ascii)$/i.test(charset)) return undefined;
    const detail = `The field ${JSON.stringify(name)} is in ${charset}. Send UTF-8.`;
    return { pointer, code: "invalid_value", detail };
  }
  if (fileName.test(name) || inlineName.test(name)) return undefined;
  const detail =
    `A file may not stand in the field ${JSON.stringify(name)}. ` +
    'Files are named "attachments", or "inline[ID]" to be shown in the HTML as cid:ID.';
  return { pointer, code: "unknown_field", detail };
}

// -- from a form to what JSON would have said

/** A list in JSON: here a field that may come many times, or JSON text. No address begins with a bracket. */
const LISTS = new Set(["to", "cc", "bcc", "reply_to"]);
/** Given as JSON text. */
const STRUCTURES = new Set(["headers", "attachments", "tags", "metadata", "dsn", "require_tls"]);

function messageOf({ fields, files }: Taken): Result<unknown> {
  const message: Record<string, unknown> = {};
  const faults: Fault[] = [];
  for (const [name, texts] of fields) {
    const [text = "", second] = texts;
    const pointer = pointerOf([name]);
    if (second !== undefined && LISTS.has(name)) message[name] = texts;
    else if (second !== undefined) {
      const detail = `The field ${JSON.stringify(name)} is given more than once.`;
      faults.push({ pointer, code: "too_many", detail });
    } else if (STRUCTURES.has(name) || (LISTS.has(name) && text.startsWith("["))) {
      const read = readStructure(name, text);
      if (Array.isArray(read)) faults.push(...(read as Fault[]));
      else message[name] = read.value;
    } else message[name] = text;
  }
  if (faults.length > 0) return problem(problemOf(faults));
  return files.length === 0 ? ok(message) : withFiles(message, files);
}

function readStructure(name: string, text: string): { readonly value: unknown } | Fault[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    const detail = `The field ${JSON.stringify(name)} is no valid JSON: ${why}.`;
    return [{ pointer: pointerOf([name]), code: "invalid_value", detail }];
  }
  const shape = checkShape({ [name]: value });
  if (shape.kind === "problem") return [...(shape.problem.faults ?? [])];
  const twice = repeatedMember(text, value);
  if (twice === undefined) return { value };
  return [{ ...twice, pointer: pointerOf([name]) + twice.pointer }];
}

function withFiles(message: Record<string, unknown>, files: readonly FormFile[]): Result<unknown> {
  const given = message["attachments"] ?? [];
  if (!Array.isArray(given)) {
    const detail = 'The field "attachments" must hold a list when files are sent, too.';
    return problem(problemOf([{ pointer: "/attachments", code: "invalid_type", detail }]));
  }
  return ok({ ...message, attachments: [...(given as unknown[]), ...files.map(attachmentOf)] });
}

/** Of octets that are said to be just that, the ending of the name tells more. */
const UNSAID = new Set(["application/octet-stream", ""]);

function attachmentOf({ header, content }: FormFile): object {
  const { name, filename, contentType } = header;
  const id = inlineName.exec(name)?.[1];
  return {
    filename,
    content,
    ...(contentType === null || UNSAID.has(contentType.toLowerCase())
      ? {}
      : { content_type: contentType }),
    ...(id === undefined ? {} : { content_id: id }),
  };
}
