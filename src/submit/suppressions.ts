// /suppressions: addresses that get no mail. Resend's shapes; what is looked at comes from the reader, what changes goes to the queue.
import type { Context, Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { parseAddress } from "../mail/address.ts";
import type { CommandAnswer, Order } from "../mail/command.ts";
import {
  REASON_MAX,
  type SuppressionFilter,
  suppressionOrigins,
  type SuppressionView,
} from "../mail/suppression.ts";
import { answer } from "./answer.ts";
import { badField, type Fields, readFields } from "./fields.ts";
import type { Guard } from "./guard.ts";
import { answered } from "./operate.ts";
import { badParameter, limitOf, strangeParameter } from "./parameters.ts";
import { type Fault, ok, type Problem, problem, problemOf, type Result } from "./problem.ts";
import { type Ask, answerQuery } from "./read.ts";
import type { Spool } from "./spool.ts";

export interface SuppressionDeps {
  readonly ask: Ask;
  readonly order: Order;
  readonly spool: Pick<Spool, "read">;
  readonly clock: Clock;
}

/** Addresses of one batch: what one transaction does without keeping mail waiting. */
const SUPPRESS_BATCH_MAX = 1000;
const BATCH_BODY_BYTES = SUPPRESS_BATCH_MAX * 400;

type Added = SuppressionView & { readonly added: boolean };

export function addSuppressions<E extends object>(
  app: Hono<E>,
  deps: SuppressionDeps,
  keyed: Guard<E>,
): void {
  const { order, clock } = deps;
  const which = (context: Context<E>): string => wireOf(context.req.param("which") ?? "");
  app.get(
    "/suppressions",
    keyed(async (request) => {
      const filter = filterOf(new URL(request.url).searchParams);
      if (filter.kind === "problem") return filter;
      return answerQuery(request, deps, { ask: "suppressions", filter: filter.value });
    }),
  );
  app.post(
    "/suppressions",
    keyed(async (request) => {
      const fields = await readFields(request, clock, ["email", "reason"]);
      if (fields.kind === "problem") return fields;
      const entry = entryOf(fields.value);
      if (entry.kind === "problem") return entry;
      return added(request, await order({ do: "suppress.add", entries: [entry.value] }));
    }),
  );
  app.get(
    "/suppressions/:which",
    keyed(async (request, context) => {
      const query = { ask: "suppression", which: which(context) } as const;
      const said = await answerQuery(request, deps, query);
      return said.kind === "problem" && said.problem.name === "not_found" ? problem(none) : said;
    }),
  );
  app.delete(
    "/suppressions/:which",
    keyed(async (request, context) =>
      removed(request, await order({ do: "suppress.remove", which: [which(context)] })),
    ),
  );
  app.post(
    "/suppressions/batch/add",
    keyed(async (request) => {
      const fields = await readFields(request, clock, ["emails", "reason"], BATCH_BODY_BYTES);
      if (fields.kind === "problem") return fields;
      const entries = entriesOf(fields.value);
      if (entries.kind === "problem") return entries;
      const said = await order({ do: "suppress.add", entries: entries.value });
      return batchDone(request, 201, said, (rows: readonly Added[]) =>
        rows.map(({ id, email, added }) => ({ object: "suppression", id, email, added })),
      );
    }),
  );
  app.post(
    "/suppressions/batch/remove",
    keyed(async (request) => {
      const fields = await readFields(request, clock, ["emails", "ids"], BATCH_BODY_BYTES);
      if (fields.kind === "problem") return fields;
      const wanted = wantedOf(fields.value);
      if (wanted.kind === "problem") return wanted;
      const said = await order({ do: "suppress.remove", which: wanted.value });
      return batchDone(request, 200, said, (rows: readonly (SuppressionView | null)[]) =>
        rows.flatMap((row) => (row === null ? [] : [gone(row)])),
      );
    }),
  );
}

const gone = ({ id, email }: SuppressionView) => {
  return { object: "suppression", id, email, deleted: true } as const;
};

const none: Problem = { name: "not_found", detail: "This address is not suppressed." };

function added(request: Request, said: CommandAnswer): Result<Response> {
  if (said.kind !== "done") return answered(request, said);
  const [row] = said.value as readonly Added[];
  if (row === undefined) throw new Error("the queue answered for no address");
  // It may have stood there before: then its origin is not what was asked for, and the answer says so.
  return ok(answer(request, row.added ? 201 : 200, row));
}

function removed(request: Request, said: CommandAnswer): Result<Response> {
  if (said.kind !== "done") return answered(request, said);
  const [row] = said.value as readonly (SuppressionView | null)[];
  return row === undefined || row === null ? problem(none) : ok(answer(request, 200, gone(row)));
}

function batchDone<Row>(
  request: Request,
  status: number,
  said: CommandAnswer,
  shown: (rows: readonly Row[]) => readonly unknown[],
): Result<Response> {
  if (said.kind !== "done") return answered(request, said);
  return ok(answer(request, status, { data: shown(said.value as readonly Row[]) }));
}

interface Entry {
  readonly address: string;
  readonly reason: string;
}

function entryOf({ email, reason = "" }: Fields): Result<Entry> {
  const address = addressOf(email);
  if (address === undefined) return problem(badField("email", NO_ADDRESS));
  if (!isReason(reason)) return problem(badField("reason", BAD_REASON));
  return ok({ address, reason });
}

const NO_ADDRESS = "It must be one mail address, without a name.";
const BAD_REASON = `It must be text of at most ${REASON_MAX} characters.`;

function isReason(value: unknown): value is string {
  return typeof value === "string" && value.length <= REASON_MAX && !/[\0-\x1f\x7f]/.test(value);
}

/** In wire form. */
function addressOf(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  const parsed = parseAddress(value);
  return parsed.kind === "ok" ? parsed.value : undefined;
}

function entriesOf({ emails, reason = "" }: Fields): Result<readonly Entry[]> {
  if (!isReason(reason)) return problem(badField("reason", BAD_REASON));
  const list = listOf("emails", emails);
  if (list.kind === "problem") return list;
  const faults: Fault[] = [];
  const entries = list.value.flatMap((value, i) => {
    const address = addressOf(value);
    if (address !== undefined) return [{ address, reason }];
    faults.push({ pointer: `/emails/${i}`, code: "invalid_address", detail: NO_ADDRESS });
    return [];
  });
  return faults.length === 0 ? ok(entries) : problem(problemOf(faults));
}

/** What is on the list is found whatever it looks like: there is no harm in asking for what cannot be there. */
function wantedOf({ emails, ids }: Fields): Result<readonly string[]> {
  if ((emails === undefined) === (ids === undefined))
    return problem(badField("emails", "Give one of emails and ids."));
  const list = listOf(emails === undefined ? "ids" : "emails", emails ?? ids);
  if (list.kind === "problem") return list;
  return ok(list.value.map(wireOf));
}

/** An address in the spelling of the list; an id as it is. */
function wireOf(which: string): string {
  return addressOf(which) ?? which;
}

function listOf(field: string, value: unknown): Result<readonly string[]> {
  if (!Array.isArray(value) || value.length === 0 || value.length > SUPPRESS_BATCH_MAX)
    return problem(badField(field, `It must be a list of 1 to ${SUPPRESS_BATCH_MAX} texts.`));
  const strange = value.findIndex((one) => typeof one !== "string");
  return strange < 0
    ? ok(value as readonly string[])
    : problem(badField(field, `Item ${strange} is no text.`));
}

function filterOf(search: URLSearchParams): Result<SuppressionFilter> {
  const strange = strangeParameter(search, ["origin", "limit", "after", "before"]);
  if (strange !== undefined) return problem(strange);
  const origin = suppressionOrigins.find((one) => one === search.get("origin"));
  if (search.has("origin") && origin === undefined)
    return problem(badParameter("origin", `It must be one of ${suppressionOrigins.join(", ")}.`));
  const limit = limitOf(search);
  if (limit.kind === "problem") return limit;
  const [after, before] = [search.get("after"), search.get("before")];
  return ok({
    limit: limit.value,
    ...(origin === undefined ? {} : { origin }),
    ...(after === null ? {} : { after }),
    ...(before === null ? {} : { before }),
  });
}
