// What a fault of the disk looks like, from SQLite and from the file system.
import { SQLiteError } from "bun:sqlite";
import type { Committed } from "./store.ts";

export type Failed = Extract<Committed<never>, { kind: "failed" }>;

/** Undefined: no fault of the disk, but a bug, which must not be answered as if it were one. */
export function failureOf(error: unknown): Failed | undefined {
  if (error instanceof Error && "syscall" in error) return fileFailure(error);
  if (!(error instanceof SQLiteError)) return undefined;
  const code = error.code ?? "";
  if (code === "SQLITE_FULL" || isLocked(error))
    return { kind: "failed", why: "full", text: error.message };
  const broken = /^SQLITE_(IOERR|CORRUPT|NOTADB|CANTOPEN|READONLY|PROTOCOL)/.test(code);
  return broken ? { kind: "failed", why: "io", text: `${code}: ${error.message}` } : undefined;
}

/** Another program writes to the database, as one does that copies it away. It ends by itself, as a full disk may. */
export function isLocked(error: unknown): boolean {
  return error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY") === true;
}

function fileFailure(error: Error & { readonly code?: unknown }): Failed {
  const full = error.code === "ENOSPC" || error.code === "EDQUOT";
  return { kind: "failed", why: full ? "full" : "io", text: error.message };
}
