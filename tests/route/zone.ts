// A zone written as `"MX a.test": [...]`, asked without any network: what is not there does not exist.
import type { Clock } from "../../src/base/clock.ts";
import type { Answer, Lookup } from "../../src/dns/answer.ts";

/** `secured`: DNSSEC vouches for it; `owner`: an alias led there. */
export interface Secured {
  readonly records: readonly unknown[] | "nxdomain" | "nodata";
  readonly secure?: boolean;
  readonly owner?: string;
}

export type Said = readonly unknown[] | "nxdomain" | "nodata" | "fails" | Secured;
export type Zone = Record<string, Said>;

export const TTL_MS = 60_000;

export const secured = (...records: readonly unknown[]): Secured => ({ records, secure: true });

export interface ZoneLookup {
  readonly lookup: Lookup;
  readonly asked: string[];
}

export function zoneLookup(clock: Pick<Clock, "now">, zone: Zone): ZoneLookup {
  const asked: string[] = [];
  const lookup = ((type: string, name: string): Answer<unknown> => {
    const key = `${type} ${name}`;
    asked.push(key);
    const said = zone[key] ?? "nxdomain";
    const freshUntil = clock.now() + TTL_MS;
    if (said === "fails") return { kind: "unknown", why: `${key} SERVFAIL`, freshUntil };
    const { records, secure = false, owner } = isSecured(said) ? said : { records: said };
    if (typeof records === "string") return { kind: "none", why: records, freshUntil, secure };
    const own = owner === undefined ? {} : { owner };
    return { kind: "found", records, freshUntil, secure, ...own };
  }) as Lookup;
  return { lookup, asked };
}

function isSecured(said: Exclude<Said, "fails">): said is Secured {
  return typeof said === "object" && "records" in said;
}
