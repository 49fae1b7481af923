// Which warnings a message earns, and how they are told. Runs for every message: what is usual costs a comparison.
import { type WarningCode, warningView } from "../mail/warning.ts";

const texts = new Map<WarningCode, string>();

/** As JSON, from texts that are made once. */
export function warningsJson(codes: readonly WarningCode[] | undefined): string {
  if (codes === undefined || codes.length === 0) return "[]";
  return `[${codes.map(textOf).join(",")}]`;
}

function textOf(code: WarningCode): string {
  let text = texts.get(code);
  if (text === undefined) texts.set(code, (text = JSON.stringify(warningView(code))));
  return text;
}
