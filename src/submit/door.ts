// The HTTP API as one function from request to response. Sockets are served elsewhere (serve.ts), so every path of the door runs in
// a test without a network.
import { type Context, Hono } from "hono";
import { routePath } from "hono/route";
import { getPath } from "hono/utils/url";
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import type { Random } from "../base/random.ts";
import type { CommandAnswer, Order } from "../mail/command.ts";
import type { Feed } from "../mail/eventView.ts";
import type { HostTag, MessageId } from "../mail/id.ts";
import type { Accept, Refusal } from "../mail/submission.ts";
import type { Domains } from "../mail/domain.ts";
import type { Dialect } from "./accepted.ts";
import { type Fail, type Refuse, answer, createFail, createRefuse, logRefusal } from "./answer.ts";
import { type ApiKey, createGate } from "./auth.ts";
import { addKeys, type KeysDeps } from "./keys.ts";
import { sendBatch } from "./batch.ts";
import { createBodyReader } from "./body.ts";
import { createBudget } from "./budget.ts";
import type { Caller, Scope } from "./caller.ts";
import { isLocal } from "./clients.ts";
import { addDocument } from "./document.ts";
import { addDomains } from "./domains.ts";
import { addFigures, type FiguresDeps } from "./figures.ts";
import { addEvents } from "./events.ts";
import { createPreparer, type ReturnPathOf } from "./draft.ts";
import { addInbox } from "./inbox.ts";
import type { InboxFiles } from "./inboxFiles.ts";
import { addJournal, type JournalDeps } from "./journal.ts";
import type { Handler, Open, OpenHandler } from "./guard.ts";
import { answerHead } from "./head.ts";
import { endWithKey } from "./lasting.ts";
import { addLooking } from "./look.ts";
import { addOperating } from "./operate.ts";
import { ok, type Problem, type Result, problem } from "./problem.ts";
import type { Allowance } from "./rates.ts";
import { addQueueAges } from "./queueAges.ts";
import { prepareRaw } from "./raw.ts";
import { strangeQuery } from "./parameters.ts";
import { type Ask, answerQuery, readFilter, readSmtp } from "./read.ts";
import type { AttachmentUrls, FetchAttachment } from "./remote.ts";
import { type MessageSchema, createMessageCheck, createMessageSchema } from "./schema.ts";
import { createSender, refusals, type SendDeps } from "./send.ts";
import type { Spool } from "./spool.ts";
import { createTurns } from "./turns.ts";
import { addReports } from "./reports.ts";
import { addSuppressions } from "./suppressions.ts";
import { addTracing, type TraceDeps } from "./trace.ts";
import { admitSession, mayBeSession, seal } from "./ui/cookie.ts";
import type { Sessions } from "./ui/sessions.ts";
import { addUi } from "./ui.ts";
import { addWebhooks, type WebhookDesk } from "./webhooks.ts";
import { createWaiting } from "./wait.ts";

/** JSON and CBOR bodies being read and parsed at once: at most 29 MB all together (DESIGN 3 allows 48). */
const SMALL_BODIES_MAX_BYTES = 8_000_000;
const WORKING_BODIES_MAX_BYTES = 5_000_000;
const LARGE_BODIES_MAX_BYTES = 16_000_000;

export interface DoorLimits {
  readonly messageBytes: number;
  readonly recipientsPerField: number;
  readonly batchMessages: number;
  readonly attachmentUrls?: AttachmentUrls | undefined;
}

export type Health =
  | { readonly kind: "accepting" }
  | { readonly kind: "refusing"; readonly why: Refusal; readonly retryAfterS: number };

/** The listener that a request came by. */
export interface Peer {
  /** Whom the listener itself vouches for, as a socket does that only some users may open; null: a key says who it is. */
  readonly caller: Caller | null;
  /** The client's address; null where there is none. */
  addressOf(request: Request): string | null;
}

export interface MetricsPage {
  readonly type: string;
  readonly text: string;
}

