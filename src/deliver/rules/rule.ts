// A row of the table that says what a server's refusal means, and how a row is found. The rows are data, one file a provider; text is
// looked for by plain substrings in bounded lower-case words, so that no reply, however hostile, costs more than a fixed time.
import type { Scope, TroubleClass } from "../../mail/verdict.ts";
import type { Phase } from "../../smtp/phases.ts";

/**
 * - `defer`: tried again although the code says never.
 * - `pause`: the whole site is to rest.
 * - `alert`: somebody on our side must mend something.
 * - `suppress`: the address itself is no good.
 */
export type Act = "defer" | "pause" | "alert" | "suppress";

export interface Rule {
  /** Provider and short name, as pauses, alerts and `explain` show it. */
  readonly name: string;
  /** All that is said must hold; what is not said may be anything. */
  readonly codes?: readonly number[];
  /** First digit of the code. */
  readonly digit?: 4 | 5;
  /** Subject and detail of the enhanced code, such as `7.28`. */
  readonly status?: readonly string[];
  readonly phases?: readonly Phase[];
  /** One of these is among the words, which are in lower case. */
  readonly says?: readonly string[];
  readonly class: TroubleClass;
  /** Whom it concerns, where the phase alone would say it wrongly. */
  readonly scope?: Scope;
  readonly acts?: readonly Act[];
}

export interface Provider {
  /** Ends of the names of its MX hosts. */
  readonly hosts: readonly string[];
  /** Words by which its replies are known when they come through somebody else. */
  readonly marks: readonly string[];
  readonly rules: readonly Rule[];
}

/** A refusal as the rules see it. */
export interface Refusal {
  readonly phase: Phase;
  readonly code: number;
  /** Subject and detail; empty when the server gave none. */
  readonly status: string;
  /** In lower case, bounded. */
  readonly words: string;
}

export function matches(rule: Rule, { phase, code, status, words }: Refusal): boolean {
  if (rule.digit !== undefined && Math.floor(code / 100) !== rule.digit) return false;
  if (rule.codes?.includes(code) === false) return false;
  if (rule.status?.includes(status) === false) return false;
  if (rule.phases?.includes(phase) === false) return false;
  return rule.says === undefined || rule.says.some((text) => words.includes(text));
}

export function isOf({ hosts, marks }: Provider, host: string, words: string): boolean {
  return (
    hosts.some((end) => host.endsWith(end) || host === end.slice(1)) ||
    marks.some((mark) => words.includes(mark))
  );
}
