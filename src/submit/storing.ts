// Composes large messages into spool files, a few at a time: side by side they would only hold more memory, since one processor
// encodes them all.
import { createHash } from "node:crypto";
import { composeStream, type Draft } from "../mail/compose/compose.ts";
import { createBudget } from "./budget.ts";
import { freeChunk, tooLarge } from "./chunks.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";
import { type Spool, type SpoolFile, diskProblem } from "./spool.ts";

const AT_A_TIME = 2;

export interface StoredDraft {
  readonly file: SpoolFile;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/** `estimate` is the size as far as it can be told beforehand. */
export type StoreDraft = (draft: Draft, estimate: number) => Promise<Result<StoredDraft>>;

export function createStoring(deps: {
  readonly spool: Pick<Spool, "create">;
  readonly messageBytesMax: number;
}): StoreDraft {
  const places = createBudget(AT_A_TIME);
  const { messageBytesMax } = deps;
  return async (draft, estimate) => {
    // Clearly too large: not a byte is written for it. What is near the limit is measured as it is composed.
    if (estimate > messageBytesMax * 1.01)
      return problem(composedTooLarge(messageBytesMax, estimate));
    await places.take(1);
    try {
      const file = await diskProblem(deps.spool.create());
      return file.kind === "ok" ? await into(file.value, draft, messageBytesMax) : file;
    } finally {
      places.release(1);
    }
  };
}

async function into(
  file: SpoolFile,
  draft: Draft,
  limitBytes: number,
): Promise<Result<StoredDraft>> {
  let isStored = false;
  try {
    const stored = await diskProblem(write(file, draft, limitBytes));
    const result = stored.kind === "ok" ? stored.value : stored;
    isStored = result.kind === "ok";
    return result;
  } finally {
    if (!isStored) await file.discard();
  }
}

async function write(
  file: SpoolFile,
  draft: Draft,
  limitBytes: number,
): Promise<Result<StoredDraft>> {
  const sha256 = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of composeStream(draft)) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) return problem(composedTooLarge(limitBytes, sizeBytes));
    sha256.update(chunk);
    await file.write(chunk);
    // Written: of a large attachment thousands of these would wait for the collector.
    freeChunk(chunk);
  }
  await file.seal();
  return ok({ file, sizeBytes, sha256: sha256.digest("base64url") });
}

function composedTooLarge(limitBytes: number, actualBytes: number): Problem {
  return {
    ...tooLarge(limitBytes, actualBytes, false),
    detail:
      `The message has at least ${actualBytes} bytes once it is encoded; ` +
      `the limit is ${limitBytes} bytes (max_message_bytes).`,
    close: false,
  };
}
