// Small bodies of commands: one JSON object of known fields. Messages have a reader of their own (body.ts, send.ts).
import type { Clock } from "../base/clock.ts";
import { readWhole } from "./chunks.ts";
import {
  FAULTS_MAX,
  ok,
  pointerOf,
  type Problem,
  problem,
  problemOf,
  type Result,
} from "./problem.ts";
import { repeatedMember } from "./repeated.ts";
import { checkShape } from "./shape.ts";

const BODY_MAX_BYTES = 4096;
/** How much of a wrong name is told back. */
const SHOWN_MAX = 60;

export type Fields = Readonly<Record<string, unknown>>;

/** An empty body counts as `{}`; a field that is not known is refused, since it would silently change what is meant. */
export async function readFields(
  request: Request,
  clock: Clock,
  known: readonly string[],
  bytesMax = BODY_MAX_BYTES,
): Promise<Result<Fields>> {
  const bytes = await readSmall(request, clock, bytesMax);
  if (bytes.kind === "problem") return bytes;
  const text = bytes.value.length === 0 ? "{}" : bytes.value.toString();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return problem({ name: "invalid_json", detail: "The body is no valid JSON." });
  }
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return problem(badField("", "The body must be an object."));
  const shaped = checkShape(body);
  if (shaped.kind === "problem") return shaped;
  const twice = repeatedMember(text, body);
  if (twice !== undefined) return problem(problemOf([twice]));
  const unknown = Object.keys(body).filter((field) => !known.includes(field));
  return unknown.length === 0 ? ok(body as Fields) : problem(unknownFields(unknown, known));
}

function unknownFields(unknown: readonly string[], known: readonly string[]): Problem {
  const taken = known.length === 0 ? "None is taken here." : `Known: ${known.join(", ")}.`;
  return problemOf(
    unknown.slice(0, FAULTS_MAX).map((field) => {
      const name = field.slice(0, SHOWN_MAX);
      const detail = `${JSON.stringify(name)} is no known field. ${taken}`;
      return { pointer: pointerOf([name]), code: "unknown_field", detail };
    }),
  );
}

async function readSmall(
  request: Request,
  clock: Clock,
  bytesMax: number,
): Promise<Result<Buffer>> {
  const read = await readWhole(request, bytesMax, clock);
  if (read.kind === "ok" || read.problem.name !== "message_too_large") return read;
  const detail = `A command needs no more than ${bytesMax} bytes.`;
  return problem({ ...read.problem, detail });
}

export function badField(field: string, detail: string): Problem {
  const name = field.slice(0, SHOWN_MAX);
  return {
    name: "validation_error",
    detail: name === "" ? detail : `The field ${JSON.stringify(name)} is not valid. ${detail}`,
    faults: [{ pointer: name === "" ? "" : `/${name}`, code: "invalid_value", detail }],
  };
}
