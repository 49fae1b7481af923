// The public API as the page asks it. Nothing is assumed of an answer that did not come: every call ends in a value or in a fault.
import { signal } from "@preact/signals";
import { CSRF_HEADER, type UiLoggedIn, type UiSessionView } from "../mail/uiSession.ts";
import { request } from "./browser.ts";
import { type Fault, faultOf, unreachable } from "./problem.ts";

export type Said<T> =
  { readonly kind: "ok"; readonly value: T } | { readonly kind: "fault"; readonly fault: Fault };

export type Session =
  | { readonly at: "unknown" }
  /** `ended`: somebody was logged in, and is not any more. */
  | { readonly at: "out"; readonly ended: boolean }
  | { readonly at: "in"; readonly view: UiLoggedIn };

export const session = signal<Session>({ at: "unknown" });

type Method = "GET" | "POST" | "PATCH" | "DELETE";

export async function ask<T>(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Said<T>> {
  const response = await send(method, path, body, signal);
  if (response === null) return { kind: "fault", fault: unreachable };
  const parsed: unknown = await response.json().catch(() => undefined);
  if (response.ok && parsed !== undefined) return { kind: "ok", value: parsed as T };
  return { kind: "fault", fault: refused(response, parsed) };
}

/** The same for what is no JSON, up to a bound: a browser shows no 40 MB of text. */
export async function askText(path: string, maxBytes: number): Promise<Said<string>> {
  const response = await send("GET", path, undefined, undefined);
  if (response === null) return { kind: "fault", fault: unreachable };
  if (response.ok) return { kind: "ok", value: await textOf(response, maxBytes) };
  const parsed: unknown = await response.json().catch(() => undefined);
  return { kind: "fault", fault: refused(response, parsed) };
}

async function textOf(response: Response, maxBytes: number): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return "";
  const decoder = new TextDecoder();
  let [text, count] = ["", 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    count += value.length;
    text += decoder.decode(value, { stream: true });
    if (count < maxBytes) continue;
    await reader.cancel();
    return `${text.slice(0, maxBytes)}\n…`;
  }
}

/** Null: there was no answer. */
async function send(
  method: Method,
  path: string,
  body: unknown,
  signal: AbortSignal | undefined,
): Promise<Response | null> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const { value } = session;
  if (method !== "GET" && value.at === "in") headers[CSRF_HEADER] = value.view.csrf_token;
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = JSON.stringify(body);
  if (signal !== undefined) init.signal = signal;
  return request(path, init).catch(() => null);
}

function refused(response: Response, parsed: unknown): Fault {
  const fault = faultOf(response.status, parsed, response.headers.get("retry-after"));
  // Whatever was asked, without a session nothing will be answered. A key that may not do this one thing is still a key.
  const isOver = fault.status === 401 && fault.name !== "restricted_api_key";
  if (isOver && session.peek().at === "in") session.value = { at: "out", ended: true };
  return fault;
}

/** Asks who is logged in. A daemon that does not answer leaves it open. */
export async function findSession(): Promise<Fault | null> {
  const said = await ask<UiSessionView>("GET", "/ui/session");
  if (said.kind === "ok") {
    keep(said.value);
    return null;
  }
  return said.fault;
}

function keep(view: UiSessionView): void {
  const before = session.peek();
  session.value = view.logged_in ? { at: "in", view } : { at: "out", ended: before.at === "in" };
}

export async function logIn(key: string): Promise<Fault | null> {
  const said = await ask<UiSessionView>("POST", "/ui/session", { key });
  if (said.kind === "fault") return said.fault;
  keep(said.value);
  return null;
}

/** Out here only once the daemon says so: a session that lives on would be a lie. */
export async function logOut(): Promise<Fault | null> {
  const said = await ask("DELETE", "/ui/session");
  if (said.kind === "fault" && said.fault.status !== 401) return said.fault;
  session.value = { at: "out", ended: false };
  return null;
}

export function mayManage(): boolean {
  const { value } = session;
  return value.at === "in" && value.view.scopes.includes("manage");
}
