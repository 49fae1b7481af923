// The cookie of a session, and what a request must show besides it. A browser adds a cookie to whatever any page asks for, so it alone is no
// proof that the dashboard asks: what changes something needs the session's token and the right origin too, and nothing is answered into
// a frame or to another site. Ports do not separate cookies (RFC 6265 8.5), so a neighbour on another port counts as foreign.
import { CSRF_HEADER } from "../../mail/uiSession.ts";
import type { Caller } from "../caller.ts";
import { ok, type Problem, problem, type Result } from "../problem.ts";
import { isSame, LIFE_MS, type Place, type Session, type Sessions } from "./sessions.ts";

const PLAIN = "postrider_session";
/** Browsers take such a name only with `Secure`, for this very host and the whole of it: no neighbour can plant one. */
const SECURE = "__Host-postrider_session";

/** So many of our name are looked at: others than ours can only come from a neighbour on another port, or for another path. */
const TOKENS_MAX = 8;

/** With the port that the browser asks, so that two daemons under one host name do not take each other's login away. */
function nameFor(request: Request): string {
  const port = /:(\d{1,5})$/.exec(hostOf(request))?.[1];
  return `${isSecure(request) ? SECURE : PLAIN}${port === undefined ? "" : `_${port}`}`;
}

/** The tokens as the browser sent them. Under HTTPS only the name that nobody else can set is read. */
export function tokensIn(request: Request): string[] {
  const header = request.headers.get("cookie");
  if (header === null) return [];
  const wanted = `${nameFor(request)}=`;
  return header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(wanted))
    .slice(0, TOKENS_MAX)
    .map((pair) => pair.slice(wanted.length));
}

/** The first token that stands for a session: what others left under our name is passed over. */
export function sessionIn(
  sessions: Pick<Sessions, "find">,
  request: Request,
): { readonly token: string; readonly session: Session } | undefined {
  for (const token of tokensIn(request)) {
    const session = sessions.find(token);
    if (session !== undefined) return { token, session };
  }
  return undefined;
}

/** A proxy before us may have taken off the TLS. Whoever says so without one only keeps its own cookie from working. */
export function isSecure(request: Request): boolean {
  if (request.url.startsWith("https:")) return true;
  const forwarded = request.headers.get("x-forwarded-proto");
  return forwarded !== null && forwarded.split(",").at(-1)?.trim().toLowerCase() === "https";
}

/** An empty token takes the cookie away. */
export function cookieOf(request: Request, token: string): string {
  const name = `${nameFor(request)}=${token}${isSecure(request) ? "; Secure" : ""}`;
  const lifeS = token === "" ? 0 : LIFE_MS / 1000;
  return `${name}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${lifeS}`;
}

export function hostOf(request: Request): string {
  return request.headers.get("host") ?? new URL(request.url).host;
}

/** Where a login comes from; undefined: not from a page of ours. */
export function placeOf(request: Request): Place | undefined {
  const { headers } = request;
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return undefined;
  const host = hostOf(request);
  const origin = headers.get("origin") ?? `${isSecure(request) ? "https" : "http"}://${host}`;
  return origin === "null" ? undefined : { host, origin };
}

const FRAMES: ReadonlySet<string> = new Set(["frame", "iframe", "embed", "object", "fencedframe"]);

/** Why the session's own page cannot have asked this; undefined: it can. */
export function strangeness(request: Request, session: Session): string | undefined {
  const { headers, method } = request;
  if (hostOf(request) !== session.host) return "The session was begun under another host name.";
  if (FRAMES.has(headers.get("sec-fetch-dest") ?? "")) return "Nothing is shown within a frame.";
  const isSafe = method === "GET" || method === "HEAD";
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && !(isSafe && site === "none"))
    return "Another site asks.";
  const origin = headers.get("origin");
  if (origin !== null && origin !== session.origin) return "Another origin asks.";
  if (isSafe) return undefined;
  if (origin === null) return "It lacks the header Origin.";
  const token = headers.get(CSRF_HEADER);
  if (token === null) return `It lacks the header ${CSRF_HEADER}.`;
  return isSame(token, session.csrf) ? undefined : `The header ${CSRF_HEADER} is wrong.`;
}

/** What has a key of its own is not looked at for cookies. */
export function mayBeSession({ headers }: Request): boolean {
  return headers.get("authorization") === null && headers.get("cookie") !== null;
}

/** Whom the cookie stands for; undefined: there is no cookie. `isUse`: it keeps the session from ending. */
export function admitSession(
  sessions: Sessions,
  request: Request,
  isUse: boolean,
): Result<Caller> | undefined {
  const own = sessionIn(sessions, request);
  if (own === undefined) return tokensIn(request).length === 0 ? undefined : problem(ended);
  const { token, session } = own;
  const strange = strangeness(request, session);
  if (strange !== undefined) return problem(foreign(strange));
  if (isUse) sessions.use(token);
  return ok(session.key.caller);
}

const ended: Problem = {
  name: "session_ended",
  detail: "The session has ended: log in again.",
};

export function foreign(why: string): Problem {
  return { name: "cross_site_request", detail: `${why} A session serves its own page alone.` };
}

/** What is told to a browser is for its own page: not kept, not run, not framed, not read by another site. */
export function seal(response: Response): Response {
  for (const [name, value] of sealed) response.headers.set(name, value);
  return response;
}

const sealed = [
  ["cache-control", "no-store"],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "no-referrer"],
  ["cross-origin-resource-policy", "same-origin"],
  ["content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"],
] as const;
