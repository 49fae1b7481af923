// POST /send/batch: many messages in one call, stored whole or not at all, or each for itself as the caller asks.
import { type BatchError, batchResponse, batchText, type Dialect } from "./accepted.ts";
import type { Caller } from "./caller.ts";
import { type HeldBody, readBody } from "./decode.ts";
import type { Prepared } from "./draft.ts";
import { fromResend } from "./emails.ts";
import { type Known, readIdempotencyKey, requestHash } from "./once.ts";
import {
  FAULTS_MAX,
  type Fault,
  ok,
  pointerOf,
  type Problem,
  problem,
  problemAt,
  problemOf,
  type Result,
} from "./problem.ts";
import { whenReady } from "./schedule.ts";
import type { Fields } from "./schema.ts";
import { foreignSenders, notAllowed } from "./senders.ts";
import { askBefore, check, discard, hand, replayed, type SendDeps } from "./send.ts";
import { withTrace } from "./traceparent.ts";

export async function sendBatch(
  deps: SendDeps,
  request: Request,
  caller: Caller,
  dialect: Dialect = "send",
): Promise<Result<Response>> {
  const mode = request.headers.get("x-batch-validation") ?? "strict";
  if (mode !== "strict" && mode !== "permissive")
    return problem({
      name: "validation_error",
      detail: "The header x-batch-validation must be strict or permissive.",
    });
  const header = request.headers.get("idempotency-key");
  const key = header === null ? undefined : readIdempotencyKey(header, caller);
  if (key?.kind === "problem") return key;
  const held = await readBody(deps.reader, request, NO_OTHERS);
  if (held.kind === "problem") return held;
  try {
    return await ownBatch(deps, request, held.value, { caller, mode, dialect, key: key?.value });
  } finally {
    // Not before the answer: until the commit its messages are in memory as well.
    held.value.release();
  }
}

/** Lists come in JSON or CBOR. */
const NO_OTHERS: readonly string[] = [];

interface Wish {
  readonly caller: Caller;
  readonly mode: "strict" | "permissive";
  readonly dialect: Dialect;
  readonly key: Known["key"] | undefined;
}

async function ownBatch(
  deps: SendDeps,
  request: Request,
  held: HeldBody,
  { caller, mode, dialect, key }: Wish,
): Promise<Result<Response>> {
  const startMs = deps.clock.monotonicMs();
  const prepared: Prepared[] = [];
  const errors: BatchError[] = [];
  const body = held.decode();
  if (body.kind === "problem") return body;
  const items = itemsOf(body.value, deps.batchMax, dialect);
  if (items.kind === "problem") return items;
  const late = caller.allowance?.charge(items.value.list.length - 1);
  if (late !== undefined) return problem(late);
  const once =
    key === undefined ? undefined : { key, request: await requestHash(items.value.list) };
  const failed = await prepareAll(deps, caller, items.value, mode, prepared, errors);
  if (failed !== undefined) {
    await discard(prepared);
    const said = once === undefined ? undefined : await askBefore(deps, once);
    if (said === undefined) return problem(failed);
    return ok(replayed(batchResponse(request, dialect, said.answer)));
  }
  // Nothing good in a permissive batch is no error: the caller asked to be told one by one.
  const text = batchText(prepared, mode === "strict" ? undefined : errors);
  if (prepared.length === 0) {
    // What was good when it came before may be so no longer: the first answer stands.
    const said = once === undefined ? undefined : await askBefore(deps, once);
    if (said !== undefined) return ok(replayed(batchResponse(request, dialect, said.answer)));
  } else {
    const traced = prepared.map((one) => withTrace(request, one));
    const handed = await hand(deps, traced, { once, answer: text, way: `POST /${dialect}/batch` });
    if (handed.kind === "problem") return handed;
    if (handed.kind === "replayed")
      return ok(replayed(batchResponse(request, dialect, handed.answer)));
    deps.accepted.add(prepared.length);
    const head = traced[0]?.submission.head;
    const tookMs = deps.clock.monotonicMs() - startMs;
    deps.duration.observe(tookMs / 1000, head?.id, head?.trace);
  }
  return ok(batchResponse(request, dialect, text));
}

