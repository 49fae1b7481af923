// POST /send and POST /send/batch: from a body to the answer that promises. The answer is written only after the queue has
// committed (DESIGN 1).
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Counter, Histogram } from "../base/meter.ts";
import type { Accept, Submission } from "../mail/submission.ts";
import { CBOR_TYPE, JSON_TYPE, RAW_TYPE, answer, essenceOf, wantsCbor } from "./answer.ts";
import type { BodyReader, Held } from "./body.ts";
import { decodeCbor } from "./cbor.ts";
import type { Prepared, Preparer } from "./draft.ts";
import { faultsOf } from "./faults.ts";
import { checkMeaning } from "./meaning.ts";
import { FAULTS_MAX, type Fault, type Problem, type Result } from "./problem.ts";
import { ok, problem, problemOf } from "./problem.ts";
import type { Fields, MessageSchema } from "./schema.ts";
import { checkShape } from "./shape.ts";

export interface SendDeps {
  readonly accept: Accept;
  readonly clock: Clock;
  readonly reader: BodyReader;
  readonly schema: MessageSchema;
  readonly preparer: Preparer;
  readonly batchMax: number;
  readonly accepted: Counter;
  readonly duration: Histogram;
  /** Takes a raw message from the request's body. */
  readonly raw: (request: Request) => Promise<Result<Prepared>>;
}

export interface Sender {
  send(request: Request): Promise<Result<Response>>;
  batch(request: Request): Promise<Result<Response>>;
}

export function createSender(deps: SendDeps): Sender {
  return {
    send(request) {
      if (essenceOf(request.headers.get("content-type")) === RAW_TYPE)
        return sendRaw(deps, request);
      return readBody(deps.reader, request).then((body) =>
        body.kind === "problem" ? body : sendBody(deps, request, body.value),
      );
    },
    batch: (request) => sendBatch(deps, request),
  };
}

async function sendRaw(deps: SendDeps, request: Request): Promise<Result<Response>> {
  const prepared = await deps.raw(request);
  if (prepared.kind === "problem") return prepared;
  return own(deps, request, prepared.value, deps.clock.monotonicMs());
}

/** In one turn from the body to the queue, except for a large message, which is composed into a file. */
function sendBody(
  deps: SendDeps,
  request: Request,
  held: HeldBody,
): Result<Response> | Promise<Result<Response>> {
  const startMs = deps.clock.monotonicMs();
  let prepared: ReturnType<typeof prepareBody> | undefined;
  try {
    prepared = prepareBody(deps, held);
  } finally {
    if (!(prepared instanceof Promise)) held.release();
  }
  const accept = (made: Result<Prepared>): Result<Response> | Promise<Result<Response>> =>
    made.kind === "problem" ? made : own(deps, request, made.value, startMs);
  return prepared instanceof Promise
    ? prepared.finally(held.release).then(accept)
    : accept(prepared);
}

/** Answers once the message is committed. */
function own(
  deps: SendDeps,
  request: Request,
  prepared: Prepared,
  startMs: number,
): Promise<Result<Response>> {
  return hand(deps, [prepared]).then((refused) => {
    if (refused !== undefined) return problem(refused);
    // From here on the message is ours, whether or not the client still listens.
    deps.accepted.add();
    deps.duration.observe((deps.clock.monotonicMs() - startMs) / 1000);
    return ok(accepted202(request, prepared));
  });
}

function prepareBody(deps: SendDeps, held: HeldBody): Result<Prepared> | Promise<Result<Prepared>> {
  const body = held.decode();
  if (body.kind === "problem") return body;
  const now = deps.clock.now();
  const fields = check(deps, body.value, now);
  if (fields.kind === "faults") return problem(problemOf(fields.faults));
  const prepared = deps.preparer.prepare(fields.fields, now);
  return prepared instanceof Promise ? prepared : ok(prepared);
}

/** A body in memory, charged to the budget. */
interface HeldBody {
  /** As a value of bounded depth. */
  decode(): Result<unknown>;
  release(): void;
}

