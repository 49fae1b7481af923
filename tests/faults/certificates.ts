// Certificates of the fault servers, made when they are asked for, each with one flaw; all but the self-signed come from one authority, which
// the senders that can are told to believe.
import { type Made, makeCertificate } from "../fixtures/certificates.ts";

const DAY_MS = 86_400_000;

export type Flaw = "none" | "self" | "expired" | "future" | "name";

export const authority: Made = makeCertificate({ name: "Fault authority", isAuthority: true });

export function certificateFor(hostname: string, flaw: Flaw = "none"): Made {
  const now = Date.now();
  const shiftMs = flaw === "expired" ? -3 * DAY_MS : flaw === "future" ? 3 * DAY_MS : 0;
  const name = flaw === "name" ? "someone.else.test" : hostname;
  return makeCertificate({
    ...{ name, names: [name] },
    ...(flaw === "self" ? {} : { issuer: authority }),
    notBefore: now - DAY_MS + shiftMs,
    notAfter: now + DAY_MS + shiftMs,
  });
}
