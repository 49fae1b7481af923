// Certificates of the fault servers, made when they are asked for: good, expired, not yet valid, for another name.
import { type Certificate, selfSigned } from "../../src/sink/certificate.ts";

const DAY_MS = 86_400_000;

export type Flaw = "none" | "expired" | "future" | "name";

export function certificateFor(hostname: string, flaw: Flaw = "none"): Certificate {
  const now = Date.now();
  const shiftMs = flaw === "expired" ? -3 * DAY_MS : flaw === "future" ? 3 * DAY_MS : 0;
  return selfSigned({
    hostname: flaw === "name" ? "someone.else.test" : hostname,
    notBefore: new Date(now - DAY_MS + shiftMs),
    notAfter: new Date(now + DAY_MS + shiftMs),
  });
}
