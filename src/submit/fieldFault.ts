// How a field says that its value is wrong: as an issue with a code of ours, so that the other fields are still checked.
import { z } from "zod";
import type { Parsed } from "../mail/compose/headerText.ts";
import type { FaultCode } from "./problem.ts";

export type Context = { readonly issues: unknown[] };

export function fault(
  context: Context,
  code: FaultCode,
  message: string,
  path: PropertyKey[] = [],
): never {
  context.issues.push({ code: "custom", message, path, input: undefined, params: { code } });
  return z.NEVER;
}

/** The value, or its refusal as a fault of this field. */
export function take<T>(
  context: Context,
  parsed: Parsed<T>,
  code: FaultCode,
  path?: PropertyKey[],
): T {
  return parsed.kind === "ok" ? parsed.value : fault(context, code, parsed.why, path);
}
