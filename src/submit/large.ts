// Large bodies: they come in turns, lie on the disk until they are whole, and are parsed one after the other, since what is parsed
// costs many times its size (DESIGN 3). However slowly a body comes, it holds no memory meanwhile.
import type { Clock } from "../base/clock.ts";
import type { Held } from "./body.ts";
import type { Budget } from "./budget.ts";
import { freeChunk, readChunks } from "./chunks.ts";
import { contentLength } from "./content.ts";
import { createFileKeeper, type FileKeeper } from "./formParts.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";
import { diskProblem, type Spool } from "./spool.ts";
import type { Turns } from "./turns.ts";

export interface LargeDeps {
  readonly limitBytes: number;
  readonly large: Budget;
  readonly clock: Clock;
  readonly spool: Pick<Spool, "scratch">;
  readonly turns: Turns;
  /** Gives back what was freed: the collector sees few objects and does not know how large they were. */
  readonly relieve?: (() => void) | undefined;
}

export async function readLarge<T>(
  deps: LargeDeps,
  request: Request,
  convert: (bytes: Uint8Array) => Result<T>,
): Promise<Result<Held<T>>> {
  const keeper = createFileKeeper(deps.spool);
  keeper.begin();
  try {
    const kept = await diskProblem(keep(deps, request, keeper));
    const failed = kept.kind === "problem" ? kept.problem : kept.value;
    return failed === undefined ? await parse(deps, keeper.end(), convert) : problem(failed);
  } finally {
    await keeper.release();
  }
}

async function keep(
  { limitBytes, clock, turns }: LargeDeps,
  request: Request,
  keeper: FileKeeper,
): Promise<Problem | undefined> {
  const chunks = readChunks(request, limitBytes, clock, turns);
  for (;;) {
    const chunk = await chunks.next();
    if (chunk.done) return chunk.value;
    await keeper.add(chunk.value);
    freeChunk(chunk.value);
  }
}

async function parse<T>(
  { large, clock, relieve }: LargeDeps,
  content: ReturnType<FileKeeper["end"]>,
  convert: (bytes: Uint8Array) => Result<T>,
): Promise<Result<Held<T>>> {
  let charge = contentLength(content);
  await large.take(charge);
  const release = (): void => {
    const released = charge;
    charge = 0;
    // A step later nobody holds what was parsed any more, and the next one finds the memory free.
    clock.soon(() => {
      if (released > 0) relieve?.();
      large.release(released);
    });
  };
  const bytes = content instanceof Uint8Array ? content : await wholeOf(content);
  const body = convert(bytes);
  if (body.kind === "ok") return ok({ value: body.value, release });
  release();
  return body;
}

async function wholeOf(content: AsyncIterable<Uint8Array> & { readonly sizeBytes: number }) {
  const bytes = new Uint8Array(content.sizeBytes);
  let length = 0;
  for await (const piece of content) {
    bytes.set(piece, length);
    length += piece.length;
  }
  return bytes;
}
