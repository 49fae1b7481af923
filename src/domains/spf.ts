// Whether SPF lets a domain's mail come from an address (RFC 7208 4): what a receiver will find, asked by ourselves. Macros are not
// expanded, since they stand for a sender that there is not: a term that holds one matches nothing.
import { inRanges, ipFamily, parseCidr } from "../base/cidr.ts";
import type { Answer, RecordOf } from "../dns/answer.ts";

export type SpfLook = <K extends "TXT" | "A" | "AAAA" | "MX">(
  type: K,
  name: string,
) => Promise<Answer<RecordOf[K]>>;

export type SpfResult =
  "pass" | "fail" | "softfail" | "neutral" | "none" | "temperror" | "permerror";

/** RFC 7208 4.6.4: terms that ask the DNS, in all records together; and the hosts of one mx. */
const LOOKUPS_MAX = 10;
const MX_HOSTS_MAX = 10;

interface Check {
  readonly address: string;
  readonly look: SpfLook;
  lookups: number;
}

/** Ends the check; never leaves this file. */
class Stop {
  readonly result: "temperror" | "permerror";
  constructor(result: "temperror" | "permerror") {
    this.result = result;
  }
}

export async function checkSpf(domain: string, address: string, look: SpfLook): Promise<SpfResult> {
  try {
    return await evaluate({ address, look, lookups: 0 }, domain);
  } catch (stop) {
    if (stop instanceof Stop) return stop.result;
    throw stop;
  }
}

/** RFC 7208 4.5. */
export function isSpf(text: string): boolean {
  return /^v=spf1( |$)/i.test(text);
}

async function evaluate(check: Check, domain: string): Promise<SpfResult> {
  const records = (await found(check, "TXT", domain)).filter(isSpf);
  if (records.length > 1) throw new Stop("permerror");
  const [record] = records;
  if (record === undefined) return "none";
  let redirect: string | undefined;
  for (const term of record.toLowerCase().split(/ +/).slice(1)) {
    const modifier = /^([a-z][a-z0-9._-]*)=(.*)$/.exec(term);
    if (modifier !== null) {
      if (modifier[1] === "redirect") redirect = modifier[2];
    } else if (term !== "" && (await matches(check, domain, term.replace(/^[-+?~]/, ""))))
      return resultOf(term);
  }
  if (redirect === undefined) return "neutral";
  count(check);
  const result = await evaluate(check, redirect);
  return result === "none" ? "permerror" : result;
}

function resultOf(term: string): SpfResult {
  if (term.startsWith("-")) return "fail";
  if (term.startsWith("~")) return "softfail";
  return term.startsWith("?") ? "neutral" : "pass";
}

/** RFC 7208 5. */
async function matches(check: Check, domain: string, mechanism: string): Promise<boolean> {
  const parts = /^([a-z0-9]+)(?::([^/]*))?((?:\/\d+)?(?:\/\/\d+)?)$/.exec(mechanism);
  const address = /^ip[46]:(.+)$/.exec(mechanism)?.[1];
  if (address !== undefined) {
    const range = parseCidr(address);
    if (range === undefined) throw new Stop("permerror");
    return inRanges([range], check.address);
  }
  if (parts === null) throw new Stop("permerror");
  const [, name = "", given, lengths = ""] = parts;
  const target = given ?? domain;
  if (target.includes("%")) return false;
  switch (name) {
    case "all":
      return true;
    case "include": {
      count(check);
      const result = await evaluate(check, target);
      if (result === "none") throw new Stop("permerror");
      return result === "pass";
    }
    case "a":
      count(check);
      return leadsToUs(check, target, lengths);
    case "mx": {
      count(check);
      for (const { exchange } of (await found(check, "MX", target)).slice(0, MX_HOSTS_MAX))
        if (await leadsToUs(check, exchange, lengths)) return true;
      return false;
    }
    case "exists":
      count(check);
      return (await found(check, "A", target)).length > 0;
    case "ptr":
      // Not to be used (RFC 7208 5.5), and many receivers take it for no match.
      count(check);
      return false;
    default:
      throw new Stop("permerror");
  }
}

async function leadsToUs(check: Check, host: string, lengths: string): Promise<boolean> {
  const family = ipFamily(check.address);
  const [, four, six] = /^(?:\/(\d+))?(?:\/\/(\d+))?$/.exec(lengths) ?? [];
  const bits = family === 4 ? (four ?? "32") : (six ?? "128");
  return (await found(check, family === 4 ? "A" : "AAAA", host)).some((one) => {
    const range = parseCidr(`${one}/${bits}`);
    return range !== undefined && inRanges([range], check.address);
  });
}

function count(check: Check): void {
  if (++check.lookups > LOOKUPS_MAX) throw new Stop("permerror");
}

async function found<K extends "TXT" | "A" | "AAAA" | "MX">(
  { look }: Check,
  type: K,
  name: string,
): Promise<readonly RecordOf[K][]> {
  const answer = await look(type, name);
  if (answer.kind === "unknown") throw new Stop("temperror");
  return answer.kind === "found" ? answer.records : [];
}
