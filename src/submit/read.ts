// What may be asked of mail that was taken: lists, one message, its timeline, its source, the queue. The reader thread answers
// in the API's own shapes; here the answer only gets its status.
import { iso } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import type { Answer, ListFilter, Query } from "../mail/query.ts";
import { type StateName, recipientStates } from "../mail/state.ts";
import { RAW_TYPE, answer } from "./answer.ts";
import { wireDomain } from "./operate.ts";
import { badParameter, instantOf, limitOf, strangeParameter } from "./parameters.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";
import type { Spool } from "./spool.ts";

const BUSY_RETRY_S = 2;

/** Answers within its own time; what the reader cannot answer comes back as `busy`. */
export type Ask = (query: Query) => Promise<Answer>;

export async function answerQuery(
  request: Request,
  { ask, spool }: { readonly ask: Ask; readonly spool: Pick<Spool, "read"> },
  query: Query,
): Promise<Result<Response>> {
  const said = await ask(query);
  switch (said.kind) {
    case "found":
      return ok(answer(request, 200, said.view));
    case "bytes":
      return ok(new Response(said.bytes as Uint8Array<ArrayBuffer>, { headers: rawHeaders }));
    case "spooled": {
      const bytes = await spool.read(said.file);
      if (bytes === undefined) return problem(gone);
      const headers = { ...rawHeaders, "content-length": String(said.sizeBytes) };
      return ok(new Response(bytes, { headers }));
    }
    case "missing":
      return problem(noSuchEmail);
    case "gone":
      return problem(gone);
    case "busy":
      return problem(readerBusy);
    case "invalid":
      return problem(badParameter(said.field, said.detail));
    default:
      return unreachable(said);
  }
}

export const rawHeaders = {
  "content-type": RAW_TYPE,
  // Foreign content: never shown as a page of ours.
  "content-disposition": "attachment",
  "x-content-type-options": "nosniff",
} as const;

const texts = [
  "to",
  "from",
  "domain",
  "tag",
  "reference",
  "message_id",
  "trace",
  "after",
  "before",
] as const;
const times = ["since", "until"] as const;
const known = [...texts, ...times, "status", "limit"];

/** The query of GET /emails. */
export function readFilter(search: URLSearchParams): Result<ListFilter> {
  const strange = strangeParameter(search, known);
  if (strange !== undefined) return problem(strange);
  const limit = limitOf(search);
  if (limit.kind === "problem") return limit;
  const filter: { -readonly [K in keyof ListFilter]: ListFilter[K] } = { limit: limit.value };
  for (const name of texts) {
    const value = search.get(name);
    if (value !== null) filter[name] = value;
  }
  // As it is kept, and as who copies it from elsewhere may leave it.
  if (filter.message_id !== undefined)
    filter.message_id = `<${filter.message_id.trim().replace(/^<|>$/g, "")}>`;
  if (filter.domain !== undefined) {
    filter.domain = wireDomain(filter.domain);
    if (filter.domain === "") return problem(badParameter("domain", "It is no domain name."));
  }
  for (const name of times) {
    const at = instantOf(search, name);
    if (at.kind === "problem") return at;
    if (at.value !== undefined) filter[name] = iso(at.value);
  }
  const status = search.get("status");
  if (status !== null) {
    if (status !== "dead" && !(recipientStates as readonly string[]).includes(status))
      return problem(badParameter("status", `It must be one of ${recipientStates.join(", ")}.`));
    filter.status = status as StateName | "dead";
  }
  return ok(filter);
}

/** The query of a timeline: whether it is told with what was said. */
export function readSmtp(search: URLSearchParams): Result<{ readonly smtp?: true }> {
  const strange = strangeParameter(search, ["smtp"]);
  if (strange !== undefined) return problem(strange);
  const smtp = search.get("smtp") ?? "0";
  if (smtp !== "0" && smtp !== "1")
    return problem(badParameter("smtp", "It must be 1 for the dialogues, or 0."));
  return ok(smtp === "1" ? { smtp: true } : {});
}

const noSuchEmail: Problem = {
  name: "not_found",
  detail: "There is no message with this id: it never was, or its history has been cleared.",
};
const gone: Problem = {
  name: "gone",
  detail:
    "The bytes of this message are no longer kept: they go with the last final state, those of " +
    "bounced and expired mail after dead_letter_days.",
};
export const readerBusy: Problem = {
  name: "busy",
  detail: "The reader did not answer in time. Try again.",
  retryAfterS: BUSY_RETRY_S,
};
