// What is said of mail that was taken. The text is made once, so that an idempotency key can keep it and say the same again; each
// dialect dresses it as its callers expect.
import type { StateName } from "../mail/state.ts";
import type { Suppressed } from "../mail/submission.ts";
import { type WarningCode, warningView } from "../mail/warning.ts";
import { CBOR_TYPE, JSON_TYPE, wantsCbor } from "./answer.ts";
import { encodeCbor } from "./cbor.ts";
import type { Prepared } from "./draft.ts";
import type { Fault } from "./problem.ts";
import { warningsJson } from "./warnings.ts";

/** `send`: our own, 202 with all that is known. `emails`: Resend's, 200 with the id. */
export type Dialect = "send" | "emails";

/** A message that was taken, and the answer to it as JSON in our own dialect. */
export interface Taken {
  readonly uuid: string;
  readonly text: string;
}

/** `without`: recipients of it that are never tried. */
export function takenOf({ uuid, submission, warnings }: Prepared, without?: Suppressed): Taken {
  const { head } = submission;
  const status: StateName = head.dueAt > head.acceptedAt ? "scheduled" : "queued";
  const { recipients } = head;
  // By hand: the status and the id need no escaping.
  let json = `{"object":"email","id":"${uuid}","status":"${status}","recipients":[`;
  for (let i = 0; i < recipients.length; i++) {
    const suppressed = without?.some(({ message, n }) => message === 0 && n === i) === true;
    const state = suppressed ? "suppressed" : status;
    json += `${i === 0 ? "" : ","}{"address":${JSON.stringify(recipients[i])},"status":"${state}"}`;
  }
  return { uuid, text: `${json}],"warnings":${warningsJson(warnings)}}` };
}

/** What was answered to the same request when it came before, in Taken's terms. */
export function takenBefore(answer: string, without: Suppressed | undefined): Taken {
  const said = JSON.parse(answer) as {
    readonly id: string;
    readonly recipients: { readonly address: string; status: StateName }[];
  };
  if (without === undefined) return { uuid: said.id, text: answer };
  for (const { n } of without) {
    const recipient = said.recipients[n];
    if (recipient !== undefined) recipient.status = "suppressed";
  }
  return { uuid: said.id, text: JSON.stringify(said) };
}

/** `taken` was made now, or for the same request when it came before. */
export function takenResponse(request: Request, dialect: Dialect, { uuid, text }: Taken): Response {
  const location = `/emails/${uuid}`;
  if (dialect === "emails") return dressed(request, 200, `{"id":"${uuid}"}`, { location });
  return dressed(request, 202, text, { location });
}

/** A message of a batch that was not taken. */
export interface BatchError {
  readonly index: number;
  readonly message: string;
  readonly errors: readonly Fault[];
}

/**
 * The answer to a batch as JSON: errors only where the caller asked to be told one by one, and each warning once, with the places in
 * `data` of those that it concerns.
 */
export function batchText(
  prepared: readonly Prepared[],
  errors: readonly BatchError[] | undefined,
): string {
  const data = prepared.map(({ uuid }) => ({ id: uuid }));
  const warned = warningsOfAll(prepared);
  return JSON.stringify({
    data,
    ...(errors === undefined ? {} : { errors }),
    ...(warned.length === 0 ? {} : { warnings: warned }),
  });
}

function warningsOfAll(prepared: readonly Prepared[]) {
  const indexes = new Map<WarningCode, number[]>();
  for (const [index, { warnings }] of prepared.entries())
    for (const code of warnings ?? none) {
      const found = indexes.get(code);
      if (found === undefined) indexes.set(code, [index]);
      else found.push(index);
    }
  return [...indexes].map(([code, found]) => ({ ...warningView(code), indexes: found }));
}

const none: readonly WarningCode[] = [];

export function batchResponse(request: Request, dialect: Dialect, text: string): Response {
  return dressed(request, dialect === "emails" ? 200 : 202, text, {});
}

export function dressed(
  request: Request,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>>,
): Response {
  if (!wantsCbor(request))
    return new Response(text, { status, headers: { "content-type": JSON_TYPE, ...headers } });
  const bytes = encodeCbor(JSON.parse(text));
  return new Response(bytes, { status, headers: { "content-type": CBOR_TYPE, ...headers } });
}
