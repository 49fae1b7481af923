// Whole numbers on the command line.
import { notAllowed } from "./failure.ts";

/** Undefined: the option was not given. */
export function countOf(option: string, text: string | undefined, min = 0): number | undefined {
  if (text === undefined) return undefined;
  // Digits only: Number() would also take "1e1", " 5 " and "0x10".
  if (/^\d{1,12}$/.test(text) && Number(text) >= min) return Number(text);
  const allowed = min === 0 ? "a whole number" : `a whole number from ${min} on`;
  throw notAllowed(option, text, allowed);
}
