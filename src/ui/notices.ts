// What came of an action, said once where everybody finds it, also by a screen reader: the server's own answer and nothing that was hoped.
import { signal } from "@preact/signals";
import { ask, type Said } from "./api.ts";
import { after } from "./browser.ts";
import type { Fault } from "./problem.ts";

export interface Notice {
  readonly id: number;
  readonly what: string;
  /** Null: it was done. */
  readonly fault: Fault | null;
}

export const notices = signal<readonly Notice[]>([]);

const SHOWN_MAX = 3;
/** What went well may go by itself; a fault stays until somebody takes it away. */
const SHOWN_MS = 8000;
let count = 0;

export function tell(what: string, fault: Fault | null = null): void {
  const notice: Notice = { id: ++count, what, fault };
  notices.value = [...notices.value, notice].slice(-SHOWN_MAX);
  if (fault === null) after(SHOWN_MS, () => forget(notice.id));
}

export function forget(id: number): void {
  notices.value = notices.value.filter((one) => one.id !== id);
}

export interface Deed<T> {
  readonly method: "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  /** What was done, by what the server said; a sentence. */
  readonly done: (value: T) => string;
  /** What was not done; a sentence. */
  readonly failed: string;
}

/** True when it was done. */
export async function act<T>({ method, path, body = {}, done, failed }: Deed<T>): Promise<boolean> {
  const said: Said<T> = await ask<T>(method, path, method === "DELETE" ? undefined : body);
  if (said.kind === "ok") tell(done(said.value));
  else tell(failed, said.fault);
  return said.kind === "ok";
}
