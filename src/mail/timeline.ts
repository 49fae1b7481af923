// The road of one recipient, step by step, with the remote server's own words. Kept packed beside the recipient: each step is a
// JSON array and a timeline is its steps joined by commas, so that the writer appends without reading.
import type { EpochMs } from "../base/clock.ts";
import type { TroubleClass, VerdictKind } from "./verdict.ts";

/** Under which policy a connection was encrypted: what the settings say, or what the domain published (route/policy.ts). */
export type TlsPolicyName =
  "off" | "opportunistic" | "required" | "verify" | "mta-sts" | "mta-sts-testing" | "dane";

export interface TlsFacts {
  readonly version: string;
  readonly cipher: string;
  /** The server proved what the policy asks for; where it asks for nothing, what it would have to prove to be verified. */
  readonly verified: boolean;
  readonly resumed: boolean;
  readonly handshakeMs: number;
  /** The checks after the handshake: the host's name, TLSA records. */
  readonly verifyMs: number;
  readonly policy: TlsPolicyName;
  /** Why it is not verified; empty when it is. */
  readonly unproven: string;
}

/** One attempt as the operator reads it. Texts are sanitised and bounded before they come here. */
export interface AttemptStep {
  readonly kind: "attempt";
  readonly at: EpochMs;
  readonly durationMs: number;
  readonly outcome: VerdictKind;
  readonly class: TroubleClass;
  readonly doubt: boolean;
  readonly via: "mx" | "relay" | "sink";
  /** Site, host name, its address and our own; empty when no connection was made. */
  readonly site: string;
  readonly host: string;
  readonly address: string;
  readonly source: string;
  readonly session: string;
  /** SMTP phase in which it was decided, such as `rcpt` or `dot`; `connect` and `route` come before SMTP. */
  readonly phase: string;
  /** 0: no reply. */
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
  readonly tls: TlsFacts | null;
  /** The DKIM signatures on it, as `domain/selector` with spaces between; empty for none. */
  readonly signed?: string;
  /** What kept it waiting before, as far as it is known; the queue adds it. */
  readonly waits?: readonly WaitReason[];
}

/** A span of time in which it could not be tried. */
export interface WaitReason {
  readonly from: EpochMs;
  readonly until: EpochMs;
  readonly why: string;
}

/** A step that is no attempt: the queue's own doing. */
export interface NoteStep {
  readonly kind: "note";
  readonly at: EpochMs;
  readonly note: "released" | "expired" | "canceled" | "held" | "requeued" | "suppressed";
  /** A lease that ended without a verdict, perhaps past the dot. */
  readonly doubt: boolean;
  readonly text: string;
}

/** What came back after the end: the next server, or the recipient's provider, said it in a report (RFC 3464, RFC 5965). */
export interface ReportStep {
  readonly kind: "report";
  readonly at: EpochMs;
  readonly report: "bounced" | "complained";
  readonly doubt: false;
  /** RFC 3463; empty for none. */
  readonly enhanced: string;
  readonly text: string;
  /** Who says so; empty when the report does not. */
  readonly by: string;
}

export type Step = AttemptStep | NoteStep | ReportStep;

export function packStep(step: Step): string {
  if (step.kind === "note")
    return JSON.stringify(["n", step.at, step.note, step.doubt ? 1 : 0, step.text]);
  if (step.kind === "report")
    return JSON.stringify(["r", step.at, step.report, step.enhanced, step.text, step.by]);
  const { tls } = step;
  return JSON.stringify([
    "a",
    step.at,
    step.durationMs,
    step.outcome,
    step.class,
    step.doubt ? 1 : 0,
    step.via,
    step.site,
    step.host,
    step.address,
    step.source,
    step.session,
    step.phase,
    step.code,
    step.enhanced,
    step.text,
    tls === null ? 0 : packTls(tls),
    step.signed ?? "",
  ]);
}

/** Of a packed step. */
export function isAttempt(step: string): boolean {
  return step.startsWith('["a"');
}

/** Adds to an attempt that is packed already what kept it waiting. */
export function withWaits(packed: string, waits: readonly WaitReason[]): string {
  const reasons = waits.map(({ from, until, why }) => [from, until, why]);
  return `${packed.slice(0, -1)},${JSON.stringify(reasons)}]`;
}

type PackedReport = [string, number, ReportStep["report"], string, string, string];
type PackedTls = readonly [string, string, number, number, number, number, TlsPolicyName, string];

function packTls(tls: TlsFacts): PackedTls {
  const { version, cipher, handshakeMs, verifyMs, policy, unproven } = tls;
  const flags = [tls.verified ? 1 : 0, tls.resumed ? 1 : 0] as const;
  return [version, cipher, ...flags, handshakeMs, verifyMs, policy, unproven];
}

function unpackTls(packed: PackedTls): TlsFacts {
  const [version, cipher, verified, resumed, handshakeMs, verifyMs, policy, unproven] = packed;
  const flags = { verified: verified === 1, resumed: resumed === 1 };
  return { version, cipher, ...flags, handshakeMs, verifyMs, policy, unproven };
}

function waitsIn(packed: unknown): Pick<AttemptStep, "waits"> {
  if (packed === undefined) return {};
  const reasons = packed as [number, number, string][];
  return { waits: reasons.map(([from, until, why]) => ({ from, until, why })) };
}

/** The reverse of `packStep` for a whole timeline; what was written by us is not checked again. */
export function unpackTimeline(timeline: string): Step[] {
  const rows = JSON.parse(`[${timeline}]`) as unknown[][];
  return rows.map((row): Step => {
    if (row[0] === "n") {
      const [, at, note, doubt, text] = row as [string, number, NoteStep["note"], number, string];
      return { kind: "note", at, note, doubt: doubt === 1, text };
    }
    if (row[0] === "r") {
      const [, at, report, enhanced, text, by] = row as PackedReport;
      return { kind: "report", at, report, doubt: false, enhanced, text, by };
    }
    const tls = row[16] as 0 | PackedTls;
    return {
      kind: "attempt",
      at: row[1] as number,
      durationMs: row[2] as number,
      outcome: row[3] as VerdictKind,
      class: row[4] as TroubleClass,
      doubt: row[5] === 1,
      via: row[6] as AttemptStep["via"],
      site: row[7] as string,
      host: row[8] as string,
      address: row[9] as string,
      source: row[10] as string,
      session: row[11] as string,
      phase: row[12] as string,
      code: row[13] as number,
      enhanced: row[14] as string,
      text: row[15] as string,
      tls: tls === 0 ? null : unpackTls(tls),
      signed: (row[17] as string | undefined) ?? "",
      ...waitsIn(row[18]),
    };
  });
}

/** Since when each attempt has ended before it came to a server, with the same enhanced code; undefined: the last one did not. */
export function unroutedSince(timeline: string, enhanced: string): EpochMs | undefined {
  const attempts = unpackTimeline(timeline).filter((step) => step.kind === "attempt");
  const other = attempts.findLastIndex(
    (step) => step.phase !== "route" || step.enhanced !== enhanced,
  );
  return attempts[other + 1]?.at;
}

/** The last attempt of a timeline that came to a server. */
export function lastHeard(timeline: string): AttemptStep | undefined {
  return unpackTimeline(timeline).findLast(
    (step): step is AttemptStep => step.kind === "attempt" && step.source !== "",
  );
}
