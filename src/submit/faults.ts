// From what the schema found to what the caller reads: each fault with its place, a code and the remedy. Runs only when something
// is wrong, so it may look at the body again.
import type { core } from "zod";
import { type Fault, type FaultCode, pointerOf } from "./problem.ts";
import { unsupportedFields } from "./schema.ts";

type Issue = core.$ZodIssue;

/** `base` is where the message lies in the body, such as an index of a batch. */
export function faultsOf(
  issues: readonly Issue[],
  body: unknown,
  known: readonly string[],
  base: readonly PropertyKey[] = [],
): Fault[] {
  return issues.flatMap((issue) => explain(issue, body, known, base));
}

function explain(
  issue: Issue,
  body: unknown,
  known: readonly string[],
  base: readonly PropertyKey[],
): Fault[] {
  const path = [...base, ...issue.path.filter((step) => step !== "")];
  const pointer = pointerOf(path);
  const name = nameOf(issue.path);
  const one = (code: FaultCode, detail: string): Fault[] => [{ pointer, code, detail }];
  switch (issue.code) {
    case "invalid_type":
      if (valueAt(body, issue.path) === undefined)
        return one("missing_required_field", `${name} is required.`);
      return one(
        "invalid_type",
        `${name} must be ${article(issue.expected)}, not ${kindOf(valueAt(body, issue.path))}.`,
      );
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownField(key, [...path, key], known));
    case "invalid_union":
      return explainUnion(issue, body, known, base);
    case "too_big":
      if (issue.origin === "string")
        return one("too_long", `${name} is longer than ${issue.maximum} characters.`);
      return one("too_many", `${name} holds more than ${issue.maximum} entries.`);
    case "too_small":
      return one("invalid_value", `${name} may not be empty.`);
    case "invalid_value":
      return one("invalid_value", `${name} must be one of ${issue.values.join(", ")}.`);
    case "invalid_format":
      return one("invalid_value", `${name} may hold only A-Z, a-z, 0-9, _ and -.`);
    case "custom":
      return one((issue.params?.["code"] as FaultCode) ?? "invalid_value", issue.message);
    default:
      return one("invalid_value", `${name} is not valid: ${issue.message}`);
  }
}

function unknownField(key: string, path: readonly PropertyKey[], known: readonly string[]): Fault {
  const pointer = pointerOf(path);
  if (unsupportedFields.has(key)) {
    const detail = `${quoted(key)} is not supported by this version. Remove it.`;
    return { pointer, code: "unsupported_field", detail };
  }
  const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, "");
  const meant = known.includes(snake) ? ` Did you mean ${quoted(snake)}?` : " Remove it.";
  return { pointer, code: "unknown_field", detail: `${quoted(key)} is no known field.${meant}` };
}

/** Of the forms that a value may have, the one that it was meant to have: the one whose fault lies deepest. */
function explainUnion(
  issue: Extract<Issue, { readonly code: "invalid_union" }>,
  body: unknown,
  known: readonly string[],
  base: readonly PropertyKey[],
): Fault[] {
  const value = valueAt(body, issue.path);
  const name = nameOf(issue.path);
  const pointer = pointerOf([...base, ...issue.path]);
  if (value === undefined)
    return [{ pointer, code: "missing_required_field", detail: `${name} is required.` }];
  const meant = issue.errors.find((errors) =>
    errors.some((error) => error.path.length > 0 || error.code !== "invalid_type"),
  );
  if (meant !== undefined)
    return faultsOf(
      meant.map((error) => ({ ...error, path: [...issue.path, ...error.path] })),
      body,
      known,
      base,
    );
  const detail = `${name} must be a string or a list of strings, not ${kindOf(value)}.`;
  return [{ pointer, code: "invalid_type", detail }];
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  let value = body;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step))
      return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

const SHOWN_MAX = 60;

function quoted(key: string): string {
  return JSON.stringify(key.length > SHOWN_MAX ? `${key.slice(0, SHOWN_MAX)}…` : key);
}

/** `to[1]`, as people write it. */
function nameOf(path: readonly PropertyKey[]): string {
  let name = "";
  for (const step of path)
    name +=
      typeof step === "number" ? `[${step}]` : name === "" ? String(step) : `.${String(step)}`;
  return name === "" ? "The body" : quoted(name).slice(1, -1);
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Uint8Array) return "a byte string";
  return article(typeof value);
}

function article(kind: string): string {
  if (kind === "record") return "an object";
  if (kind === "array") return "a list";
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`;
}
