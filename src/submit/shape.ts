// What a decoded body must be before the schema walks it: of bounded depth, since the schema recurses (a body nested 10,000 deep
// overflows it), and without the names that reach an object's prototype.
import { type Fault, type Result, ok, pointerOf, problem, problemOf } from "./problem.ts";

export const DEPTH_MAX = 32;

export function checkShape(body: unknown): Result<unknown> {
  const fault = walk(body, []);
  return fault === undefined ? ok(body) : problem(problemOf([fault]));
}

function walk(value: unknown, path: PropertyKey[]): Fault | undefined {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return undefined;
  if (path.length >= DEPTH_MAX)
    return {
      pointer: pointerOf(path),
      code: "invalid_value",
      detail: `The body is nested deeper than ${DEPTH_MAX} levels.`,
    };
  if (Array.isArray(value)) return walkList(value, path);
  for (const key in value) {
    if (key === "__proto__")
      return {
        pointer: pointerOf([...path, key]),
        code: "unknown_field",
        detail: '"__proto__" is no known field. Remove it.',
      };
    const child = (value as Record<string, unknown>)[key];
    if (typeof child !== "object" || child === null) continue;
    path.push(key);
    const fault = walk(child, path);
    if (fault !== undefined) return fault;
    path.pop();
  }
  return undefined;
}

function walkList(list: readonly unknown[], path: PropertyKey[]): Fault | undefined {
  for (let i = 0; i < list.length; i++) {
    const child = list[i];
    if (typeof child !== "object" || child === null) continue;
    path.push(i);
    const fault = walk(child, path);
    if (fault !== undefined) return fault;
    path.pop();
  }
  return undefined;
}
