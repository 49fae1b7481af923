// The address of a request in parts, or what is wrong with it. The parser is the platform's own, so that what is checked here
// is what any other program would make of the text: `http://0x7f.1/` is 127.0.0.1.
import { ipFamily } from "../base/cidr.ts";
import type { Scheme } from "./guard.ts";

export interface Target {
  readonly scheme: Scheme;
  /** Without the brackets of an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** As it stands in the header Host. */
  readonly authority: string;
  /** Path and query. */
  readonly path: string;
  /** The host is an address, and no name. */
  readonly isLiteral: boolean;
}

export type ParsedTarget =
  | { readonly kind: "parsed"; readonly target: Target }
  | { readonly kind: "refused"; readonly why: string };

const URL_LENGTH_MAX = 2048;
const PORTS: Readonly<Record<Scheme, number>> = { http: 80, https: 443 };

export function parseTarget(text: string): ParsedTarget {
  if (text.length > URL_LENGTH_MAX) return refused(`is longer than ${URL_LENGTH_MAX} characters`);
  // The parser would leave them out, and what is shown would not be what is asked for.
  if (/[\s\p{Cc}]/u.test(text)) return refused("holds blanks or control characters");
  const url = URL.parse(text);
  if (url === null) return refused("is no URL");
  const scheme = url.protocol.slice(0, -1);
  if (scheme !== "http" && scheme !== "https") return refused("is neither https:// nor http://");
  if (url.username !== "" || url.password !== "") return refused("holds a user name or a password");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (host === "") return refused("names no host");
  const target: Target = {
    scheme,
    host,
    port: url.port === "" ? PORTS[scheme] : Number(url.port),
    authority: url.host,
    path: url.pathname + url.search,
    isLiteral: ipFamily(host) !== 0,
  };
  return { kind: "parsed", target };
}

function refused(why: string): ParsedTarget {
  return { kind: "refused", why };
}