export interface DoorDeps
  extends
    Pick<TraceDeps, "trace">,
    Pick<KeysDeps, "keyRecords">,
    Pick<JournalDeps, "journal" | "logLevel">,
    Pick<FiguresDeps, "figures"> {
  readonly accept: Accept;
  readonly ask: Ask;
  readonly feed: Feed;
  readonly order: Order;
  readonly explain: (domain: string) => Promise<CommandAnswer>;
  readonly reload: () => Promise<CommandAnswer>;
  readonly domains: Domains;
  readonly webhooks: WebhookDesk;
  readonly ids: (now: EpochMs) => MessageId;
  readonly tag: HostTag;
  readonly hostname: string;
  readonly returnPathOf?: ReturnPathOf;
  /** Whether a DKIM key here covers this domain. */
  readonly signs?: (domain: string) => boolean;
  readonly keys: () => readonly ApiKey[];
  /** Who is logged in to the dashboard. */
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: DoorLimits;
  readonly health: () => Health;
  readonly spool: Spool;
  readonly inbox: InboxFiles;
  /** Absent: attachments come in the request or not at all. */
  readonly fetchAttachment?: FetchAttachment | undefined;
  /** Has the collector run: after bodies so large that waiting for it would cost memory. */
  readonly relieve?: (() => void) | undefined;
  readonly meter: Meter;
  /** `accept` is the header of the request. */
  readonly metrics: (accept: string) => MetricsPage | Promise<MetricsPage>;
  readonly version: string;
  readonly log: Log;
}

export interface Door {
  fetch(request: Request, peer: Peer): Response | Promise<Response>;
  /** POST /send alone, for a listener that finds its way by itself: the router's way there takes 3 % of the door's time. */
  send(request: Request, peer: Peer): Promise<Response>;
}

/** Hono hands its bindings on as they are: the listener's one object, so that a request makes none. */
type Env = { Bindings: Peer };

