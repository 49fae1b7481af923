// /ui/session: who is logged in to the dashboard. Logging in takes an API key that may read; guesses are slowed down as at every other door.
import type { Hono } from "hono";
import { type Clock, iso } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { type KeyRecord, scopes } from "../../mail/apiKey.ts";
import type { UiSessionView } from "../../mail/uiSession.ts";
import { essenceOf, JSON_TYPE } from "../answer.ts";
import type { ApiKey, Gate } from "../auth.ts";
import type { Peer } from "../door.ts";
import { badField, readFields } from "../fields.ts";
import type { Open } from "../guard.ts";
import { ok, problem, type Problem, type Result } from "../problem.ts";
import { cookieOf, foreign, placeOf, seal, sessionIn, strangeness, tokensIn } from "./cookie.ts";
import { IDLE_MS, type Session, type Sessions } from "./sessions.ts";

export interface LoginDeps {
  readonly sessions: Sessions;
  readonly gate: Pick<Gate, "checkToken">;
  readonly keys: () => readonly ApiKey[];
  readonly keyRecords: () => readonly KeyRecord[];
  readonly clock: Clock;
  readonly log: Log;
}

export function addLogin<E extends object>(app: Hono<E>, deps: LoginDeps, open: Open<E>): void {
  const { sessions } = deps;
  app.get(
    "/ui/session",
    open((request) => {
      const session = sessionIn(sessions, request)?.session;
      const isOwn = session !== undefined && strangeness(request, session) === undefined;
      return said(200, isOwn ? viewOf(deps, session) : nobody);
    }),
  );
  app.post(
    "/ui/session",
    open(async (request, peer) => {
      const begun = await logIn(request, peer, deps);
      if (begun.kind === "problem") return begun;
      const { token, session } = begun.value;
      // Whoever logs in anew leaves nothing behind.
      for (const old of tokensIn(request)) sessions.end(old);
      deps.log("info", "session.begun", { key: session.key.id, address: peer.addressOf(request) });
      return said(201, viewOf(deps, session), cookieOf(request, token));
    }),
  );
  app.delete(
    "/ui/session",
    open((request, peer) => {
      const session = sessionIn(sessions, request)?.session;
      const strange = session === undefined ? undefined : strangeness(request, session);
      if (strange !== undefined) return problem(foreign(strange));
      for (const token of tokensIn(request)) sessions.end(token);
      if (session !== undefined)
        deps.log("info", "session.ended", {
          key: session.key.id,
          address: peer.addressOf(request),
        });
      return said(200, { object: "ui_session", deleted: true }, cookieOf(request, ""));
    }),
  );
}

type Begun = ReturnType<Sessions["begin"]>;

async function logIn(
  request: Request,
  peer: Peer,
  { gate, keys, sessions, clock }: LoginDeps,
): Promise<Result<Begun>> {
  const place = placeOf(request);
  if (place === undefined) return problem(foreign("Another site asks."));
  // What a form of another site can send is never of this type.
  if (essenceOf(request.headers.get("content-type")) !== JSON_TYPE) return problem(notJson);
  const fields = await readFields(request, clock, ["key"]);
  if (fields.kind === "problem") return fields;
  const token = fields.value["key"];
  if (typeof token !== "string" || token === "")
    return problem(badField("key", "It must be an API key."));
  const caller = gate.checkToken(token.trim(), () => peer.addressOf(request));
  if (caller.kind === "problem") return caller;
  const key = keys().find((one) => one.caller === caller.value);
  if (key === undefined || !key.caller.scopes.has("read")) return problem(mayNotRead);
  return ok(sessions.begin(key, place));
}

const notJson: Problem = {
  name: "unsupported_media_type",
  detail: `Send {"key": "..."} as ${JSON_TYPE}.`,
};

const mayNotRead: Problem = {
  name: "restricted_api_key",
  detail: 'This API key may not look: the dashboard needs one with the scope "read".',
};

const nobody: UiSessionView = { object: "ui_session", logged_in: false };

function viewOf({ keyRecords }: LoginDeps, { key, csrf, expiresAt }: Session): UiSessionView {
  const name = keyRecords().find(({ id }) => id === key.id)?.name ?? "the first key";
  return {
    object: "ui_session",
    logged_in: true,
    key: { id: key.id, name },
    scopes: scopes.filter((scope) => key.caller.scopes.has(scope)),
    csrf_token: csrf,
    expires_at: iso(expiresAt),
    idle_seconds: IDLE_MS / 1000,
  };
}

function said(status: number, body: object, cookie?: string): Result<Response> {
  const headers = { "content-type": JSON_TYPE, ...(cookie && { "set-cookie": cookie }) };
  return ok(seal(new Response(JSON.stringify(body), { status, headers })));
}