function readBody(reader: BodyReader, request: Request): Promise<Result<HeldBody>> {
  const type = essenceOf(request.headers.get("content-type"));
  switch (type) {
    case "":
    case JSON_TYPE:
      return reader.readText(request).then((text) => holding(text, parseJson));
    case CBOR_TYPE:
      return reader.readBytes(request).then((bytes) => holding(bytes, parseCbor));
    default:
      return Promise.resolve(problem(unsupportedType(type)));
  }
}

function holding<T>(read: Result<Held<T>>, parse: (value: T) => Result<unknown>): Result<HeldBody> {
  if (read.kind === "problem") return read;
  const { value, release } = read.value;
  return ok({ decode: () => parse(value), release });
}

/** An empty body counts as `{}`. */
function parseJson(text: string): Result<unknown> {
  if (text === "") return ok({});
  try {
    return checkShape(JSON.parse(text) as unknown);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const detail = `The body is no valid JSON: ${error.message}.`;
    return problem({ name: "invalid_json", detail });
  }
}

function parseCbor(bytes: Uint8Array): Result<unknown> {
  const decoded = decodeCbor(bytes);
  if (decoded.kind === "ok") return checkShape(decoded.value);
  return problem({ name: "invalid_json", detail: `The body is no valid CBOR. ${decoded.why}` });
}

function unsupportedType(type: string): Problem {
  return {
    name: "unsupported_media_type",
    detail:
      `The content type ${JSON.stringify(type)} is not taken. ` +
      `Send ${JSON_TYPE}, ${CBOR_TYPE} or ${RAW_TYPE}.`,
  };
}

type Checked =
  | { readonly kind: "fields"; readonly fields: Fields }
  | { readonly kind: "faults"; readonly faults: Fault[] };

function check(
  deps: Pick<SendDeps, "schema">,
  body: unknown,
  now: EpochMs,
  base: readonly PropertyKey[] = [],
): Checked {
  // One pass on the hot path: what the schema returns is used as it is. Faults are put into words only when there are some.
  const parsed = deps.schema.safeParse(body);
  const faults = checkMeaning(body, now, base);
  if (parsed.success && faults.length === 0) return { kind: "fields", fields: parsed.data };
  const known = Object.keys(deps.schema.shape);
  const own = parsed.success ? [] : faultsOf(parsed.error.issues, body, known, base);
  return { kind: "faults", faults: [...own, ...faults] };
}

/** Hands messages to the queue as one unit; files of messages that were not taken are removed. */
function hand(deps: SendDeps, all: readonly Prepared[]): Promise<Problem | undefined> {
  // If this throws, the queue may have the messages or not: their files stay, and the sweep at start decides.
  const submissions: Submission[] = all.map((one) => one.submission);
  return deps.accept(submissions).then((said) => {
    if (said.kind === "accepted") return undefined;
    const { why: name, retryAfterS } = said;
    return discard(all).then(() => ({ name, detail: refusals[name], retryAfterS }));
  });
}

export const refusals = {
  queue_full: "The queue holds as much as it may. Nothing was stored. Try again later.",
  disk_low: "The disk is nearly full. Nothing was stored. Try again later.",
  memory_low: "The daemon holds as much memory as it may. Nothing was stored. Try again later.",
  draining: "The daemon is stopping. Nothing was stored. Try again later.",
} as const;

async function discard(all: readonly Prepared[]): Promise<void> {
  for (const { file } of all) await file?.discard();
}

/** Said, since the caller believes that a second try is harmless. */
const noIdempotency =
  "This version does not honour Idempotency-Key: the same request again sends the message again.";

function accepted202(request: Request, { uuid, submission }: Prepared): Response {
  const { head } = submission;
  const status = head.dueAt > head.acceptedAt ? "scheduled" : "queued";
  const location = `/emails/${uuid}`;
  const warnings = request.headers.get("idempotency-key") === null ? [] : [noIdempotency];
  if (wantsCbor(request)) {
    const recipients = head.recipients.map((address) => ({ address, status }));
    const body = answer(request, 202, {
      object: "email",
      id: uuid,
      status,
      recipients,
      warnings,
    });
    body.headers.set("location", location);
    return body;
  }
  // By hand: the status and the id need no escaping.
  let json = `{"object":"email","id":"${uuid}","status":"${status}","recipients":[`;
  for (let i = 0; i < head.recipients.length; i++)
    json += `${i === 0 ? "" : ","}{"address":${JSON.stringify(head.recipients[i])},"status":"${status}"}`;
  json += `],"warnings":${warnings.length === 0 ? "[]" : JSON.stringify(warnings)}}`;
  return new Response(json, { status: 202, headers: { "content-type": JSON_TYPE, location } });
}

