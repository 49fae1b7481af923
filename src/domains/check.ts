// What the DNS says of a domain beside what it should say. Nothing here fails: whatever was not learnt is a status too.
import type { Answer } from "../dns/answer.ts";
import type { DomainRecord, RecordStatus } from "../mail/domain.ts";
import { mechanisms, type Origin, type Wanted } from "./records.ts";

/** A question to the DNS itself, past every cache: whoever asks has just changed something. */
export type Look = (type: "TXT" | "A" | "AAAA", name: string) => Promise<Answer<string>>;

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
  // Reverse zones are asked by doctor, which knows each source address.
  if (type === "PTR") return { status: "not_started", detail: wanted.detail };
  const answer = await look(type, name);
  if (answer.kind === "unknown")
    return { status: "temporary_failure", detail: `The DNS does not answer: ${answer.why}.` };
  const found = answer.kind === "found" ? answer.records : [];
  switch (wanted.record) {
    case "DKIM":
      return judgeKey(found, value);
    case "SPF":
      return judgeSpf(found, origin);
    case "DMARC":
      return judgeDmarc(found);
    default:
      return found.includes(value)
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

/** RFC 7208 4.5, 4.6.1: one record, terms apart by spaces. */
function judgeSpf(found: readonly string[], origin: Origin): Finding {
  const records = found.filter((text) => /^v=spf1( |$)/i.test(text));
  const [record, ...more] = records;
  if (record === undefined) return failed("Nothing is there yet.");
  if (more.length > 0) return failed(nothingOr(records, "More than one record is there"));
  const terms = record
    .toLowerCase()
    .split(/ +/)
    .map((term) => term.replace(/^\+/, ""));
  const wanted = mechanisms(origin);
  if (wanted.length === 0 || wanted.some((one) => terms.includes(one.toLowerCase())))
    return verified;
  return failed(`Add ${wanted.join(" ")} to what is there: ${JSON.stringify(record)}.`);
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
