// Reading a request's body within its limits. A declared length is checked before anything is read and bounded by the server;
// without one the bytes are counted as they come.
import type { Clock } from "../base/clock.ts";
import type { Budget } from "./budget.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";

/** Up to here a body is read in one piece. */
export const SMALL_BODY_BYTES = 262_144;

/** A body must come at least this fast, counted from its first byte: a slow one would hold its share of the budget for ever. */
const BYTES_PER_SECOND_MIN = 16_384;
const GRACE_MS = 30_000;

export interface BodyReader {
  /** The whole body. Its bytes stay charged to the budget until `release`. */
  read(request: Request): Promise<Result<HeldBody>>;
}

export interface HeldBody {
  readonly bytes: Uint8Array;
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
  readonly budget: Budget;
  readonly clock: Clock;
}): BodyReader {
  const { limitBytes, budget, clock } = deps;

  const held = async (charge: number, read: () => Promise<Result<Uint8Array>>) => {
    const wait = budget.take(charge);
    if (wait !== undefined) await wait;
    let charged = charge;
    const release = (): void => {
      budget.release(charged);
      charged = 0;
    };
    const body = await read();
    if (body.kind === "ok") return ok({ bytes: body.value, release });
    release();
    return body;
  };

  return {
    async read(request) {
      const length = declaredLength(request);
      if (length === 0) return ok({ bytes: new Uint8Array(0), release: () => {} });
      if (length !== undefined && length > limitBytes)
        return problem(tooLarge(limitBytes, length, true));
      if (length !== undefined && length <= SMALL_BODY_BYTES)
        return held(length, () => readWhole(request));
      // Without a length it may become as large as is allowed.
      return held(length ?? limitBytes, () =>
        collect(readChunks(request, limitBytes, clock), length),
      );
    },
  };
}

/** Undefined when the body's length is not told beforehand. */
export function declaredLength(request: Request): number | undefined {
  const header = request.headers.get("content-length");
  if (header !== null) return Number(header);
  return request.headers.get("transfer-encoding") === null && request.body === null ? 0 : undefined;
}

async function readWhole(request: Request): Promise<Result<Uint8Array>> {
  try {
    return ok(await request.bytes());
  } catch {
    // The client went away in the middle: nobody reads this answer, but the road ends like any other.
    return problem(cutShort);
  }
}

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

async function collect(
  chunks: AsyncGenerator<Uint8Array, Problem | undefined, void>,
  length: number | undefined,
): Promise<Result<Uint8Array>> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const step = await chunks.next();
    if (!step.done) pieces.push(step.value);
    else if (step.value !== undefined) return problem(step.value);
    else break;
  }
  return ok(pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces, length));
}
