// What sendmail's callers look at: the codes of sysexits.h, and one line that says why.
import type { CliDeps } from "../deps.ts";
import { printable } from "../output.ts";

export const sysexits = {
  ok: 0,
  usage: 64,
  dataError: 65,
  unavailable: 69,
  software: 70,
  ioError: 74,
  /** The caller keeps the message and tries again. */
  temporary: 75,
  noPermission: 77,
  config: 78,
} as const;

export function fail({ output }: CliDeps, code: number, why: string): number {
  // Callers log one line; a lone fault is the whole problem and would stand there twice.
  const lines = new Set(why.split("\n").map((line) => printable(line.trim())));
  output.err(`sendmail: ${[...lines].join("; ")}`);
  return code;
}

export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
