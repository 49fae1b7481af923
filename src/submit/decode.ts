// From a request's body to a value of bounded depth: JSON, CBOR or a form, by its content type.
import { CBOR_TYPE, FORM_TYPE, JSON_TYPE, RAW_TYPE, essenceOf } from "./answer.ts";
import type { BodyReader, Held } from "./body.ts";
import { decodeCbor } from "./cbor.ts";
import { type Problem, type Result, ok, problem, problemOf } from "./problem.ts";
import { repeatedMember } from "./repeated.ts";
import { checkShape } from "./shape.ts";
import { holdsTooMany, tooManyValues } from "./values.ts";

/** A body in memory, charged to the budget. */
export interface HeldBody {
  /** As a value of bounded depth. */
  decode(): Result<unknown>;
  release(): void;
}

/** `others`: what is taken there beside JSON and CBOR, for who sends neither. */
export function readBody(
  reader: BodyReader,
  request: Request,
  others: readonly string[] = [FORM_TYPE, RAW_TYPE],
): Promise<Result<HeldBody>> {
  const coded = checkCoding(request);
  if (coded !== undefined) return Promise.resolve(problem(coded));
  const type = essenceOf(request.headers.get("content-type"));
  switch (type) {
    case "":
    case JSON_TYPE:
      return reader.readText(request).then((text) => holding(text, parseJson));
    case CBOR_TYPE:
      return reader.readBytes(request).then((bytes) => holding(bytes, parseCbor));
    case FORM_TYPE:
      return reader.readForm(request).then((form) => holding(form, ok));
    default:
      return Promise.resolve(problem(unsupportedType(type, others)));
  }
}

/** How much of a caller's text is said back. */
const SHOWN_MAX = 60;

function quoted(text: string): string {
  return JSON.stringify(text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
}

/** A body of 40 MB may unpack to 40 GB, and mail hardly shrinks: nothing is worth that. */
function codingRefused(coding: string): Problem {
  return {
    name: "unsupported_media_type",
    detail: `The Content-Encoding ${quoted(coding)} is not taken. Send the body as it is.`,
    close: true,
  };
}

export function checkCoding({ headers }: Request): Problem | undefined {
  const coding = headers.get("content-encoding");
  if (coding === null || coding.toLowerCase() === "identity") return undefined;
  return codingRefused(coding);
}

function holding<T>(read: Result<Held<T>>, parse: (value: T) => Result<unknown>): Result<HeldBody> {
  if (read.kind === "problem") return read;
  const { value, release } = read.value;
  // Handed over and not kept: while 30 MB are parsed their text should go as soon as it can.
  let held: T | undefined = value;
  const decode = (): Result<unknown> => {
    const text = held as T;
    held = undefined;
    return parse(text);
  };
  return ok({ decode, release });
}

/** An empty body counts as `{}`. */
function parseJson(text: string): Result<unknown> {
  if (text === "") return ok({});
  if (holdsTooMany(text)) return problem(tooManyValues);
  try {
    const value = JSON.parse(text) as unknown;
    const shaped = checkShape(value);
    const twice = shaped.kind === "ok" ? repeatedMember(text, value) : undefined;
    return twice === undefined ? shaped : problem(problemOf([twice]));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const detail = `The body is no valid JSON: ${error.message}.`;
    return problem({ name: "invalid_json", detail });
  }
}

function parseCbor(bytes: Uint8Array): Result<unknown> {
  const decoded = decodeCbor(bytes);
  if (decoded.kind === "ok") return checkShape(decoded.value);
  if (decoded.kind === "too_many") return problem(tooManyValues);
  return problem({ name: "invalid_json", detail: `The body is no valid CBOR. ${decoded.why}` });
}

function unsupportedType(type: string, others: readonly string[]): Problem {
  const taken = [JSON_TYPE, CBOR_TYPE, ...others];
  return {
    name: "unsupported_media_type",
    detail:
      `The content type ${quoted(type)} is not taken. ` +
      `Send ${taken.slice(0, -1).join(", ")} or ${taken.at(-1)}.`,
  };
}
