// What the DNS says of a domain beside what it should say. Nothing here fails: whatever was not learnt is a status too.
import { ipFamily, parseIp } from "../base/cidr.ts";
import type { Answer, RecordOf } from "../dns/answer.ts";
import type { DomainRecord, RecordStatus } from "../mail/domain.ts";
import { mechanisms, type Origin, reverseName, type Wanted } from "./records.ts";
import { checkSpf, isSpf } from "./spf.ts";

/** A question to the DNS itself, past every cache: whoever asks has just changed something. */
export type Look = <K extends "TXT" | "A" | "AAAA" | "MX" | "PTR">(
  type: K,
  name: string,
) => Promise<Answer<RecordOf[K]>>;

interface Finding {
  readonly status: RecordStatus;
  readonly detail: string;
}

export function checkRecords(
  wanted: readonly Wanted[],
  origin: Origin,
  look: Look,
): Promise<readonly DomainRecord[]> {
  return Promise.all(
    wanted.map(async (one) => {
      const { status, detail } = await check(one, origin, look);
      return { ...one, status, detail };
    }),
  );
}

async function check(wanted: Wanted, origin: Origin, look: Look): Promise<Finding> {
  const { type, name, value } = wanted;
  const answer = await look(type, name);
  if (answer.kind === "unknown")
    return { status: "temporary_failure", detail: `The DNS does not answer: ${answer.why}.` };
  const found = answer.kind === "found" ? answer.records : [];
  switch (wanted.record) {
    case "DKIM":
      return judgeKey(found, value);
    case "SPF":
      return judgeSpf(name, found, origin, look);
    case "DMARC":
      return judgeDmarc(found);
    case "PTR":
      return judgeName(wanted, found, origin, look);
    default:
      return found.some((address) => isSame(address, value))
        ? verified
        : failed(nothingOr(found, "The name leads elsewhere"));
  }
}

const verified: Finding = { status: "verified", detail: "" };
const failed = (detail: string): Finding => ({ status: "failed", detail });

const SHOWN_MAX = 200;

function nothingOr(found: readonly string[], what: string): string {
  if (found.length === 0) return "Nothing is there yet.";
  const shown = found.map((text) => JSON.stringify(text)).join(", ");
  return `${what}: ${shown.length > SHOWN_MAX ? `${shown.slice(0, SHOWN_MAX)}...` : shown}.`;
}

/** RFC 6376 3.6.1: unknown tags are passed over, white space within the key means nothing. */
function judgeKey(found: readonly string[], value: string): Finding {
  const [key, ...more] = found;
  if (key === undefined) return failed(nothingOr(found, ""));
  // RFC 6376 3.6.2.2: the result is undefined, and verifiers differ.
  if (more.length > 0) return failed(nothingOr(found, "More than one record is there"));
  const there = tagsOf(key);
  const should = tagsOf(value);
  if (there.get("p") === "") return failed("The key there is revoked: p= is empty.");
  if (there.get("p") !== should.get("p")) return failed(nothingOr(found, "Another key is there"));
  if ((there.get("k") ?? "rsa") !== should.get("k"))
    return failed(nothingOr(found, `k=${should.get("k")} is missing`));
  if (there.get("t")?.split(":").includes("y") === true)
    return {
      status: "verified",
      detail: "t=y says that signatures are only tried out: remove it.",
    };
  return verified;
}

function tagsOf(record: string): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const part of record.split(";")) {
    const at = part.indexOf("=");
    if (at > 0) tags.set(part.slice(0, at).trim(), part.slice(at + 1).replace(/\s+/g, ""));
  }
  return tags;
}

