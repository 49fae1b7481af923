// An answer as a row of the second level. What is read back comes from a disk, so it is checked like anything from outside.
import type { EpochMs } from "../base/clock.ts";
import type { Answer, MxRecord, RecordOf, RecordType, TlsaRecord } from "./answer.ts";

/** The same shape as in the store, which this room does not know. */
export interface KeptAnswer {
  /** For example `MX example.com`. */
  readonly key: string;
  readonly answer: string;
  readonly expiresAt: EpochMs;
}

type Known = Answer<RecordOf[RecordType]>;

export function writeKept(key: string, answer: Exclude<Known, { kind: "unknown" }>): KeptAnswer {
  const { freshUntil: expiresAt, ...facts } = answer;
  return { key, answer: JSON.stringify(facts), expiresAt };
}

/** Undefined when the row is not one that `writeKept` could have written. */
export function readKept(row: KeptAnswer): Known | undefined {
  const facts = parseObject(row.answer);
  const isRecord = recordChecks[row.key.slice(0, row.key.indexOf(" "))];
  if (facts === undefined || isRecord === undefined || !Number.isFinite(row.expiresAt))
    return undefined;
  const { kind, why, records, owner } = facts;
  const head = { freshUntil: row.expiresAt, secure: facts["secure"] === true };
  if (kind === "none" && (why === "nxdomain" || why === "nodata")) return { kind, why, ...head };
  if (kind !== "found" || !Array.isArray(records) || records.length === 0) return undefined;
  if (!records.every(isRecord)) return undefined;
  return { kind, records, ...head, ...(isText(owner) ? { owner } : {}) };
}

interface Facts {
  readonly [key: string]: unknown;
  readonly kind?: unknown;
  readonly why?: unknown;
  readonly records?: unknown;
  readonly owner?: unknown;
}

function parseObject(text: string): Facts | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Facts) : undefined;
  } catch {
    // A row that is no JSON is as good as none.
    return undefined;
  }
}

const isText = (value: unknown): value is string => typeof value === "string";

const recordChecks: Readonly<Record<string, (value: unknown) => value is RecordOf[RecordType]>> = {
  A: isText,
  AAAA: isText,
  TXT: isText,
  PTR: isText,
  MX: (value): value is MxRecord =>
    has(value, "preference", "number") && has(value, "exchange", "string"),
  TLSA: (value): value is TlsaRecord =>
    has(value, "usage", "number") &&
    has(value, "selector", "number") &&
    has(value, "matchingType", "number") &&
    has(value, "data", "string"),
};

function has(value: unknown, key: string, type: "number" | "string"): boolean {
  return typeof value === "object" && value !== null && typeof Reflect.get(value, key) === type;
}
