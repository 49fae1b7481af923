// POST /send: from a body to the answer that promises. The answer is written only after the queue has
// committed (DESIGN 1).
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Counter, Histogram } from "../base/meter.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Accept, AcceptAnswer, Submission, Suppressed, Way } from "../mail/submission.ts";
import { type Dialect, type Taken, takenBefore, takenOf } from "./accepted.ts";
import { RAW_TYPE, essenceOf } from "./answer.ts";
import type { BodyReader } from "./body.ts";
import type { Caller } from "./caller.ts";
import { type HeldBody, readBody } from "./decode.ts";
import type { Prepared, Preparer } from "./draft.ts";
import { fromResend } from "./emails.ts";
import { faultsOf } from "./faults.ts";
import { withHidden } from "./hidden.ts";
import { checkMeaning } from "./meaning.ts";
import { type Known, readIdempotencyKey, requestHash, underWay, usedBefore } from "./once.ts";
import { strangeQuery } from "./parameters.ts";
import { type Fault, type Problem, type Result, ok, problem, problemOf } from "./problem.ts";
import type { RawMade } from "./raw.ts";
import { whenReady } from "./schedule.ts";
import type { Fields, MessageCheck } from "./schema.ts";
import { withTrace } from "./traceparent.ts";
import type { Waiting } from "./wait.ts";

export interface SendDeps {
  readonly accept: Accept;
  readonly clock: Clock;
  readonly reader: BodyReader;
  readonly schema: MessageCheck;
  readonly preparer: Preparer;
  readonly batchMax: number;
  readonly accepted: Counter;
  readonly duration: Histogram;
  /** Says that a message was taken: at once, or as late as the caller prefers. */
  readonly waiting: Waiting;
  /** Takes a raw message from the request's body. */
  readonly raw: (request: Request, caller: Caller) => Promise<RawMade>;
}

export interface Sender {
  /** `dialect` says whose words the answer is in; ours unless it is named. */
  send(request: Request, caller: Caller, dialect?: Dialect): Promise<Result<Response>>;
}

export function createSender(deps: SendDeps): Sender {
  return {
    send(request, caller, dialect = "send") {
      if (essenceOf(request.headers.get("content-type")) === RAW_TYPE)
        return sendRaw(deps, request, caller, dialect);
      const strange = strangeQuery(request, "/send");
      if (strange !== undefined) return Promise.resolve(problem(strange));
      const header = request.headers.get("idempotency-key");
      if (header !== null) return sendKeyed(deps, request, caller, dialect, header);
      return readBody(deps.reader, request).then((body) =>
        body.kind === "problem" ? body : sendBody(deps, request, caller, body.value, dialect),
      );
    },
  };
}

async function sendRaw(
  deps: SendDeps,
  request: Request,
  caller: Caller,
  dialect: Dialect,
): Promise<Result<Response>> {
  const prepared = await deps.raw(request, caller);
  if (prepared.kind === "problem") {
    const { once } = prepared;
    const said = once === undefined ? undefined : await askBefore(deps, once);
    return said === undefined ? prepared : again(deps, request, dialect, said);
  }
  return own(deps, request, prepared.value, deps.clock.monotonicMs(), dialect);
}

/** In one turn from the body to the queue, except for a large message, which is composed into a file. */
function sendBody(
  deps: SendDeps,
  request: Request,
  caller: Caller,
  held: HeldBody,
  dialect: Dialect,
): Result<Response> | Promise<Result<Response>> {
  const startMs = deps.clock.monotonicMs();
  let prepared: ReturnType<typeof prepareBody> | undefined;
  try {
    prepared = prepareBody(deps, caller, held, dialect);
  } finally {
    if (!(prepared instanceof Promise)) held.release();
  }
  const accept = (made: Result<Prepared>): Result<Response> | Promise<Result<Response>> =>
    made.kind === "problem" ? made : own(deps, request, made.value, startMs, dialect);
  return prepared instanceof Promise
    ? prepared.finally(held.release).then(accept)
    : accept(prepared);
}

/** The same, for a request that may have come before: if it did, that counts, whatever is thought of it now. */
async function sendKeyed(
  deps: SendDeps,
  request: Request,
  caller: Caller,
  dialect: Dialect,
  header: string,
): Promise<Result<Response>> {
  const key = readIdempotencyKey(header, caller);
  if (key.kind === "problem") return key;
  const held = await readBody(deps.reader, request);
  if (held.kind === "problem") return held;
  const startMs = deps.clock.monotonicMs();
  let once: Known;
  let made: Result<Prepared>;
  let isList = false;
  try {
    const body = held.value.decode();
    if (body.kind === "problem") return body;
    const given = dialect === "emails" ? fromResend(body.value) : body.value;
    isList = Array.isArray(given);
    await whenReady(given);
    once = { key: key.value, request: await requestHash(given) };
    made = await prepareDecoded(deps, caller, given);
  } finally {
    held.value.release();
  }
  if (made.kind === "ok") return own(deps, request, { ...made.value, once }, startMs, dialect);
  // What a list was answered is a batch's answer, in which no message is named.
  const said = isList ? undefined : await askBefore(deps, once);
  return said === undefined ? made : again(deps, request, dialect, said);
}

