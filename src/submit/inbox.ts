// The built-in inbox: what `capture` and `*@postrider.test` took, so that a test suite can send and read back without a mail server.
// `Prefer: wait=10` makes a list wait until there is something in it.
import type { Hono } from "hono";
import { type Clock, sleep } from "../base/clock.ts";
import type { InboxFilter, InboxItem, ListView } from "../mail/query.ts";
import { answer } from "./answer.ts";
import type { Guard } from "./guard.ts";
import type { InboxFiles } from "./inboxFiles.ts";
import { limitOf, strangeParameter } from "./parameters.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import { type Ask, answerQuery, rawHeaders, readerBusy } from "./read.ts";
import type { Spool } from "./spool.ts";
import { preferredWait } from "./wait.ts";

export interface InboxDeps {
  readonly ask: Ask;
  readonly clock: Clock;
  readonly inbox: InboxFiles;
  readonly spool: Pick<Spool, "read">;
}

/** Requests that wait at a time; one more is answered at once, as if it had not asked. */
const WAITING_MAX = 50;
const LOOK_EVERY_MS = 100;

export function addInbox<E extends object>(app: Hono<E>, deps: InboxDeps, keyed: Guard<E>): void {
  let waiting = 0;
  app.get(
    "/inbox",
    keyed(async (request) => {
      const filter = readFilter(new URL(request.url).searchParams);
      if (filter.kind === "problem") return filter;
      const waitS = preferredWait(request.headers.get("prefer") ?? "");
      const untilMs = deps.clock.monotonicMs() + waitS * 1000;
      const query = { ask: "inbox", filter: filter.value } as const;
      if (waitS > 0 && waiting < WAITING_MAX) {
        waiting++;
        try {
          await filled(deps, query.filter, untilMs, request.signal);
        } finally {
          waiting--;
        }
      }
      return answerQuery(request, deps, query);
    }),
  );
  app.get(
    "/inbox/:id",
    keyed(async (request, context) => {
      const id = context.req.param("id") ?? "";
      const said = await deps.ask({ ask: "inboxMessage", id });
      if (said.kind === "found") return ok(answer(request, 200, said.view));
      return said.kind === "missing" ? problem(noSuchMessage) : problem(readerBusy);
    }),
  );
  app.get(
    "/inbox/:id/raw",
    keyed(async (_, context) => {
      const source = await deps.inbox.source(context.req.param("id") ?? "");
      if (source === undefined) return problem(noSuchMessage);
      const headers = { ...rawHeaders, "content-length": String(source.sizeBytes) };
      return ok(new Response(source.bytes, { headers }));
    }),
  );
  app.delete(
    "/inbox",
    keyed(async (request) => {
      const count = await deps.inbox.clear();
      return ok(answer(request, 200, { object: "inbox", count, deleted: true }));
    }),
  );
  app.delete(
    "/inbox/:id",
    keyed(async (request, context) => {
      const id = context.req.param("id") ?? "";
      if (!(await deps.inbox.remove(id))) return problem(noSuchMessage);
      return ok(answer(request, 200, { object: "inbox_message", id, deleted: true }));
    }),
  );
}

/** Resolves once the list holds something, the time is up, or the client is gone. */
async function filled(
  { ask, clock }: InboxDeps,
  filter: InboxFilter,
  untilMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && clock.monotonicMs() < untilMs) {
    const said = await ask({ ask: "inbox", filter: { ...filter, limit: 1 } });
    if (said.kind === "invalid") return;
    if (said.kind === "found" && (said.view as ListView<InboxItem>).data.length > 0) return;
    await sleep(clock, LOOK_EVERY_MS, signal).catch(() => {});
  }
}

const texts = ["to", "from", "subject", "after", "before"] as const;

function readFilter(search: URLSearchParams): Result<InboxFilter> {
  const strange = strangeParameter(search, [...texts, "limit"]);
  if (strange !== undefined) return problem(strange);
  const limit = limitOf(search);
  if (limit.kind === "problem") return limit;
  const filter: { -readonly [K in keyof InboxFilter]: InboxFilter[K] } = { limit: limit.value };
  for (const name of texts) {
    const value = search.get(name);
    if (value !== null) filter[name] = value;
  }
  return ok(filter);
}

const noSuchMessage: Problem = {
  name: "not_found",
  detail: "There is no such message in the inbox: it never was, or it has been cleared.",
};
