// What a domain publishes by MTA-STS (RFC 8461), read from text: the record in the DNS, the policy behind it, and whether a host is
// in its list. Pure; the questions are asked in stsBook.ts. Whoever answers may be hostile: nothing here throws, everything is bounded.
import { isHostLabel, NAME_MAX } from "../dns/name.ts";

export type StsMode = "enforce" | "testing" | "none";

export interface StsPolicy {
  readonly mode: StsMode;
  readonly maxAgeMs: number;
  /** Host names in lower case; `*.` stands for exactly one label. */
  readonly mx: readonly string[];
}

export type StsRecord =
  | { readonly kind: "id"; readonly id: string }
  /** The domain publishes no policy, or so badly that this counts as none. */
  | { readonly kind: "none"; readonly why: string };

export type ReadPolicy =
  | { readonly kind: "policy"; readonly policy: StsPolicy }
  | { readonly kind: "bad"; readonly why: string };

/** RFC 8461 3.2: about a year. */
export const MAX_AGE_MAX_S = 31_557_600;
/** Hosts of one policy; the largest providers name four. */
const PATTERNS_MAX = 1_000;

/** The texts at `_mta-sts.DOMAIN` (RFC 8461 3.1). More than one record of ours counts as none. */
export function readStsRecord(texts: readonly string[]): StsRecord {
  const ours = texts.filter((text) => /^v=STSv1[ \t]*;/.test(text));
  if (ours.length === 0) return { kind: "none", why: "no MTA-STS record" };
  if (ours.length > 1) return { kind: "none", why: "more than one MTA-STS record" };
  const fields = (ours[0] as string).split(";").map((field) => field.trim());
  const [id, ...further] = fields.filter((field) => field.startsWith("id="));
  const value = /^id=([a-z0-9]{1,32})$/i.exec(id ?? "")?.[1];
  if (value === undefined || further.length > 0)
    return { kind: "none", why: "the MTA-STS record has no proper id" };
  return { kind: "id", id: value };
}

/** The body of `mta-sts.txt` (RFC 8461 3.2). Of a field that stands twice the first counts; unknown fields are for others. */
export function readStsPolicy(text: string): ReadPolicy {
  const single = new Map<string, string>();
  const mx: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const field = /^([a-z0-9][a-z0-9_.-]{0,31}):[ \t]*(.*?)[ \t]*$/i.exec(line);
    if (field === null) {
      if (line.trim() === "") continue;
      return bad("a line is no field");
    }
    const [, name = "", value = ""] = field;
    if (name !== "mx") single.set(name, single.get(name) ?? value);
    else if (mx.length >= PATTERNS_MAX) return bad(`more than ${PATTERNS_MAX} hosts`);
    else mx.push(value.toLowerCase());
  }
  if (single.get("version") !== "STSv1") return bad("the version is not STSv1");
  const mode = (["enforce", "testing", "none"] as const).find((one) => one === single.get("mode"));
  if (mode === undefined) return bad("the mode is none of enforce, testing and none");
  const maxAge = single.get("max_age") ?? "";
  if (!/^\d{1,10}$/.test(maxAge)) return bad("max_age is no number of seconds");
  if (mx.length === 0 && mode !== "none") return bad("no mx is named");
  if (!mx.every(isPattern)) return bad("an mx is no host name");
  const maxAgeMs = Math.min(Number(maxAge), MAX_AGE_MAX_S) * 1000;
  return { kind: "policy", policy: { mode, maxAgeMs, mx } };
}

function bad(why: string): ReadPolicy {
  return { kind: "bad", why };
}

function isPattern(pattern: string): boolean {
  const host = pattern.startsWith("*.") ? pattern.slice(2) : pattern;
  return host.length <= NAME_MAX && host.split(".").every(isHostLabel);
}

/** RFC 8461 4.1. `host` as the MX record names it, in lower case. */
export function isListed({ mx }: Pick<StsPolicy, "mx">, host: string): boolean {
  const dot = host.indexOf(".");
  const parent = dot > 0 ? `*${host.slice(dot)}` : undefined;
  return mx.some((pattern) => pattern === host || pattern === parent);
}