/** Answers once the message is committed. */
function own(
  deps: SendDeps,
  request: Request,
  prepared: Prepared,
  startMs: number,
  dialect: Dialect,
): Promise<Result<Response>> {
  const { once } = prepared;
  const text = once === undefined ? "" : takenOf(prepared).text;
  const traced = withTrace(request, prepared);
  return hand(deps, [traced], { once, answer: text, way: `POST /${dialect}` }).then((handed) => {
    if (handed.kind === "problem") return handed;
    if (handed.kind === "replayed") return again(deps, request, dialect, handed);
    // From here on the message is ours, whether or not the client still listens.
    deps.accepted.add();
    const { id, trace } = traced.submission.head;
    deps.duration.observe((deps.clock.monotonicMs() - startMs) / 1000, id, trace);
    const { suppressed } = handed;
    const taken: Taken =
      text === "" || suppressed !== undefined
        ? takenOf(prepared, suppressed)
        : { uuid: prepared.uuid, text };
    const said = deps.waiting.answer(request, dialect, taken);
    return said instanceof Promise ? said.then(ok) : ok(said);
  });
}

/** What was said the first time, in the form that is asked for now. */
async function again(
  deps: SendDeps,
  request: Request,
  dialect: Dialect,
  { answer, suppressed }: Replayed,
): Promise<Result<Response>> {
  const taken = takenBefore(answer, suppressed);
  return ok(replayed(await deps.waiting.answer(request, dialect, taken)));
}

export function replayed(response: Response): Response {
  response.headers.set("idempotent-replayed", "true");
  return response;
}

function prepareBody(
  deps: SendDeps,
  caller: Caller,
  held: HeldBody,
  dialect: Dialect,
): Result<Prepared> | Promise<Result<Prepared>> {
  const body = held.decode();
  if (body.kind === "problem") return body;
  const given = dialect === "emails" ? fromResend(body.value) : body.value;
  const ready = whenReady(given);
  if (ready === undefined) return prepareDecoded(deps, caller, given);
  return ready.then(() => prepareDecoded(deps, caller, given));
}

function prepareDecoded(
  deps: SendDeps,
  caller: Caller,
  given: unknown,
): Result<Prepared> | Promise<Result<Prepared>> {
  const now = deps.clock.now();
  const fields = check(deps, given, now);
  if (fields.kind === "faults") return problem(problemOf(fields.faults));
  const prepared = deps.preparer.prepare(fields.fields, now, caller);
  return prepared instanceof Promise ? prepared : ok(prepared);
}

type Checked =
  | { readonly kind: "fields"; readonly fields: Fields }
  | { readonly kind: "faults"; readonly faults: Fault[] };

export function check(
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
  const issues = parsed.success ? [] : withHidden(deps.schema, parsed.error.issues, body);
  const own = faultsOf(issues, body, known, base);
  return { kind: "faults", faults: [...own, ...faults] };
}

type Replayed = Extract<AcceptAnswer, { kind: "replayed" }>;
export type Handed =
  | { readonly kind: "accepted"; readonly suppressed?: Suppressed }
  | Replayed
  | { readonly kind: "problem"; readonly problem: Problem };

export interface Handing {
  readonly once?: Known | undefined;
  /** Goes with `once`. */
  readonly answer: string;
  readonly way: Way;
}

/** Hands messages to the queue as one unit; files of messages that were not taken are removed. */
export function hand(
  deps: Pick<SendDeps, "accept">,
  all: readonly Prepared[],
  { once, answer, way }: Handing,
): Promise<Handed> {
  // If this throws, the queue may have the messages or not: their files stay, and the sweep at start decides.
  const submissions: Submission[] = all.map((one) => one.submission);
  return deps
    .accept(submissions, once === undefined ? undefined : { ...once, answer }, way)
    .then((said) => (said.kind === "accepted" ? said : notTaken(deps, all, said, once)));
}

type NotTaken = Exclude<AcceptAnswer, { kind: "accepted" }>;

async function notTaken(
  deps: Pick<SendDeps, "accept">,
  all: readonly Prepared[],
  said: NotTaken,
  once: Known | undefined,
): Promise<Handed> {
  await discard(all);
  if (said.kind !== "refused" || once === undefined) return told(said);
  // What fills the queue or the quota may be the first copy of this request, stored or under way.
  const before = await deps.accept([], { ...once, answer: "" });
  return told(before.kind === "replayed" || before.kind === "concurrent" ? before : said);
}

function told(said: NotTaken): Handed {
  switch (said.kind) {
    case "replayed":
      return said;
    case "mismatch":
      return problem(usedBefore);
    case "concurrent":
      return problem(underWay);
    case "revoked":
      return problem(revokedMeanwhile);
    case "refused": {
      const { why: name, retryAfterS, limit } = said;
      return problem({ name, detail: refusals[name], retryAfterS, limit });
    }
    default:
      return unreachable(said);
  }
}

const revokedMeanwhile: Problem = {
  name: "invalid_api_key",
  detail: "This API key was revoked while the request was under way. Nothing was stored.",
};

/** Whether a request that would be refused now was taken when it came before. */
export async function askBefore(
  { accept }: Pick<SendDeps, "accept">,
  once: Known,
): Promise<Replayed | undefined> {
  const said = await accept([], { ...once, answer: "" });
  return said.kind === "replayed" ? said : undefined;
}

export const refusals = {
  queue_full: "The queue holds as much as it may. Nothing was stored. Try again later.",
  disk_low: "The disk is nearly full. Nothing was stored. Try again later.",
  memory_low: "The daemon holds as much memory as it may. Nothing was stored. Try again later.",
  daily_quota_exceeded:
    "This API key may not send to so many more recipients today (daily_quota). Nothing was stored.",
  busy: "So many requests are under way that bulk mail must wait (bulk_requests). Nothing was stored.",
  draining: "The daemon is stopping. Nothing was stored. Try again later.",
} as const;

export async function discard(all: readonly Prepared[]): Promise<void> {
  for (const { file } of all) await file?.discard();
}
