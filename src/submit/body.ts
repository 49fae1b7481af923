// Reading a request's body within its limits. A declared length is checked before anything is read and bounded by the server;
// without one the bytes are counted as they come.
import type { Clock } from "../base/clock.ts";
import type { Budget } from "./budget.ts";
import {
  cutShort,
  declaredLength,
  freeChunk,
  patienceMs,
  tooLarge,
  tooSlow,
  within,
} from "./chunks.ts";
import { readForm } from "./form.ts";
import { type LargeDeps, readLarge } from "./large.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";

/** Bodies up to here have a budget of their own. */
const SMALL_BODY_BYTES = 262_144;
/** Up to here a body is read in one piece, which takes half the time that chunks take. */
const WHOLE_BODY_BYTES = 1_048_576;

export interface BodyReader {
  /** The whole body, which stays charged to the budget until `release`. */
  readText(request: Request): Promise<Result<Held<string>>>;
  readBytes(request: Request): Promise<Result<Held<Uint8Array>>>;
  /** A form as the message that JSON would have said; its files may lie on the disk until `release`. */
  readForm(request: Request): Promise<Result<Held<unknown>>>;
}

export interface Held<T> {
  readonly value: T;
  release(): void;
}

export interface BodyDeps extends LargeDeps {
  /** A budget of their own, so that large bodies do not keep small ones waiting. */
  readonly small: Budget;
  /**
   * Of those between small and large, from the moment that they are here until they are released: as messages that are parsed,
   * composed and packed they cost five times their size, and a slow client should not hold that.
   */
  readonly working: Budget;
}

export function createBodyReader(deps: BodyDeps): BodyReader {
  const { limitBytes, clock } = deps;

  /**
   * `whole` reads a small body in one piece, `convert` turns the bytes of a large one into the same. No promise more than is needed
   * stands between a small body and its reader: every message passes here.
   */
  const read = <T>(
    request: Request,
    whole: (request: Request, length: number) => Promise<Result<T>>,
    convert: (bytes: Uint8Array) => Result<T>,
  ): Promise<Result<Held<T>>> => {
    const length = declaredLength(request);
    if (length === undefined) return readLarge(deps, request, convert);
    if (length > limitBytes) return Promise.resolve(problem(tooLarge(limitBytes, length, true)));
    if (length > WHOLE_BODY_BYTES) return readLarge(deps, request, convert);
    if (length > SMALL_BODY_BYTES) return readMedium(request, length, whole);
    let charge = length;
    const release = (): void => {
      deps.small.release(charge);
      charge = 0;
    };
    const begin = (): Promise<Result<T>> => whole(request, length);
    const wait = deps.small.take(charge);
    return (wait === undefined ? begin() : wait.then(begin)).then((body) => {
      if (body.kind === "ok") return ok({ value: body.value, release });
      release();
      return body;
    });
  };

  const readMedium = async <T>(
    request: Request,
    length: number,
    whole: (request: Request, length: number) => Promise<Result<T>>,
  ): Promise<Result<Held<T>>> => {
    const { large, working } = deps;
    await large.take(length);
    let body: Result<T>;
    try {
      body = await inTime(clock, length, whole(request, length));
      if (body.kind === "ok") await working.take(length);
    } finally {
      large.release(length);
    }
    if (body.kind === "problem") return body;
    let charge = length;
    const release = (): void => {
      working.release(charge);
      charge = 0;
    };
    return ok({ value: body.value, release });
  };

  return {
    readText: (request) => read(request, wholeText, decodeText),
    readBytes: (request) => read(request, wholeBytes, ok),
    readForm(request) {
      const length = declaredLength(request) ?? 0;
      if (length > limitBytes) return Promise.resolve(problem(tooLarge(limitBytes, length, true)));
      return readForm(deps, request);
    },
  };
}

/** The client went away in the middle: nobody reads the answer, but the road ends like any other. */
const lost = (): Result<never> => problem(cutShort);

function wholeBytes(request: Request): Promise<Result<Uint8Array>> {
  return request.bytes().then(ok, lost);
}

const REPLACEMENT = "\ufffd";

/**
 * As text at once, which is cheaper than bytes that are decoded by us. The runtime puts U+FFFD for what is not UTF-8; that shows in
 * the length, except where three bytes of a cut-off character stood.
 */
function wholeText(request: Request, length: number): Promise<Result<string>> {
  return request
    .text()
    .then(
      (text) =>
        text.includes(REPLACEMENT) && Buffer.byteLength(text) !== length
          ? problem(notUtf8)
          : ok(text),
      lost,
    );
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function decodeText(bytes: Uint8Array): Result<string> {
  try {
    const text = UTF8.decode(bytes);
    // Of 30 MB there should not be two for longer than it takes.
    freeChunk(bytes);
    return ok(text);
  } catch {
    return problem(notUtf8);
  }
}

const notUtf8: Problem = {
  name: "invalid_json",
  detail: "The body is no valid JSON: it is not UTF-8.",
};

/** Whatever still comes of a body that is late is dropped with its connection. */
async function inTime<T>(
  clock: Clock,
  length: number,
  body: Promise<Result<T>>,
): Promise<Result<T>> {
  const step = await within(clock, patienceMs(length), body);
  if (step === "late") return problem(tooSlow);
  return step === "lost" ? problem(cutShort) : step;
}
