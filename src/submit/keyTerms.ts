// What a request says of an API key: read, checked, and held against what the asker may give away.
import { domainToASCII } from "node:url";
import type { EpochMs } from "../base/clock.ts";
import { type KeyTerms, parseKeyRate, type Scope, scopes } from "../mail/apiKey.ts";
import type { Domains } from "../mail/domain.ts";
import { type Caller, isWithin } from "./caller.ts";
import type { Fields } from "./fields.ts";
import {
  type Fault,
  ok,
  pointerOf,
  type Problem,
  problem,
  problemOf,
  type Result,
} from "./problem.ts";

export const keyFields = [
  ...["name", "permission", "domain_id", "scopes", "domains", "rate", "burst"],
  ...["daily_quota", "queue_max", "expires_at", "expires_in", "capture"],
] as const;

/** A key of which nothing else is said: Resend's full access. */
export const usualTerms: KeyTerms = {
  name: "",
  scopes,
  domains: null,
  rate: null,
  burst: null,
  dailyQuota: null,
  queueMax: null,
  expiresAt: null,
  capture: false,
};

const NAME_MAX = 60;
const DOMAINS_MAX = 100;
const COUNT_MAX = 1_000_000_000;
const LIFE_MAX_MS = 10 * 366 * 86_400_000;

type Reader = (value: unknown, now: EpochMs) => Partial<KeyTerms> | string;

/** A text says what is wrong with the field. */
const readers: Readonly<Record<string, Reader>> = {
  name(value) {
    const good =
      typeof value === "string" && value.length <= NAME_MAX && /^\P{C}*\S\P{C}*$/u.test(value);
    return good ? { name: value } : `It must be a text of at most ${NAME_MAX} characters.`;
  },
  permission(value) {
    if (value === "full_access") return { scopes };
    if (value === "sending_access") return { scopes: ["send"] };
    return "It must be full_access or sending_access.";
  },
  scopes(value) {
    const list = Array.isArray(value) ? (value as unknown[]) : [];
    const good = list.length > 0 && list.every((one) => scopes.includes(one as Scope));
    if (!good) return "It must be a list of: send, read, manage.";
    return { scopes: scopes.filter((scope) => list.includes(scope)) };
  },
  domains(value) {
    if (value === null) return { domains: null };
    const list = Array.isArray(value) ? (value as unknown[]) : [];
    const names = list.map((one) => (typeof one === "string" ? domainOf(one) : ""));
    if (names.length === 0 || names.length > DOMAINS_MAX || names.includes(""))
      return `It must be a list of 1 to ${DOMAINS_MAX} domains such as example.com, or null.`;
    return { domains: [...new Set(names)] };
  },
  rate(value) {
    if (value === null) return { rate: null };
    const rate = typeof value === "string" ? parseKeyRate(value) : undefined;
    return rate === undefined ? "It must be a rate such as 5/s or 100/m, or null." : { rate };
  },
  burst: count((burst) => ({ burst })),
  daily_quota: count((dailyQuota) => ({ dailyQuota })),
  queue_max: count((queueMax) => ({ queueMax })),
  expires_at(value, now) {
    if (value === null) return { expiresAt: null };
    const at = typeof value === "string" && ISO.test(value) ? Date.parse(value) : NaN;
    const good = at > now && at <= now + LIFE_MAX_MS;
    return good ? { expiresAt: at } : "It must be a time to come, such as 2030-01-31T12:00:00Z.";
  },
  expires_in(value, now) {
    const match = typeof value === "string" ? /^(\d{1,5})([smhd])$/.exec(value) : null;
    const lifeMs = Number(match?.[1]) * (UNITS[match?.[2] ?? ""] ?? NaN);
    const good = lifeMs > 0 && lifeMs <= LIFE_MAX_MS;
    return good ? { expiresAt: now + lifeMs } : "It must be a duration such as 12h or 90d.";
  },
  capture: (value) =>
    typeof value === "boolean" ? { capture: value } : "It must be true or false.",
};

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/;
const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function count(make: (value: number | null) => Partial<KeyTerms>): Reader {
  return (value) => {
    const good = Number.isInteger(value) && (value as number) > 0 && (value as number) <= COUNT_MAX;
    if (value === null || good) return make(value as number | null);
    return "It must be a whole number above 0, or null.";
  };
}

/** In wire form; empty when it is no domain. */
function domainOf(text: string): string {
  const name = domainToASCII(text.replace(/\.$/, "")).toLowerCase();
  return /^(?=.{1,253}$)[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) && !/^[\d.]+$/.test(name)
    ? name
    : "";
}

/** What is said of a key, and nothing else; each field that is wrong is told. */
export function readTerms(
  fields: Fields,
  { domains }: { readonly domains: Pick<Domains, "get"> },
  now: EpochMs,
): Result<Partial<KeyTerms>> {
  const faults: Fault[] = [];
  const wrong = (field: string, detail: string): void =>
    void faults.push({ pointer: pointerOf([field]), code: "invalid_value", detail });
  for (const [one, other] of exclusive)
    if (fields[one] !== undefined && fields[other] !== undefined)
      wrong(one, `It and ${other} say the same thing: give one of them.`);
  let terms: Partial<KeyTerms> = {};
  for (const [field, value] of Object.entries(fields)) {
    const read = field === "domain_id" ? domainById(value, domains) : readers[field]?.(value, now);
    if (read === undefined || typeof read === "string") wrong(field, read ?? "It is not known.");
    else terms = { ...terms, ...read };
  }
  return faults.length === 0 ? ok(terms) : problem(problemOf(faults));
}

function domainById(id: unknown, domains: Pick<Domains, "get">): Partial<KeyTerms> | string {
  if (id === null) return {};
  const found = typeof id === "string" ? domains.get(id) : undefined;
  if (found?.kind !== "domain") return "There is no such domain: see GET /domains.";
  return { domains: [found.view.name] };
}

const exclusive = [
  ["permission", "scopes"],
  ["domain_id", "domains"],
  ["expires_at", "expires_in"],
] as const;

/** A key makes, changes and revokes only what could do no more than itself: else `manage` would be every scope and every domain. */
export function mayGrant(
  { scopes: own, domains, capture }: Pick<Caller, "scopes" | "domains" | "capture">,
  terms: Pick<KeyTerms, "scopes" | "domains" | "capture">,
): Problem | undefined {
  const beyond = terms.scopes.find((scope) => !own.has(scope));
  if (beyond !== undefined) return refused(`it lacks the scope "${beyond}" itself`);
  if (capture && !terms.capture) return refused("what it sends is captured, and so must be theirs");
  if (domains === null) return undefined;
  const foreign =
    terms.domains === null
      ? "all domains"
      : terms.domains.find((one) => !domains.some((parent) => isWithin(one, parent)));
  return foreign === undefined ? undefined : refused(`it may not send from ${foreign} itself`);
}

function refused(why: string): Problem {
  return {
    name: "restricted_api_key",
    detail: `This API key may not do that to this key: ${why}.`,
  };
}
