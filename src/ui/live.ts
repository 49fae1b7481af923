// The live figures: one stream for the whole page, closed while nobody looks, and opened again, ever more slowly, when it breaks. What
// state it is in is always shown: figures that stand still must not look like figures that are calm.
import { signal } from "@preact/signals";
import { type FigurePoint, type FiguresView, POINTS_KEPT } from "../mail/figures.ts";
import { ask, findSession, session } from "./api.ts";
import { after, now, openStream, type Waiting } from "./browser.ts";
import { joined } from "./model/history.ts";

export type Connection =
  | { readonly at: "connecting" }
  | { readonly at: "live" }
  /** `again`: when the next try is made. */
  | { readonly at: "lost"; readonly sinceMs: number; readonly again: number };

export const connection = signal<Connection>({ at: "connecting" });
export const figures = signal<FiguresView | null>(null);
export const history = signal<readonly FigurePoint[]>([]);

const FIRST_WAIT_MS = 1000;
const LAST_WAIT_MS = 15_000;
/** A stream that says nothing for so long is dead, whatever the browser thinks. */
const SILENT_MS = 20_000;

let source: EventSource | null = null;
let silence: Waiting | null = null;
let retry: Waiting | null = null;
let waitMs = FIRST_WAIT_MS;
let isWanted = false;

/** From the login on; `stop` ends it. */
export function startFigures(): () => void {
  isWanted = true;
  open();
  document.addEventListener("visibilitychange", follow);
  return () => {
    isWanted = false;
    document.removeEventListener("visibilitychange", follow);
    close();
    figures.value = null;
    history.value = [];
  };
}

function follow(): void {
  if (document.hidden) close();
  else if (source === null) open();
}

function open(): void {
  close();
  if (!isWanted || document.hidden) return;
  if (connection.peek().at !== "lost") connection.value = { at: "connecting" };
  void first();
  const opened = openStream("/figures/stream");
  source = opened;
  listen();
  const hear = (event: MessageEvent<string>): void => {
    listen();
    take(JSON.parse(event.data) as FiguresView);
    waitMs = FIRST_WAIT_MS;
    connection.value = { at: "live" };
  };
  opened.addEventListener("message", hear);
  opened.addEventListener("error", lose);
}

/** The whole history at once: the stream tells only what is new. */
async function first(): Promise<void> {
  const said = await ask<FiguresView>("GET", "/figures");
  if (said.kind === "ok") take(said.value);
}

function take(view: FiguresView): void {
  history.value = joined(history.peek(), view.history, POINTS_KEPT);
  figures.value = view;
}

function listen(): void {
  silence?.cancel();
  silence = after(SILENT_MS, lose);
}

function lose(): void {
  close();
  if (!isWanted) return;
  const before = connection.peek();
  const sinceMs = before.at === "lost" ? before.sinceMs : now();
  connection.value = { at: "lost", sinceMs, again: now() + waitMs };
  retry = after(waitMs, () => void recover());
  waitMs = Math.min(LAST_WAIT_MS, waitMs * 2);
}

/** A stream does not say why it was refused, so the session is asked first. */
async function recover(): Promise<void> {
  await findSession();
  if (session.peek().at === "in") open();
}

/** At once, when somebody asks for it. */
export function reconnect(): void {
  waitMs = FIRST_WAIT_MS;
  retry?.cancel();
  void recover();
}

function close(): void {
  retry?.cancel();
  silence?.cancel();
  source?.close();
  source = null;
}
