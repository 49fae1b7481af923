// The `relay` setting: smarthosts in order, each as a URL. All faults of the list are told at once.
import { inRanges, ipFamily, loopbackRanges } from "../base/cidr.ts";
import { isHostLabel, NAME_MAX } from "../dns/name.ts";
import { authMechanisms, type AuthMechanism, type RelayLogin, type TlsPolicy } from "./route.ts";

export interface Relay {
  /** Lower-case name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls: TlsPolicy;
  readonly implicitTls: boolean;
  readonly login: RelayLogin | null;
}

export type RelayList =
  | { readonly kind: "parsed"; readonly value: readonly Relay[] }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

/** So many smarthosts may be named; more would never be reached within one attempt. */
const RELAYS_MAX = 16;

const SMTP_PORT = 25;
const SMTPS_PORT = 465;
const SUBMISSION_PORT = 587;

const policies: readonly TlsPolicy[] = ["opportunistic", "required", "verify", "off"];

/** `smtp://user:pass@host:587?tls=required, smtps://host:465`; empty and `none` mean: straight to the MX. */
export function parseRelays(text: string): RelayList {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (parts.length === 0 || (parts.length === 1 && parts[0] === "none"))
    return { kind: "parsed", value: [] };
  const value: Relay[] = [];
  const problems: string[] = [];
  if (parts.length > RELAYS_MAX) problems.push(`more than ${RELAYS_MAX} relays`);
  for (const [i, part] of parts.entries()) {
    const relay = parseRelay(part);
    // The text itself is not repeated: it may hold a password.
    if (typeof relay === "string") problems.push(`relay ${i + 1}: ${relay}`);
    else value.push(relay);
  }
  return problems.length > 0 ? { kind: "refused", problems } : { kind: "parsed", value };
}

function parseRelay(text: string): Relay | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return "not a URL of the form smtp://user:pass@host:port";
  if (url.protocol === "https:")
    return "a relay over https:// (another Postrider) is not there yet; use smtp or smtps";
  if (url.protocol !== "smtp:" && url.protocol !== "smtps:")
    return `the scheme must be smtp or smtps, not ${url.protocol.slice(0, -1)}`;
  const implicitTls = url.protocol === "smtps:";
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (!isHost(host)) return "the host is neither a name nor an address";
  if ((url.pathname !== "" && url.pathname !== "/") || url.hash !== "")
    return "nothing may follow the port but ?tls= and ?auth=";
  const port = url.port === "" ? (implicitTls ? SMTPS_PORT : SMTP_PORT) : Number(url.port);
  if (port === 0) return "the port must be 1 to 65535";
  const login = loginOf(url);
  if (typeof login === "string") return login;
  const tls = policyOf(url, { host, port, implicitTls, login });
  if ("problem" in tls) return tls.problem;
  return { host, port, tls: tls.policy, implicitTls, login };
}

type Policy = { readonly policy: TlsPolicy } | { readonly problem: string };

function policyOf(url: URL, at: Omit<Relay, "tls">): Policy {
  const unknown = [...url.searchParams.keys()].find((key) => key !== "tls" && key !== "auth");
  if (unknown !== undefined)
    return { problem: `unknown parameter ${unknown}: only tls and auth are known` };
  const asked = url.searchParams.get("tls");
  if (asked === null) return { policy: defaultPolicy(at) };
  const policy = policies.find((one) => one === asked);
  if (policy === undefined) return { problem: `tls must be one of ${policies.join(", ")}` };
  if (at.implicitTls && (policy === "off" || policy === "opportunistic"))
    return { problem: `smtps is TLS from the first byte: tls=${policy} contradicts it` };
  return { policy };
}

/** The submission port (RFC 8314), or a login, asks for encryption; a relay on this host, or the plain port 25, may do without. */
function defaultPolicy(at: Omit<Relay, "tls">): TlsPolicy {
  if (at.implicitTls) return "required";
  if (at.host === "localhost" || inRanges(loopbackRanges, at.host)) return "opportunistic";
  if (at.port === SMTP_PORT) return "opportunistic";
  return at.port === SUBMISSION_PORT || at.login !== null ? "required" : "opportunistic";
}

function loginOf(url: URL): RelayLogin | null | string {
  const mechanism = mechanismOf(url);
  if (mechanism === null) return `auth must be one of ${authMechanisms.join(", ").toLowerCase()}`;
  if (url.username === "" && url.password === "")
    return mechanism === undefined ? null : "auth= is for a login: a user and a password";
  if (url.username === "" || url.password === "") return "a login needs a user and a password";
  try {
    const user = decodeURIComponent(url.username);
    const pass = decodeURIComponent(url.password);
    return mechanism === undefined ? { user, pass } : { user, pass, mechanism };
  } catch (error) {
    return `the login is not valid percent-encoding (${String(error)})`;
  }
}

/** Null when it is none that we know. */
function mechanismOf({ searchParams }: URL): AuthMechanism | undefined | null {
  const asked = searchParams.get("auth");
  if (asked === null) return undefined;
  return authMechanisms.find((one) => one === asked.toUpperCase()) ?? null;
}

/** Single labels are fine here: the operator's own network may use them. */
function isHost(host: string): boolean {
  if (ipFamily(host) !== 0) return true;
  if (host.length > NAME_MAX || /^[\d.]+$/.test(host)) return false;
  return host.replace(/\.$/, "").split(".").every(isHostLabel);
}
