// A body as it comes: counted, timed, and in turns with others. The one place that reads a socket piece by piece.
import type { Clock } from "../base/clock.ts";
import { createGathered } from "./gathered.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import type { Turn, Turns } from "./turns.ts";

/** A body must come at least this fast, counted from its first byte: a slow one would hold its place for ever. */
const BYTES_PER_SECOND_MIN = 16_384;
const GRACE_MS = 30_000;
/** A body that pauses longer lets others be read meanwhile. */
const PAUSE_MS = 50;
/** What is smaller waits for nobody. */
const LARGE_BYTES = 262_144;
const CROWDED_RETRY_S = 2;

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

export const cutShort: Problem = {
  name: "invalid_json",
  detail: "The connection ended before the body did.",
  close: true,
};

export const tooSlow: Problem = {
  name: "request_timeout",
  detail: `The body came slower than ${BYTES_PER_SECOND_MIN} bytes a second. Send it again.`,
  close: true,
};

const crowded: Problem = {
  name: "memory_low",
  detail: "Too many large messages are being sent at this moment. Nothing was stored. Try again.",
  retryAfterS: CROWDED_RETRY_S,
  close: true,
};

/** Undefined when the body's length is not told beforehand, or not in one number: then it is counted. */
export function declaredLength(request: Request): number | undefined {
  const header = request.headers.get("content-length");
  if (header !== null) {
    // Said twice, the two stand in one text.
    const length = Number(header);
    return Number.isSafeInteger(length) && length >= 0 ? length : undefined;
  }
  return request.headers.get("transfer-encoding") === null && request.body === null ? 0 : undefined;
}

/** How long the first `seen` bytes of a body may take. */
export function patienceMs(seen: number): number {
  return GRACE_MS + (seen / BYTES_PER_SECOND_MIN) * 1000;
}

/** Yields chunks, then returns undefined; or returns what went wrong. A large body waits for its turn where turns are taken. */
export async function* readChunks(
  request: Request,
  limitBytes: number,
  clock: Clock,
  turns?: Turns,
): AsyncGenerator<Uint8Array, Problem | undefined, void> {
  if (request.body === null) return undefined;
  const reader = request.body.getReader();
  let startMs = clock.monotonicMs();
  let seen = 0;
  let turn: Turn | undefined;
  const its = async (own: Turn | undefined): Promise<void> => {
    const fromMs = clock.monotonicMs();
    await own?.take();
    // What others take is not the sender's slowness.
    startMs += clock.monotonicMs() - fromMs;
  };
  try {
    for (let awaited = declaredLength(request) ?? 0; ; awaited = seen) {
      if (turns !== undefined && turn === undefined && awaited > LARGE_BYTES) {
        turn = turns.enter();
        if (turn === undefined) return crowded;
      }
      await its(turn);
      const leftMs = patienceMs(seen) - (clock.monotonicMs() - startMs);
      const reading = reader.read();
      let step = await within(
        clock,
        turn === undefined ? leftMs : Math.min(leftMs, PAUSE_MS),
        reading,
      );
      if (step === "late" && turn !== undefined && leftMs > PAUSE_MS) {
        turn.give();
        step = await within(clock, leftMs - PAUSE_MS, reading);
        await its(turn);
      }
      if (step === "late") return tooSlow;
      if (step === "lost") return cutShort;
      if (step.done) return undefined;
      seen += step.value.length;
      if (seen > limitBytes) return tooLarge(limitBytes, seen, false);
      turn?.came(step.value.length);
      yield step.value;
    }
  } finally {
    turn?.leave();
    // Also when the consumer stops early. Whoever sends does not matter any more.
    void reader.cancel().catch(() => {});
  }
}

/** A small body in one piece. */
export async function readWhole(
  request: Request,
  limitBytes: number,
  clock: Clock,
): Promise<Result<Buffer>> {
  const chunks = readChunks(request, limitBytes, clock);
  const gathered = createGathered();
  for (;;) {
    const step = await chunks.next();
    if (!step.done) gathered.add(step.value);
    else if (step.value === undefined) return ok(gathered.take());
    else return problem(step.value);
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

export async function within<T>(
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