/** `routes` tells what there is, as `GET /emails/:id`. */
export function createDoor(deps: DoorDeps): Door & { routes(): readonly string[] } {
  const gate = createGate(deps);
  // A series is made when its reason first occurs: reasons are few and fixed.
  const note = logRefusal(deps.log);
  const refuse = createRefuse(deps.random, (problem, request, id) => {
    deps.meter.counter("postrider_rejected_total", { reason: problem.name }).add();
    note(problem, request, id);
  });
  // An address that was put together of one that ends and one that begins with a slash, as Resend's package does it, is the same.
  const app = new Hono<Env>({ getPath: (request) => getPath(request).replace(/^\/{2,}/, "/") });

  const fail = createFail(refuse, deps.log);
  const respond = (request: Request, result: Result<Response>): Response =>
    result.kind === "ok" ? result.value : refuse(request, result.problem);
  const run = async (
    request: Request,
    handle: () => Result<Response> | Promise<Result<Response>>,
  ): Promise<Response> => respond(request, await handle());
  const open = (handler: OpenHandler) => (context: Context<Env>) =>
    run(context.req.raw, () => handler(context.req.raw, context.env));
  // The key comes first: without one a client learns nothing of what is here, and no body is read for it.
  const admit = (request: Request, peer: Peer, scope: Scope, isUse = true): Result<Caller> => {
    if (peer.caller !== null)
      return peer.caller.scopes.has(scope) ? ok(peer.caller) : problem(lacking(scope));
    const header = request.headers.get("authorization");
    const caller =
      (header === null ? admitSession(deps.sessions, request, isUse) : undefined) ??
      gate.check(header, () => peer.addressOf(request));
    if (caller.kind === "problem" || caller.value.scopes.has(scope)) return caller;
    return problem(lacking(scope));
  };
  /** A key with limits of its own: its request waits its turn, and is told how many more it may make. */
  const counted = async (
    allowance: Allowance,
    request: Request,
    go: () => Promise<Response>,
  ): Promise<Response> => {
    const late = await allowance.enter();
    const response = late === undefined ? await go() : refuse(request, late);
    for (const [name, value] of Object.entries(allowance.headers()))
      response.headers.set(name, value);
    return response;
  };
  const keyed =
    (handler: Handler<Env>, scope?: Scope) =>
    (context: Context<Env>): Response | Promise<Response> => {
      const request = context.req.raw;
      const bySession = context.env.caller === null && mayBeSession(request);
      const told = (response: Response): Response => (bySession ? seal(response) : response);
      const admitNow = (isUse: boolean) =>
        admit(request, context.env, scope ?? scopeOf(request.method), isUse);
      const caller = admitNow(true);
      if (caller.kind === "problem") return told(refuse(request, caller.problem));
      const strange = strangeQuery(request, routePath(context));
      if (strange !== undefined) return told(refuse(request, strange));
      const { allowance } = caller.value;
      const go = async (): Promise<Response> => {
        const again = () => admitNow(false);
        const response = await run(request, () => handler(request, context, caller.value, again));
        return told(endWithKey(response, () => again().kind === "ok"));
      };
      return allowance === undefined ? go() : counted(allowance, request, go);
    };

  const schema = createMessageSchema({ ...deps.limits, now: () => deps.clock.now() });
  const { sender, batch } = createHttpSender(deps, schema);
  const send = async (request: Request, peer: Peer, dialect?: Dialect): Promise<Response> => {
    const caller = admit(request, peer, "send");
    if (caller.kind === "problem") return refuse(request, caller.problem);
    const { allowance } = caller.value;
    if (allowance === undefined) return sendAs(request, caller.value, dialect);
    return counted(allowance, request, () => sendAs(request, caller.value, dialect));
  };
  const sendAs = async (
    request: Request,
    caller: Caller,
    dialect: Dialect | undefined,
  ): Promise<Response> => {
    const why = unready(deps);
    if (why !== undefined) return refuse(request, why);
    try {
      return respond(request, await sender.send(request, caller, dialect));
    } catch (error) {
      return fail(request, error);
    }
  };
  app.post("/send", (context) => send(context.req.raw, context.env));
  app.post("/emails", (context) => send(context.req.raw, context.env, "emails"));
  const sendAll = (dialect: Dialect) =>
    keyed((request, _, caller) => {
      const why = unready(deps);
      return why === undefined ? batch(request, caller, dialect) : problem(why);
    }, "send");
  app.post("/send/batch", sendAll("send"));
  app.post("/emails/batch", sendAll("emails"));
  addReading(app, deps, keyed);
  addDomains(app, deps, keyed);
  addKeys(app, deps, keyed);
  addWebhooks(app, deps, keyed);
  addOperating(app, deps, keyed);
  addInbox(app, deps, keyed);
  addLooking(app, deps, keyed);
  addTracing(app, deps, keyed);
  addJournal(app, deps, keyed);
  addQueueAges(app, deps, keyed);
  addSuppressions(app, deps, keyed);
  addReports(app, deps, keyed);
  addEvents(app, deps, keyed);
  const { version, limits } = deps;
  addUi(app, { ...deps, gate }, open);
  addFigures(app, deps, keyed);
  addDocument(app, { message: schema, batchMax: limits.batchMessages, version }, open);
  addStatus(app, deps, open, keyed);
  addRest(app, refuse, fail);
  return {
    fetch: (request, peer) =>
      request.method === "HEAD"
        ? answerHead(request, peer, (asked, own) => app.fetch(asked, own))
        : app.fetch(request, peer),
    send,
    routes: () => app.routes.map(({ method, path }) => `${method} ${path}`),
  };
}

type Answering = (context: Context<Env>) => Response | Promise<Response>;
/** The scope is that of the method unless it is named. */
type Wrap = (handler: Handler<Env>, scope?: Scope) => Answering;
type OpenWrap = Open<Env>;

function scopeOf(method: string): Scope {
  return method === "GET" || method === "HEAD" ? "read" : "manage";
}

function lacking(scope: Scope): Problem {
  return {
    name: "restricted_api_key",
    detail: `This API key may not be used for this: it lacks the scope "${scope}".`,
  };
}

