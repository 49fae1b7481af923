// Every refusal of the door in one shape: problem+json (RFC 9457) with Resend's members beside it, so that its package shows our
// words. All faults of a body are told at once, each with the place, a code and what to do.

import type { RawFault } from "../mail/raw/header.ts";

/** One error name, its status and its title. The names are fixed by the API's contract. */
const errors = {
  invalid_idempotency_key: { status: 400, title: "The idempotency key is not valid" },
  invalid_json: { status: 400, title: "The body cannot be read" },
  missing_api_key: { status: 401, title: "No API key" },
  restricted_api_key: { status: 401, title: "The API key may not do this" },
  session_ended: { status: 401, title: "Not logged in any more" },
  cross_site_request: { status: 403, title: "Not asked by the dashboard" },
  invalid_api_key: { status: 403, title: "Unknown API key" },
  not_found: { status: 404, title: "Not found" },
  client_not_allowed: { status: 403, title: "Clients at this address are not heard" },
  domain_not_allowed: { status: 403, title: "The API key may not send from this domain" },
  method_not_allowed: { status: 405, title: "Method not allowed" },
  request_timeout: { status: 408, title: "The body came too slowly" },
  invalid_idempotent_request: { status: 409, title: "The idempotency key was used before" },
  concurrent_idempotent_requests: { status: 409, title: "The same request is under way" },
  not_cancelable: { status: 409, title: "Too late for that" },
  not_retryable: { status: 409, title: "It cannot be tried again" },
  conflict: { status: 409, title: "Not possible as things stand" },
  gone: { status: 410, title: "No longer kept" },
  message_too_large: { status: 413, title: "Message too large" },
  unsupported_media_type: { status: 415, title: "Unsupported content type" },
  validation_error: { status: 422, title: "Validation failed" },
  missing_required_field: { status: 422, title: "A required field is missing" },
  invalid_attachment: { status: 422, title: "An attachment is not valid" },
  unsupported_field: { status: 422, title: "A field is not supported" },
  rate_limit_exceeded: { status: 429, title: "Too many requests" },
  daily_quota_exceeded: { status: 429, title: "The quota of the day is used" },
  internal_server_error: { status: 500, title: "Internal error" },
  busy: { status: 503, title: "Too busy to answer" },
  queue_full: { status: 503, title: "The queue is full" },
  disk_low: { status: 503, title: "The disk is full" },
  memory_low: { status: 503, title: "Memory is short" },
  draining: { status: 503, title: "The daemon is stopping" },
} as const satisfies Record<string, { readonly status: number; readonly title: string }>;

export type ErrorName = keyof typeof errors;

export const errorNames = Object.keys(errors) as readonly ErrorName[];

export function statusOf(name: ErrorName): number {
  return errors[name].status;
}

export function titleOf(name: ErrorName): string {
  return errors[name].title;
}

/** One thing that is wrong with a body: where (a JSON pointer, RFC 6901), what kind, and what to do. */
export interface Fault {
  readonly pointer: string;
  readonly code: FaultCode;
  readonly detail: string;
}

export type FaultCode =
  | RawFault["code"]
  | "missing_required_field"
  | "unknown_field"
  | "unsupported_field"
  | "invalid_type"
  | "invalid_value"
  | "invalid_address"
  | "invalid_header"
  | "invalid_attachment"
  | "invalid_time"
  | "conflict"
  | "too_long"
  | "too_many"
  | "domain_not_allowed"
  | "message_too_large";

export interface Problem {
  readonly name: ErrorName;
  /** A sentence, with the remedy. */
  readonly detail: string;
  readonly faults?: readonly Fault[];
  readonly retryAfterS?: number;
  /** The name of the limit that was reached: a setting, or a limit of the API key. */
  readonly limit?: string | undefined;
  /** The methods that a path takes, for 405. */
  readonly allow?: string;
  /** The connection is of no use afterwards: a body was left unread. */
  readonly close?: boolean;
}

/** The problem of one message, told as that of the body in which it lies at `path`. */
export function problemAt(problem: Problem, path: readonly PropertyKey[]): Problem {
  const { name, detail, faults = [] } = problem;
  const base = pointerOf(path);
  const told = faults.map((fault) => ({ ...fault, pointer: base + fault.pointer }));
  if (name === "message_too_large") told.push({ pointer: base, code: name, detail });
  return told.length === 0 ? problem : { ...problem, ...problemOf(told), name };
}

