// Reading a request's body within its limits. A declared length is checked before anything is read and bounded by the server;
// without one the bytes are counted as they come.
import type { Clock } from "../base/clock.ts";
import type { Budget } from "./budget.ts";
import { readForm } from "./form.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";
import type { Spool } from "./spool.ts";

/** Bodies up to here have a budget of their own. */
const SMALL_BODY_BYTES = 262_144;
/** Up to here a body is read in one piece, which takes half the time that chunks take. */
const WHOLE_BODY_BYTES = 4_194_304;

/** A body must come at least this fast, counted from its first byte: a slow one would hold its share of the budget for ever. */
const BYTES_PER_SECOND_MIN = 16_384;
const GRACE_MS = 30_000;

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

export function tooLarge(limitBytes: number, actualBytes: number, declared: boolean): Problem {
  const actual = declared ? `${actualBytes} bytes` : `at least ${actualBytes} bytes`;
  return {
    name: "message_too_large",
    detail:
      `The body has ${actual}; the limit is ${limitBytes} bytes (max_message_bytes). ` +
      "Send a link instead of the attachment, or raise the limit.",
    close: true,
  };
}

export function createBodyReader(deps: {
  readonly limitBytes: number;
  /** Two, so that a large body that comes slowly does not keep small ones waiting. */
  readonly small: Budget;
  readonly large: Budget;
  readonly clock: Clock;
  readonly spool: Pick<Spool, "scratch">;
}): BodyReader {
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
    if (length !== undefined && length > limitBytes)
      return Promise.resolve(problem(tooLarge(limitBytes, length, true)));
    const isSmall = length !== undefined && length <= SMALL_BODY_BYTES;
    const budget = isSmall ? deps.small : deps.large;
    // Without a length it may become as large as is allowed.
    let charge = length ?? limitBytes;
    const release = (): void => {
      budget.release(charge);
      charge = 0;
    };
    const begin = (): Promise<Result<T>> => {
      if (isSmall) return whole(request, length);
      if (length !== undefined && length <= WHOLE_BODY_BYTES)
        return inTime(clock, length, whole(request, length));
      return collect(readChunks(request, limitBytes, clock), convert);
    };
    const wait = budget.take(charge);
    return (wait === undefined ? begin() : wait.then(begin)).then((body) => {
      if (body.kind === "ok") return ok({ value: body.value, release });
      release();
      return body;
    });
  };

  return {
    readText: (request) => read(request, wholeText, decodeText),
    readBytes: (request) => read(request, wholeBytes, ok),
    readForm(request) {
      const length = declaredLength(request) ?? 0;
      if (length > limitBytes) return Promise.resolve(problem(tooLarge(limitBytes, length, true)));
      return readForm({ ...deps, budget: deps.large }, request);
    },
  };
}

/** Undefined when the body's length is not told beforehand. */
export function declaredLength(request: Request): number | undefined {
  const header = request.headers.get("content-length");
  if (header !== null) return Number(header);
  return request.headers.get("transfer-encoding") === null && request.body === null ? 0 : undefined;
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
    return ok(UTF8.decode(bytes));
  } catch {
    return problem(notUtf8);
  }
}

const notUtf8: Problem = {
  name: "invalid_json",
  detail: "The body is no valid JSON: it is not UTF-8.",
};

const cutShort: Problem = {
  name: "invalid_json",
  detail: "The connection ended before the body did.",
  close: true,
};

const tooSlow: Problem = {
  name: "request_timeout",
  detail: `The body came slower than ${BYTES_PER_SECOND_MIN} bytes a second. Send it again.`,
  close: true,
};

/** Yields chunks, then returns undefined; or returns what went wrong. The one place that counts and times a streamed body. */
export async function* readChunks(
  request: Request,
  limitBytes: number,
  clock: Clock,
): AsyncGenerator<Uint8Array, Problem | undefined, void> {
  if (request.body === null) return undefined;
  const reader = request.body.getReader();
  const startMs = clock.monotonicMs();
  let seen = 0;
  try {
    for (;;) {
      const leftMs =
        GRACE_MS + (seen / BYTES_PER_SECOND_MIN) * 1000 - (clock.monotonicMs() - startMs);
      const step = await within(clock, leftMs, reader.read());
      if (step === "late") return tooSlow;
      if (step === "lost") return cutShort;
      if (step.done) return undefined;
      seen += step.value.length;
      if (seen > limitBytes) return tooLarge(limitBytes, seen, false);
      yield step.value;
    }
  } finally {
    // Also when the consumer stops early. Whoever sends does not matter any more.
    void reader.cancel().catch(() => {});
  }
}

/**
 * Gives a chunk's memory back at once. Left to the collector, which sees only small objects, the chunks of 30 uploads at a time
 * were 300 MB of garbage. Nothing may look at the chunk any more.
 */
export function freeChunk(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
}

async function within<T>(
  clock: Clock,
  delayMs: number,
  work: Promise<T>,
): Promise<T | "late" | "lost"> {
  return new Promise((resolve) => {
    const timer = clock.after(delayMs, () => resolve("late"));
    const settle = (value: T | "lost"): void => {
      timer.cancel();
      resolve(value);
    };
    work.then(settle, () => settle("lost"));
  });
}

/** Whatever still comes of a body that is late is dropped with its connection. */
async function inTime<T>(
  clock: Clock,
  length: number,
  body: Promise<Result<T>>,
): Promise<Result<T>> {
  const step = await within(clock, GRACE_MS + (length / BYTES_PER_SECOND_MIN) * 1000, body);
  if (step === "late") return problem(tooSlow);
  return step === "lost" ? problem(cutShort) : step;
}

async function collect<T>(
  chunks: AsyncGenerator<Uint8Array, Problem | undefined, void>,
  convert: (bytes: Uint8Array) => Result<T>,
): Promise<Result<T>> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const step = await chunks.next();
    if (!step.done) pieces.push(step.value);
    else if (step.value !== undefined) return problem(step.value);
    else return convert(pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces));
  }
}