/** How much of a wrong name is told back. */
const SHOWN_MAX = 60;

interface Items {
  readonly list: readonly unknown[];
  /** Where the list lies in the body. */
  readonly base: readonly PropertyKey[];
}

function itemsOf(body: unknown, batchMax: number, dialect: Dialect): Result<Items> {
  const wrapped =
    typeof body === "object" && body !== null && "emails" in body ? body.emails : undefined;
  const list = Array.isArray(body) ? (body as unknown[]) : wrapped;
  const base = Array.isArray(body) ? [] : ["emails"];
  const fault = (code: Fault["code"], detail: string): Result<Items> =>
    problem(problemOf([{ pointer: base.length === 0 ? "" : "/emails", code, detail }]));
  if (!Array.isArray(list)) return fault("invalid_type", "The body must be a list of messages.");
  // What stands beside the list may be meant for all of its messages, such as a time: it is no more ignored than within one.
  const beside = Array.isArray(body) ? [] : Object.keys(body as object).filter(isBeside);
  if (beside.length > 0) return problem(problemOf(beside.slice(0, FAULTS_MAX).map(besideList)));
  if (list.length === 0) return fault("invalid_value", "The list of messages is empty.");
  if (list.length > batchMax)
    return fault(
      "too_many",
      `The batch holds ${list.length} messages; the limit is ${batchMax} (max_batch).`,
    );
  return ok({ list: dialect === "emails" ? list.map(fromResend) : list, base });
}

const isBeside = (field: string): boolean => field !== "emails";

function besideList(field: string): Fault {
  const detail = `${JSON.stringify(field.slice(0, SHOWN_MAX))} may not stand beside the list: each message has its own fields.`;
  return { pointer: pointerOf([field]), code: "unknown_field", detail };
}

/** Of one message of a batch, which say nothing of the others. */
const ownFaults: ReadonlySet<Problem["name"]> = new Set([
  "message_too_large",
  "domain_not_allowed",
  "invalid_attachment",
]);

/** Fills `prepared`, or `errors` when the mode is permissive; a returned problem refuses the whole batch. */
async function prepareAll(
  deps: SendDeps,
  caller: Caller,
  { list, base }: Items,
  mode: "strict" | "permissive",
  prepared: Prepared[],
  errors: BatchError[],
): Promise<Problem | undefined> {
  await whenReady(list);
  const now = deps.clock.now();
  const valid: { readonly index: number; readonly fields: Fields }[] = [];
  const faults: Fault[] = [];
  for (const [index, item] of list.entries()) {
    const checked = check(deps, item, now, [...base, index]);
    if (checked.kind === "fields") valid.push({ index, fields: checked.fields });
    else {
      const { detail: message, faults: told = [] } = problemOf(checked.faults);
      errors.push({ index, message, errors: told });
      if (faults.length < FAULTS_MAX) faults.push(...checked.faults);
    }
  }
  if (mode === "strict" && faults.length > 0) return problemOf(faults);
  if (mode === "strict") {
    const foreign = valid.flatMap((one) =>
      foreignSenders(caller, one.fields, [...base, one.index]),
    );
    if (foreign.length > 0) return notAllowed(foreign);
  }
  for (const { index, fields } of valid) {
    const made = deps.preparer.prepare(fields, now, caller);
    const result = made instanceof Promise ? await made : ok(made);
    if (result.kind === "ok") {
      prepared.push(result.value);
      continue;
    }
    const own = problemAt(result.problem, [...base, index]);
    if (mode === "strict" || !ownFaults.has(own.name)) return own;
    errors.push({ index, message: own.detail, errors: own.faults ?? [] });
  }
  errors.sort((a, b) => a.index - b.index);
  return undefined;
}
