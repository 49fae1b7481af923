// The shape of the `relay` setting. What the URLs mean is read by route/relay.ts; here a slip is told together with all others.
import type { Kind } from "./kinds.ts";

const POLICIES = ["opportunistic", "required", "verify", "off"];
const LOGINS = ["scram-sha-256", "cram-md5", "plain", "login", "xoauth2"];

export const relayList: Kind<string | null> = {
  allowed:
    "smtp://user:pass@host:587?tls=required or smtps://host:465, several separated by commas; " +
    `tls is one of ${POLICIES.join(", ")}, auth one of ${LOGINS.join(", ")}; or none`,
  parse(raw) {
    if (typeof raw !== "string") return undefined;
    if (raw.trim() === "" || raw.trim() === "none") return null;
    return isRelayList(raw) ? raw : undefined;
  },
  show: (value) => value ?? "none",
};

export function isRelayList(text: string): boolean {
  return text.split(",").every((part) => isRelay(part.trim()));
}

function isRelay(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // What is not there yet is told by route/relay.ts, in its own words.
  if (url?.protocol === "https:") return true;
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === "") return false;
  if (url.pathname.replace("/", "") !== "" || url.hash !== "") return false;
  const tls = url.searchParams.get("tls");
  const auth = url.searchParams.get("auth");
  if ([...url.searchParams.keys()].some((key) => key !== "tls" && key !== "auth")) return false;
  if (auth !== null && !LOGINS.includes(auth.toLowerCase())) return false;
  return tls === null || POLICIES.includes(tls);
}

/** Passwords in URLs are replaced, whatever they hold, and what a query calls a secret; the rest stays readable. */
export function maskUrls(text: string): string {
  return text
    .replace(/:\/\/((?:(?!:\/\/)[^])*)@/g, (whole, user: string) => {
      const colon = user.indexOf(":");
      return colon === -1 ? whole : `://${user.slice(0, colon)}:***@`;
    })
    .replace(/([?&][^=&#\s]*(?:key|token|secret|pass)[^=&#\s]*=)[^&#\s]*/gi, "$1***");
}
