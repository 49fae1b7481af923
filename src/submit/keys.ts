// /api-keys: who may ask, and for what. Resend's words for what it knows (permission, domain_id), ours for the rest. A token is in one
// answer and nowhere else.
import type { Context, Hono } from "hono";
import { type Clock, iso } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { type KeyRecord, type KeyTerms, type KeyView, showKeyRate } from "../mail/apiKey.ts";
import type { CommandAnswer, Order } from "../mail/command.ts";
import type { Domains } from "../mail/domain.ts";
import { hostTag, IDS_PER_MS, uuidOf } from "../mail/id.ts";
import { answer } from "./answer.ts";
import { digestOf } from "./auth.ts";
import type { Caller } from "./caller.ts";
import { type Fields, readFields } from "./fields.ts";
import type { Guard, Handler } from "./guard.ts";
import { keyFields, mayGrant, readTerms, usualTerms } from "./keyTerms.ts";
import { answered } from "./operate.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import { pageOf } from "./listPage.ts";
import { pageLimits } from "./parameters.ts";
import { dayOf } from "./rates.ts";

export interface KeysDeps {
  readonly order: Order;
  readonly domains: Pick<Domains, "get">;
  /** All but the first key. */
  readonly keyRecords: () => readonly KeyRecord[];
  readonly clock: Clock;
  readonly random: Random;
}

const TOKEN_BYTES = 20;
const TOKEN_PREFIX = "pr_";
const NAME_SHOWN_MAX = 60;
/** A hundred domains of the longest kind fit. */
const BODY_MAX_BYTES = 32_768;

export function addKeys<E extends object>(app: Hono<E>, deps: KeysDeps, keyed: Guard<E>): void {
  // Whoever sees keys could use one that may do more.
  const on = (handler: Handler<E>) => keyed(handler, "manage");
  const find = (context: Context<E>): Result<KeyRecord> => {
    const id = context.req.param("id");
    const found = deps.keyRecords().find((key) => key.id === id);
    return found === undefined ? problem(noSuchKey) : ok(found);
  };
  app.post(
    "/api-keys",
    on((request, _, _caller, again) => create(deps, request, again)),
  );
  app.get(
    "/api-keys",
    on(async (request) => {
      const keys = deps.keyRecords();
      // They are few: all of them, where nobody asks for fewer.
      const limits = { ...pageLimits, usual: keys.length };
      const page = pageOf(new URL(request.url).searchParams, keys, "an API key", limits);
      if (page.kind === "problem") return page;
      const { has_more, rows } = page.value;
      const data = rows.map((key) => viewOf(key, deps.clock));
      return ok(answer(request, 200, { object: "list", has_more, data }));
    }),
  );
  app.get(
    "/api-keys/:id",
    on(async (request, context) => {
      const found = find(context);
      if (found.kind === "problem") return found;
      return ok(answer(request, 200, viewOf(found.value, deps.clock)));
    }),
  );
  app.patch(
    "/api-keys/:id",
    on(async (request, context, _, again) => {
      const known = find(context);
      if (known.kind === "problem") return known;
      const fields = await readFields(request, deps.clock, keyFields, BODY_MAX_BYTES);
      if (fields.kind === "problem") return fields;
      // While the body came both keys may have been changed.
      const [caller, key] = [again(), find(context)];
      if (caller.kind === "problem") return caller;
      return key.kind === "problem"
        ? key
        : update(deps, request, caller.value, key.value, fields.value);
    }),
  );
  app.delete(
    "/api-keys/:id",
    on(async (request, context, caller) => {
      const found = find(context);
      if (found.kind === "problem") return found;
      const { id } = found.value;
      const beyond = mayGrant(caller, found.value);
      if (beyond !== undefined) return problem(beyond);
      const said = await deps.order({ do: "keys.revoke", id });
      return changed(request, said, 200, { object: "api_key", id, deleted: true });
    }),
  );
}

async function create(
  deps: KeysDeps,
  request: Request,
  again: () => Result<Caller>,
): Promise<Result<Response>> {
  const { clock, random } = deps;
  const fields = await readFields(request, clock, keyFields, BODY_MAX_BYTES);
  if (fields.kind === "problem") return fields;
  const caller = again();
  if (caller.kind === "problem") return caller;
  const now = clock.now();
  const read = readTerms(fields.value, deps, now);
  if (read.kind === "problem") return read;
  const terms = { ...usualTerms, ...read.value };
  if (terms.name === "") return problem(noName);
  const beyond = mayGrant(caller.value, terms);
  if (beyond !== undefined) return problem(beyond);
  const token = TOKEN_PREFIX + base32(random.bytes(TOKEN_BYTES));
  const id = uuidOf(now * IDS_PER_MS, hostTag(random.bytes(8)));
  const digest = Buffer.from(digestOf(token)).toString("base64url");
  const key = { ...terms, id, digest, createdAt: now };
  const said = await deps.order({ do: "keys.create", key });
  if (said.kind !== "done") return answered(request, said);
  const made = { ...key, number: 0, lastUsedAt: null, day: 0, dayUsed: 0 };
  return ok(answer(request, 201, { ...viewOf(made, clock), token }));
}

async function update(
  deps: KeysDeps,
  request: Request,
  caller: Caller,
  key: KeyRecord,
  fields: Fields,
): Promise<Result<Response>> {
  // Only what was asked for: the rest is as it stands when the change is written.
  const change = readTerms(fields, deps, deps.clock.now());
  if (change.kind === "problem") return change;
  const after = { ...key, ...change.value };
  const beyond = mayGrant(caller, key) ?? mayGrant(caller, after);
  if (beyond !== undefined) return problem(beyond);
  const said = await deps.order({ do: "keys.update", id: key.id, change: change.value });
  return changed(request, said, 200, viewOf(after, deps.clock));
}

function changed(
  request: Request,
  said: CommandAnswer,
  status: number,
  body: object,
): Result<Response> {
  return said.kind === "done" ? ok(answer(request, status, body)) : answered(request, said);
}

/** RFC 4648 6 in lower case: 5 bits a character, and nothing in it that a shell, a URL or a reader could mistake. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(value >> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

function viewOf(key: KeyRecord, clock: Pick<Clock, "now">): KeyView {
  const now = clock.now();
  return {
    object: "api_key",
    id: key.id,
    name: key.name,
    permission: permissionOf(key),
    scopes: key.scopes,
    domains: key.domains,
    rate: key.rate === null ? null : showKeyRate(key.rate),
    burst: key.burst,
    daily_quota: key.dailyQuota,
    used_today: key.dailyQuota === null ? null : key.day >= dayOf(now) ? key.dayUsed : 0,
    queue_max: key.queueMax,
    capture: key.capture,
    created_at: iso(key.createdAt),
    expires_at: key.expiresAt === null ? null : iso(key.expiresAt),
    expired: key.expiresAt !== null && now >= key.expiresAt,
    last_used_at: key.lastUsedAt === null ? null : iso(key.lastUsedAt),
  };
}

/** Resend's word, where it has one. */
function permissionOf({ scopes }: KeyTerms): KeyView["permission"] {
  if (scopes.length === 3) return "full_access";
  return scopes.length === 1 && scopes[0] === "send" ? "sending_access" : null;
}

const noSuchKey: Problem = { name: "not_found", detail: "There is no such API key." };
const noName: Problem = {
  name: "missing_required_field",
  detail: `Name the key, in at most ${NAME_SHOWN_MAX} characters, after what uses it.`,
  faults: [{ pointer: "/name", code: "missing_required_field", detail: "The key needs a name." }],
};