function createHttpSender(deps: DoorDeps, schema: MessageSchema) {
  const { limits, clock } = deps;
  const turns = createTurns(clock, deps.relieve);
  const rawDeps = { ...deps, ...limits, messageBytesMax: limits.messageBytes, turns };
  const sending: SendDeps = {
    accept: deps.accept,
    clock,
    reader: createBodyReader({
      limitBytes: limits.messageBytes,
      small: createBudget(SMALL_BODIES_MAX_BYTES),
      working: createBudget(WORKING_BODIES_MAX_BYTES),
      large: createBudget(LARGE_BODIES_MAX_BYTES),
      clock,
      spool: deps.spool,
      turns,
      relieve: deps.relieve,
    }),
    schema: createMessageCheck(schema),
    preparer: createPreparer({ ...deps, messageBytesMax: limits.messageBytes }),
    batchMax: limits.batchMessages,
    accepted: deps.meter.counter("postrider_messages_accepted_total", { door: "http" }),
    duration: deps.meter.histogram("postrider_accept_duration_seconds"),
    waiting: createWaiting(deps),
    raw: (request, caller) => prepareRaw(rawDeps, request, caller),
  };
  return {
    sender: createSender(sending),
    batch: (request: Request, caller: Caller, dialect: Dialect) =>
      sendBatch(sending, request, caller, dialect),
  };
}

/** Asked before the body is read: a daemon that ends or is short of memory should not cost its callers an upload. */
function unready({ health }: Pick<DoorDeps, "health">): Problem | undefined {
  const now = health();
  return now.kind === "accepting" ? undefined : refusing(now);
}

function refusing(health: Extract<Health, { kind: "refusing" }>): Problem {
  return { name: health.why, detail: refusals[health.why], retryAfterS: health.retryAfterS };
}

function addReading(app: Hono<Env>, deps: DoorDeps, keyed: Wrap): void {
  app.get(
    "/emails",
    keyed((request) => {
      const filter = readFilter(new URL(request.url).searchParams);
      if (filter.kind === "problem") return filter;
      return answerQuery(request, deps, { ask: "list", filter: filter.value });
    }),
  );
  const one = (kind: "email" | "raw") =>
    keyed((request, context) =>
      answerQuery(request, deps, { ask: kind, id: context.req.param("id") ?? "" }),
    );
  app.get("/emails/:id", one("email"));
  app.get(
    "/emails/:id/events",
    keyed((request, context) => {
      const smtp = readSmtp(new URL(request.url).searchParams);
      if (smtp.kind === "problem") return smtp;
      const id = context.req.param("id") ?? "";
      return answerQuery(request, deps, { ask: "events", id, ...smtp.value });
    }),
  );
  app.get("/emails/:id/raw", one("raw"));
  app.get(
    "/queue",
    keyed((request) => answerQuery(request, deps, { ask: "queue" })),
  );
}

/** For service managers and load balancers: neither says more than they need, so neither needs a key. */
function addStatus(app: Hono<Env>, deps: DoorDeps, open: OpenWrap, keyed: Wrap): void {
  app.get(
    "/livez",
    open((request) => ok(answer(request, 200, { status: "alive", version: deps.version }))),
  );
  app.get(
    "/readyz",
    open((request) => {
      const health = deps.health();
      if (health.kind === "refusing") return problem(refusing(health));
      return ok(answer(request, 200, { status: "ready" }));
    }),
  );
  const metrics = async (request: Request): Promise<Result<Response>> => {
    const page = await deps.metrics(request.headers.get("accept") ?? "");
    return ok(new Response(page.text, { headers: { "content-type": page.type } }));
  };
  const [free, guarded] = [open(metrics), keyed(metrics)];
  app.get("/metrics", (context) =>
    isLocal(context.env, context.req.raw, deps.hostname) ? free(context) : guarded(context),
  );
}

const methods = ["GET", "POST", "PATCH", "PUT", "DELETE"] as const;

/** Asked only when nothing was found: a second handler on a path would cost every request a chain. */
function methodsAt(app: Hono<Env>, path: string): string[] {
  return methods
    .filter((method) => app.router.match(method, path)[0].length > 0)
    .map((method) => (method === "GET" ? "GET, HEAD" : method));
}

function addRest(app: Hono<Env>, refuse: Refuse, fail: Fail): void {
  app.notFound((context) => {
    const { method, path, raw } = context.req;
    const taken = methodsAt(app, path).join(", ");
    if (taken === "")
      return refuse(raw, { name: "not_found", detail: "There is nothing at this address." });
    const detail = `${method} is not taken here. Taken: ${taken}.`;
    return refuse(raw, { name: "method_not_allowed", detail, allow: taken });
  });
  app.onError((error, context) => fail(context.req.raw, error));
}
