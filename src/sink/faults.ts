// Misbehaviour that does not depend on the address: `--delay rcpt=200ms` and `--fault
// 'rcpt:451:10%'`.
import { sinkPhases, type SinkPhase } from "./scenarios.ts";

/**
 * At `phase`, in `rate` of the cases, `code` is answered instead of the ordinary reply; 0 closes
 * without a word.
 */
export interface Fault {
  readonly phase: SinkPhase;
  readonly code: number;
  readonly rate: number;
}

export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** `rcpt:451:10%`, `dot:drop:0.5%`; without a rate it is always. */
export function parseFault(text: string): Parsed<Fault> {
  const parts = /^([a-z0-9]+):([45]\d\d|drop)(?::(\d+(?:\.\d+)?)%)?$/.exec(text);
  if (parts === null)
    return { ok: false, problem: `"${text}" is not PHASE:CODE:RATE%, such as rcpt:451:10%` };
  const [, phase, code, percent = "100"] = parts as unknown as [string, string, string, string?];
  const known = phaseOf(phase);
  if (known === undefined) return unknownPhase(phase);
  const rate = Number(percent) / 100;
  if (rate > 1) return { ok: false, problem: `"${text}": a rate is at most 100%` };
  return { ok: true, value: { phase: known, code: code === "drop" ? 0 : Number(code), rate } };
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

/** `rcpt=200ms` */
export function parseDelay(
  text: string,
): Parsed<{ readonly phase: SinkPhase; readonly ms: number }> {
  const parts = /^([a-z0-9]+)=(\d+)(ms|s|m)$/.exec(text);
  if (parts === null)
    return { ok: false, problem: `"${text}" is not PHASE=DURATION, such as rcpt=200ms` };
  const [, phase, count, unit] = parts as unknown as [string, string, string, string];
  const known = phaseOf(phase);
  if (known === undefined) return unknownPhase(phase);
  return { ok: true, value: { phase: known, ms: Number(count) * (unitMs[unit] ?? 1) } };
}

function phaseOf(name: string): SinkPhase | undefined {
  return sinkPhases.find((phase) => phase === name);
}

function unknownPhase(name: string): { readonly ok: false; readonly problem: string } {
  return { ok: false, problem: `"${name}" is no phase; phases are ${sinkPhases.join(", ")}` };
}