/** How many faults are told; a hostile body may hold a million. */
export const FAULTS_MAX = 100;

/** The name that says most: a kind of its own when all faults are of that kind. */
export function problemOf(faults: readonly Fault[]): Problem {
  // What is missing beside a field that is not supported, such as a template, may have been meant to come from it.
  const first = (faults.find(({ code }) => code === "unsupported_field") ?? faults[0]) as Fault;
  const own =
    first.code === "missing_required_field" ||
    first.code === "invalid_attachment" ||
    first.code === "unsupported_field";
  const name =
    own && faults.every((fault) => fault.code === first.code)
      ? (first.code as ErrorName)
      : "validation_error";
  const more = faults.length === 1 ? "" : ` (and ${faults.length - 1} more)`;
  const told = faults.slice(0, FAULTS_MAX).map(wellFormed);
  // A name that is cut may end in half of a pair, too.
  return { name, detail: `${named(first).toWellFormed()}${more}`, faults: told };
}

/** Half of a surrogate pair may stand in what a fault names, and CBOR has no such text. */
function wellFormed({ pointer, code, detail }: Fault): Fault {
  return { pointer: pointer.toWellFormed(), code, detail: detail.toWellFormed() };
}

/** Some callers see the sentence alone, so it says which field it means: `to[1]`, as people write it. */
function named({ pointer, detail }: Fault): string {
  const [first = "", ...rest] = pointer
    .replace(/^[/?]/, "")
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (first === "") return detail;
  const steps = rest.map((step) => (/^\d+$/.test(step) ? `[${step}]` : `.${step}`));
  const name = ((/^\d+$/.test(first) ? `[${first}]` : first) + steps.join("")).slice(0, STEP_MAX);
  return detail.includes(name) ? detail : `${name}: ${detail}`;
}

/** The body of the answer; `instance` is the path that was asked. */
export function problemBody(problem: Problem, instance: string, requestId: string): object {
  const { status, title } = errors[problem.name];
  return {
    type: `/docs#${problem.name}`,
    title,
    status,
    detail: problem.detail,
    instance,
    request_id: requestId,
    name: problem.name,
    message: problem.detail,
    statusCode: status,
    ...limitOf(problem),
    ...(problem.faults === undefined ? {} : { errors: problem.faults }),
  };
}

/** The setting behind a refusal that has but one. */
const usualLimits: Partial<Readonly<Record<ErrorName, string>>> = {
  queue_full: "queue_max_messages",
  disk_low: "disk_reserve",
  memory_low: "memory_limit",
  daily_quota_exceeded: "daily_quota",
  message_too_large: "max_message_bytes",
};

function limitOf({ name, limit = usualLimits[name] }: Problem): { readonly limit?: string } {
  return limit === undefined ? {} : { limit };
}

export function problemHeaders(problem: Problem): Record<string, string> {
  const headers: Record<string, string> = {};
  if (problem.retryAfterS !== undefined) headers["retry-after"] = String(problem.retryAfterS);
  if (problem.allow !== undefined) headers["allow"] = problem.allow;
  if (problem.close === true) headers["connection"] = "close";
  if (statusOf(problem.name) === 401) headers["www-authenticate"] = 'Bearer realm="postrider"';
  return headers;
}

/** What a step of the door gives back when it may fail. */
export type Result<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "problem"; readonly problem: Problem };

export function ok<T>(value: T): Result<T> {
  return { kind: "ok", value };
}

export function problem(problem: Problem): {
  readonly kind: "problem";
  readonly problem: Problem;
} {
  return { kind: "problem", problem };
}

/** How much of a name is said back: a hostile body may hold many that are a megabyte long. */
const STEP_MAX = 100;

function stepOf(step: PropertyKey): string {
  const text = String(step);
  const shown = text.length > STEP_MAX ? `${text.slice(0, STEP_MAX)}…` : text;
  return `/${shown.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** A JSON pointer, escaped (RFC 6901 3). */
export function pointerOf(path: readonly PropertyKey[]): string {
  return path.map(stepOf).join("");
}
