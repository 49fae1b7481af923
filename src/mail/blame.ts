// What a verdict says of the site rather than of the mail: the sender goes by it at once, and the queue a moment later, so both must
// read it alike.
import type { Verdict } from "./verdict.ts";

/** What is needed of a verdict, also before it is one. */
type Judged = Pick<Verdict, "kind" | "scope" | "class" | "pause">;

/** So many failures of single hosts in a row speak for the site. */
export const HOST_FAILURES = 3;

/** True when the verdict says something bad of the site. Troubles of our own never slow it. */
export function blamesSite(verdict: Judged): boolean {
  // Also where it refuses this message for good.
  if (verdict.pause !== undefined) return true;
  if (verdict.kind !== "deferred") return false;
  if (verdict.scope !== "host" && verdict.scope !== "site") return false;
  return verdict.class !== "local" && verdict.class !== "dns";
}

/** True when that one verdict is enough: no other mail is to go there for now. */
export function stopsSite(verdict: Verdict): boolean {
  return blamesSite(verdict) && (verdict.pause !== undefined || verdict.scope === "site");
}

/** True when the site answered as a site should, whatever it said about the recipient. */
export function praisesSite(verdict: Verdict): boolean {
  if (verdict.pause !== undefined) return false;
  if (verdict.kind === "delivered" || verdict.kind === "failed") return true;
  if (verdict.kind === "interrupted" || verdict.class === "local") return false;
  return verdict.scope === "recipient" || verdict.scope === "message";
}

/** True when the site wants less of us; what one mailbox gets too much of is no matter of the site. */
export function slowsSite(verdict: Verdict): boolean {
  if (blamesSite(verdict)) return true;
  return verdict.kind === "deferred" && verdict.class === "rate" && verdict.scope !== "recipient";
}
