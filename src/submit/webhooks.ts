// /webhooks: who is told what happens, where, and how it went. Resend's shapes; the queue thread keeps the book, the dispatcher of the
// report room does the telling.
import type { Hono } from "hono";
import type { Cidr } from "../base/cidr.ts";
import { type Clock, iso } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Order } from "../mail/command.ts";
import { eventTypes } from "../mail/event.ts";
import { hostTag, IDS_PER_MS, uuidOf } from "../mail/id.ts";
import {
  hookEventId,
  hookEventOf,
  type HookPending,
  neverComes,
  PENDING_MAX,
  type WebhookRecord,
  type WebhookTerms,
  type WebhookView,
} from "../mail/webhook.ts";
import { isPublic, mayConnect } from "../web/guard.ts";
import { parseTarget } from "../web/target.ts";
import { answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import { badField, type Fields, readFields } from "./fields.ts";
import type { Guard } from "./guard.ts";
import { pageOf } from "./listPage.ts";
import { answered } from "./operate.ts";
import { badParameter, limitOf, strangeParameter } from "./parameters.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import { type Ask, answerQuery, readerBusy } from "./read.ts";
import type { Spool } from "./spool.ts";

export interface WebhookDesk {
  records(): readonly WebhookRecord[];
  /** Events that it has still to take. */
  pending(number: number): number;
  /** False: so many wait already that it must come later. */
  mayReplay(number: number, event: number): boolean;
  /** An event waits for an attempt again, and its row stands. */
  replay(number: number, pending: HookPending): void;
  /** Ranges that are open besides public ones. */
  opened(): readonly Cidr[];
}

export interface WebhookDeps {
  readonly webhooks: WebhookDesk;
  readonly ask: Ask;
  readonly spool: Pick<Spool, "read">;
  readonly order: Order;
  readonly clock: Clock;
  readonly random: Random;
  readonly tag: string;
}

/** A webhook that is there. */
type Found = (
  webhook: WebhookRecord,
  request: Request,
  context: { readonly event: string; readonly caller: Caller },
) => Promise<Result<Response>>;

const BODY_MAX_BYTES = 16_384;
const SECRET_BYTES = 32;
const TYPES_MAX = 100;

export function addWebhooks<E extends object>(
  app: Hono<E>,
  deps: WebhookDeps,
  keyed: Guard<E>,
): void {
  const { webhooks, ask, order, tag } = deps;
  const at = (handle: Found) =>
    keyed(async (request, context, caller) => {
      const found = webhooks.records().find(({ id }) => id === context.req.param("id"));
      if (found === undefined) return problem(noSuchWebhook);
      return handle(found, request, { event: context.req.param("event") ?? "", caller });
    });
  app.post(
    "/webhooks",
    keyed((request) => create(deps, request)),
  );
  app.get(
    "/webhooks",
    keyed(async (request) => list(request, webhooks.records())),
  );
  app.get(
    "/webhooks/:id",
    at(async (found, request, { caller }) => {
      const [current] = found.secrets;
      // Whoever has it can speak as we do: it is shown to those who could make another one anyway.
      const secret = caller.scopes.has("manage") ? { signing_secret: current?.secret } : {};
      const pending_events = webhooks.pending(found.number);
      return ok(answer(request, 200, { ...viewOf(found), pending_events, ...secret }));
    }),
  );
  app.patch(
    "/webhooks/:id",
    at((found, request) => update(deps, request, found)),
  );
  app.delete(
    "/webhooks/:id",
    at(async ({ id }, request) => {
      const said = await order({ do: "webhook.remove", id });
      if (said.kind !== "done") return answered(request, said);
      return ok(answer(request, 200, { object: "webhook", id, deleted: true }));
    }),
  );
  app.post(
    "/webhooks/:id/signing-secret/rotate",
    at(async ({ id }, request) => {
      const secret = newSecret(deps.random);
      const said = await order({ do: "webhook.rotate", id, secret });
      if (said.kind !== "done") return answered(request, said);
      return ok(answer(request, 200, { object: "webhook", id, signing_secret: secret }));
    }),
  );
  app.get(
    "/webhooks/:id/events",
    at(async ({ number }, request) => {
      const query = new URL(request.url).searchParams;
      const strange = strangeParameter(query, ["limit", "after"]);
      if (strange !== undefined) return problem(strange);
      const limit = limitOf(query);
      if (limit.kind === "problem") return limit;
      const place = query.get("after");
      const after = place === null ? undefined : hookEventOf(place);
      if (place !== null && after === undefined)
        return problem(badParameter("after", "It must be an id of this list."));
      const filter = { webhook: number, limit: limit.value };
      return answerQuery(request, deps, {
        ask: "webhookEvents",
        filter: after === undefined ? filter : { ...filter, after },
      });
    }),
  );
  const one = (name: "webhookEvent" | "webhookAttempts") =>
    at(async ({ number }, request, { event }) => {
      const id = hookEventOf(event);
      if (id === undefined) return problem(noSuchEvent);
      const said = await answerQuery(request, deps, { ask: name, webhook: number, event: id });
      return said.kind === "problem" && said.problem.name === "not_found"
        ? problem(noSuchEvent)
        : said;
    });
  app.get("/webhooks/:id/events/:event", one("webhookEvent"));
  app.get("/webhooks/:id/events/:event/attempts", one("webhookAttempts"));
  app.post(
    "/webhooks/:id/events/:event/replay",
    at(async (found, request, { event }) => {
      const pending = await replayed(ask, found, hookEventOf(event) ?? -1);
      if (pending.kind === "problem") return pending;
      if (!webhooks.mayReplay(found.number, pending.value.event)) return problem(tooManyWait);
      const said = await order({ do: "webhook.replay", id: found.id, pending: pending.value });
      if (said.kind !== "done") return answered(request, said);
      webhooks.replay(found.number, pending.value);
      const id = hookEventId(pending.value.event, tag);
      return ok(answer(request, 200, { object: "webhook_event", id }));
    }),
  );
}

/** Any event whose history is kept, whether this endpoint was sent it before or not. */
async function replayed(
  ask: Ask,
  { enabled }: WebhookRecord,
  event: number,
): Promise<Result<HookPending>> {
  if (event < 0) return problem(noSuchEvent);
  if (!enabled) return problem(isOff);
  const said = await ask({ ask: "feed", feed: { after: event - 1, limit: 1 } });
  if (said.kind !== "found") return problem(readerBusy);
  const { events } = said.view as {
    events: readonly { id: number; type: string; email_id: string }[];
  };
  const [found] = events;
  if (found?.id !== event) return problem(noSuchEvent);
  return ok({ event, type: found.type, email: found.email_id, dueAt: 0, tries: 0 });
}

async function create(deps: WebhookDeps, request: Request): Promise<Result<Response>> {
  const { clock, random, order } = deps;
  const fields = await readFields(request, clock, ["endpoint", "events"], BODY_MAX_BYTES);
  if (fields.kind === "problem") return fields;
  if (fields.value["endpoint"] === undefined) return problem(noEndpoint);
  const read = readTerms(fields.value, usual, deps.webhooks.opened());
  if (read.kind === "problem") return read;
  const now = clock.now();
  const id = uuidOf(now * IDS_PER_MS, hostTag(random.bytes(8)));
  const secret = newSecret(random);
  const webhook = { ...read.value, id, secret, createdAt: now };
  const said = await order({ do: "webhook.create", webhook });
  if (said.kind !== "done") return answered(request, said);
  const body = { object: "webhook", id, signing_secret: secret, ...warned(read.value) };
  return ok(answer(request, 201, body));
}

async function update(
  deps: WebhookDeps,
  request: Request,
  found: WebhookRecord,
): Promise<Result<Response>> {
  const known = ["endpoint", "events", "status"];
  const fields = await readFields(request, deps.clock, known, BODY_MAX_BYTES);
  if (fields.kind === "problem") return fields;
  const read = readTerms(fields.value, found, deps.webhooks.opened());
  if (read.kind === "problem") return read;
  const { id } = found;
  const { endpoint, events, enabled } = read.value;
  // Only what was asked for: by now the rest may be what somebody else has changed, or why it was switched off.
  const change = {
    ...(fields.value["endpoint"] === undefined ? {} : { endpoint }),
    ...(fields.value["events"] === undefined ? {} : { events }),
    ...(fields.value["status"] === undefined ? {} : { enabled }),
  };
  const said = await deps.order({ do: "webhook.update", id, change });
  if (said.kind !== "done") return answered(request, said);
  return ok(answer(request, 200, { object: "webhook", id, ...warned(read.value) }));
}

const usual: WebhookTerms = { endpoint: "", events: null, enabled: true };

function readTerms(
  fields: Fields,
  before: WebhookTerms,
  opened: readonly Cidr[],
): Result<WebhookTerms> {
  let { endpoint, events, enabled } = before;
  if (fields["endpoint"] !== undefined) {
    const why = refusedEndpoint(fields["endpoint"], opened);
    if (why !== undefined) return problem(badField("endpoint", why));
    endpoint = fields["endpoint"] as string;
  }
  if (fields["events"] !== undefined) {
    const read = readEvents(fields["events"]);
    if (typeof read === "string") return problem(badField("events", read));
    events = read.types;
  }
  if (fields["status"] !== undefined) {
    const { status } = fields;
    if (status !== "enabled" && status !== "disabled")
      return problem(badField("status", 'It must be "enabled" or "disabled".'));
    enabled = status === "enabled";
  }
  return ok({ endpoint, events, enabled });
}

/** A name is checked again each time its address is known; here is said what can be said at once. */
function refusedEndpoint(endpoint: unknown, opened: readonly Cidr[]): string | undefined {
  if (typeof endpoint !== "string") return "It must be a URL.";
  const parsed = parseTarget(endpoint);
  if (parsed.kind === "refused") return `The URL ${parsed.why}.`;
  const { scheme, host, isLiteral } = parsed.target;
  const remedy = "The setting webhook_allow names the ranges where that will do.";
  if (scheme === "http" && opened.length === 0) return `It must be https://. ${remedy}`;
  if (!isLiteral || mayConnect(scheme, host, opened)) return undefined;
  const why = isPublic(host) ? "can only be reached by https://" : "is not a public address";
  return `${host} ${why}. ${remedy}`;
}

function readEvents(value: unknown): { readonly types: readonly string[] | null } | string {
  if (value === null) return { types: null };
  const known: readonly string[] = eventTypes;
  if (!Array.isArray(value) || value.length === 0 || value.length > TYPES_MAX)
    return "It must be a list of event types, or null for all of them.";
  const unknown = (value as unknown[]).find(
    (type) => typeof type !== "string" || !(known.includes(type) || neverComes(type)),
  );
  if (unknown !== undefined)
    return `${JSON.stringify(unknown).slice(0, 60)} is no event type; types: ${eventTypes.join(", ")}.`;
  return { types: [...new Set(value as string[])] };
}

function warned({ events }: WebhookTerms): { readonly warnings?: readonly object[] } {
  const silent = (events ?? []).filter(neverComes);
  if (silent.length === 0) return {};
  const detail = `Nothing here makes these events, so they will never come: ${silent.join(", ")}.`;
  return { warnings: [{ code: "event_never_emitted", detail }] };
}

function newSecret(random: Random): string {
  return `whsec_${Buffer.from(random.bytes(SECRET_BYTES)).toString("base64")}`;
}

function list(request: Request, records: readonly WebhookRecord[]): Result<Response> {
  const page = pageOf(new URL(request.url).searchParams, records, "a webhook");
  if (page.kind === "problem") return page;
  const { has_more, rows } = page.value;
  return ok(answer(request, 200, { object: "list", has_more, data: rows.map(viewOf) }));
}

function viewOf(record: WebhookRecord): WebhookView {
  const { id, endpoint, events, enabled, failingSince, disabledWhy, createdAt } = record;
  return {
    object: "webhook",
    id,
    endpoint,
    events,
    status: enabled ? "enabled" : "disabled",
    created_at: iso(createdAt),
    failing_since: failingSince === null ? null : iso(failingSince),
    disabled_reason: disabledWhy,
  };
}

const noSuchWebhook: Problem = { name: "not_found", detail: "There is no such webhook." };
const noSuchEvent: Problem = {
  name: "not_found",
  detail: "There is no such event: it never was, or its history has been cleared.",
};
const isOff: Problem = {
  name: "conflict",
  detail: 'The webhook is disabled. Enable it first: {"status":"enabled"}.',
};
const tooManyWait: Problem = {
  name: "busy",
  detail: `${PENDING_MAX} events wait for their next attempt already. Ask again once some were taken.`,
  retryAfterS: 5,
};
const noEndpoint: Problem = {
  name: "missing_required_field",
  detail: "Say where to: endpoint is a URL such as https://example.com/hooks.",
  faults: [
    { pointer: "/endpoint", code: "missing_required_field", detail: "The webhook needs a URL." },
  ],
};