// -- batches

interface BatchError {
  readonly index: number;
  readonly message: string;
  readonly errors: readonly Fault[];
}

async function sendBatch(deps: SendDeps, request: Request): Promise<Result<Response>> {
  const mode = request.headers.get("x-batch-validation") ?? "strict";
  if (mode !== "strict" && mode !== "permissive")
    return problem({
      name: "validation_error",
      detail: "The header x-batch-validation must be strict or permissive.",
    });
  const held = await readBody(deps.reader, request);
  if (held.kind === "problem") return held;
  const startMs = deps.clock.monotonicMs();
  const prepared: Prepared[] = [];
  const errors: BatchError[] = [];
  try {
    const body = held.value.decode();
    if (body.kind === "problem") return body;
    const items = itemsOf(body.value, deps.batchMax);
    if (items.kind === "problem") return items;
    const failed = await prepareAll(deps, items.value, mode, prepared, errors);
    if (failed !== undefined) {
      await discard(prepared);
      return problem(failed);
    }
  } finally {
    held.value.release();
  }
  if (prepared.length > 0) {
    const refused = await hand(deps, prepared);
    if (refused !== undefined) return problem(refused);
    deps.accepted.add(prepared.length);
    deps.duration.observe((deps.clock.monotonicMs() - startMs) / 1000);
  }
  // Nothing good in a permissive batch is no error: the caller asked to be told one by one.
  const data = prepared.map(({ uuid }) => ({ id: uuid }));
  return ok(answer(request, 202, mode === "strict" ? { data } : { data, errors }));
}

interface Items {
  readonly list: readonly unknown[];
  /** Where the list lies in the body. */
  readonly base: readonly PropertyKey[];
}

function itemsOf(body: unknown, batchMax: number): Result<Items> {
  const wrapped =
    typeof body === "object" && body !== null && "emails" in body ? body.emails : undefined;
  const list = Array.isArray(body) ? (body as unknown[]) : wrapped;
  const base = Array.isArray(body) ? [] : ["emails"];
  const fault = (code: Fault["code"], detail: string): Result<Items> =>
    problem(problemOf([{ pointer: base.length === 0 ? "" : "/emails", code, detail }]));
  if (!Array.isArray(list)) return fault("invalid_type", "The body must be a list of messages.");
  if (list.length === 0) return fault("invalid_value", "The list of messages is empty.");
  if (list.length > batchMax)
    return fault(
      "too_many",
      `The batch holds ${list.length} messages; the limit is ${batchMax} (max_batch).`,
    );
  return ok({ list, base });
}

/** Fills `prepared`, or `errors` when the mode is permissive; a returned problem refuses the whole batch. */
async function prepareAll(
  deps: SendDeps,
  { list, base }: Items,
  mode: "strict" | "permissive",
  prepared: Prepared[],
  errors: BatchError[],
): Promise<Problem | undefined> {
  const now = deps.clock.now();
  const valid: { readonly index: number; readonly fields: Fields }[] = [];
  const faults: Fault[] = [];
  for (const [index, item] of list.entries()) {
    const checked = check(deps, item, now, [...base, index]);
    if (checked.kind === "fields") valid.push({ index, fields: checked.fields });
    else {
      const { detail: message } = problemOf(checked.faults);
      errors.push({ index, message, errors: checked.faults });
      if (faults.length < FAULTS_MAX) faults.push(...checked.faults);
    }
  }
  if (mode === "strict" && faults.length > 0) return problemOf(faults);
  for (const { index, fields } of valid) {
    const made = deps.preparer.prepare(fields, now);
    const result = made instanceof Promise ? await made : ok(made);
    if (result.kind === "ok") prepared.push(result.value);
    else if (mode === "strict" || result.problem.name !== "message_too_large")
      return result.problem;
    else errors.push({ index, message: result.problem.detail, errors: [] });
  }
  errors.sort((a, b) => a.index - b.index);
  return undefined;
}