/** What a receiver will find for every address that mail is known to leave from. */
async function judgeSpf(
  domain: string,
  found: readonly string[],
  origin: Origin,
  look: Look,
): Promise<Finding> {
  const records = found.filter(isSpf);
  const [record, ...more] = records;
  if (record === undefined) return failed("Nothing is there yet.");
  if (more.length > 0) return failed(nothingOr(records, "More than one record is there"));
  const wanted = mechanisms(origin);
  const addresses = await addressesOf(origin, look);
  const refused: string[] = [];
  for (const address of addresses) {
    const result = await checkSpf(domain, address, look);
    if (result === "temperror")
      return { status: "temporary_failure", detail: "The DNS does not answer for a name in it." };
    if (result === "permerror") return failed(nothingOr(records, "It cannot be evaluated"));
    if (result !== "pass") refused.push(`${address} (${result})`);
  }
  const names = record
    .toLowerCase()
    .split(/ +/)
    .map((term) => term.replace(/^\+/, ""));
  const named = wanted.some((one) => names.includes(one.toLowerCase()));
  if (refused.length === 0 && (addresses.length > 0 || wanted.length === 0 || named))
    return verified;
  const whom = refused.length === 0 ? "" : ` It does not let mail come from ${refused.join(", ")}.`;
  return failed(`Add ${wanted.join(" ")} to what is there: ${JSON.stringify(record)}.${whom}`);
}

/** Addresses that are not known are those of the names that mail leaves by. */
async function addressesOf(
  { hostname, addresses, relays }: Origin,
  look: Look,
): Promise<readonly string[]> {
  if (relays.length === 0 && addresses.length > 0) return addresses.map((one) => one.address);
  const names = relays.length > 0 ? relays : hostname === null ? [] : [hostname];
  const all: string[] = [];
  for (const name of names) {
    if (ipFamily(name) !== 0) all.push(name);
    else
      for (const type of ["A", "AAAA"] as const) {
        const answer = await look(type, name);
        if (answer.kind === "found") all.push(...answer.records);
      }
  }
  return all;
}

/** Names of one address that are followed. */
const NAMES_MAX = 5;

/**
 * The name of an address that mail leaves from has to lead back to it (RFC 1912 2.1): large providers refuse mail from others. That it is
 * the name that EHLO says is better, and less often asked for.
 */
async function judgeName(
  { name, value, detail: remedy }: Wanted,
  found: readonly string[],
  { addresses }: Origin,
  look: Look,
): Promise<Finding> {
  if (found.length === 0)
    return failed(`The address has no name, and many servers take no mail from it. ${remedy}`);
  const address = addresses.find((one) => reverseName(one.address) === name)?.address ?? "";
  const back: string[] = [];
  for (const one of found.slice(0, NAMES_MAX)) {
    const answer = await look(ipFamily(address) === 4 ? "A" : "AAAA", one);
    if (answer.kind === "unknown")
      return { status: "temporary_failure", detail: `The DNS does not answer for ${one}.` };
    if (answer.kind === "found" && answer.records.some((other) => isSame(other, address)))
      back.push(one);
  }
  const names = found.slice(0, NAMES_MAX).join(" and ");
  const isPlural = found.length > 1;
  if (back.length === 0)
    return failed(
      `The address is named ${names}, which ${isPlural ? "do" : "does"} not lead back to it. ${remedy}`,
    );
  if (back.includes(value.toLowerCase())) return verified;
  const detail = `The address is named ${names}; EHLO says ${value}: set both to one name.`;
  return { status: "verified", detail };
}

/** One address may be written in several ways. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [parseIp(one), parseIp(other)];
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}

function judgeDmarc(found: readonly string[]): Finding {
  const records = found.filter((text) => /^v=DMARC1\s*(;|$)/i.test(text));
  const [record, ...more] = records;
  if (record === undefined) return failed(nothingOr(found, "No DMARC record is there"));
  if (more.length > 0) return failed(nothingOr(records, "More than one record is there"));
  const policy = tagsOf(record).get("p")?.toLowerCase() ?? "none";
  return ["none", "quarantine", "reject"].includes(policy)
    ? verified
    : failed(nothingOr(records, "The policy is not known"));
}

/** Of all that is needed; addresses and their names are advice. */
export function overall(records: readonly DomainRecord[]): RecordStatus {
  const needed = records.filter(({ record }) => record !== "PTR" && record !== "EHLO");
  for (const status of ["failed", "temporary_failure", "not_started"] as const)
    if (needed.some((one) => one.status === status)) return status;
  return "verified";
}
