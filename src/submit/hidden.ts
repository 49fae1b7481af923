// Faults that others hide: what a field says of its members together is looked at only once each of them has the right type. So those
// that have not are left out, and the field is looked at once more. Runs only when something is wrong.
import type { core } from "zod";
import { FAULTS_MAX, pointerOf } from "./problem.ts";
import type { MessageCheck } from "./schema.ts";

type Issue = core.$ZodIssue;
type Path = readonly PropertyKey[];

/** More than any field may have: then that is what is told. */
const MEMBERS_MAX = 1000;

/** What was found, and behind it what it hid. */
export function withHidden(
  { shape }: Pick<MessageCheck, "shape">,
  issues: readonly Issue[],
  body: unknown,
): readonly Issue[] {
  if (typeof body !== "object" || body === null || issues.length > FAULTS_MAX) return issues;
  const seen = new Set(issues.map(({ path }) => pointerOf(path)));
  const found: Issue[] = [];
  for (const [field, wrong] of Map.groupBy(issues.filter(isInside), ({ path }) => path[0])) {
    if (typeof field !== "string" || !Object.hasOwn(shape, field)) continue;
    const given = (body as Readonly<Record<string, unknown>>)[field];
    if (Object.keys(given as object).length > MEMBERS_MAX) continue;
    const rest = without(
      given,
      wrong.map(({ path }) => path.slice(1)),
    );
    const parsed = shape[field as keyof typeof shape].safeParse(rest);
    for (const issue of parsed.error?.issues ?? []) {
      const path = [field, ...issue.path];
      if (!seen.has(pointerOf(path))) found.push({ ...issue, path });
    }
  }
  return found.length === 0 ? issues : [...issues, ...found];
}

function isInside({ code, path }: Issue): boolean {
  return (code === "invalid_type" || code === "invalid_value") && path.length > 1;
}

/** A copy that lacks the members at these paths; items of a list keep their places. */
function without(value: unknown, paths: readonly Path[]): unknown {
  if (typeof value !== "object" || value === null || paths.length === 0) return value;
  const byStep = Map.groupBy(paths, ([step]) => step);
  const rest = (member: unknown, step: PropertyKey): unknown =>
    without(member, byStep.get(step)?.flatMap((path) => below(path)) ?? []);
  if (Array.isArray(value)) return value.map(rest);
  const isGone = (name: string): boolean =>
    byStep.get(name)?.some(({ length }) => length === 1) === true;
  const kept = Object.entries(value).filter(([name]) => !isGone(name));
  return Object.fromEntries(kept.map(([name, member]) => [name, rest(member, name)]));
}

function below(path: Path): readonly Path[] {
  return path.length > 1 ? [path.slice(1)] : [];
}
