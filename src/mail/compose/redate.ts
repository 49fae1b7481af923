// The Date of scheduled mail is the time of its release (DESIGN 7). When the release is moved after the message was written, so is its Date:
// the same number of octets in the same place.
import { createHash } from "node:crypto";
import type { EpochMs } from "../../base/clock.ts";
import { formatDate } from "./headers.ts";

export interface Redated {
  readonly bytes: Uint8Array;
  /** As `MessageHead` has it. */
  readonly sha256: string;
}

/** Null when the Date is not the one that we wrote for the first instant: then it is the caller's own. */
export function redated(source: Uint8Array, from: EpochMs, to: EpochMs): Redated | null {
  const [old, next] = [`Date: ${formatDate(from)}\r\n`, `Date: ${formatDate(to)}\r\n`];
  const bytes = Buffer.from(source);
  const headerEnd = bytes.indexOf("\r\n\r\n");
  const at = bytes.indexOf(old, 0, "latin1");
  const beginsLine = at === 0 || bytes[at - 1] === LF;
  if (at < 0 || at > headerEnd || !beginsLine || next.length !== old.length) return null;
  bytes.write(next, at, "latin1");
  return { bytes, sha256: createHash("sha256").update(bytes).digest("base64url") };
}

const LF = 0x0a;
