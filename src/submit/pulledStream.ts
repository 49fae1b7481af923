// Server-sent events that their reader pulls, one piece after the other, for as long as it likes: whoever is slow gets what it missed with
// the next piece, and whoever takes nothing at all is cut, and comes again later from the last id that it saw.
import type { Clock, Timer } from "../base/clock.ts";
import { EVENT_STREAM } from "./lasting.ts";
import { badParameter, idOf } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";

/** What a client waits before it comes again; the first thing that a stream says. */
export const COME_AGAIN = "retry: 1000\n";
/** A client that takes nothing for so long is cut. */
const STALLED_MS = 60_000;

export interface Pulling {
  readonly clock: Clock;
  /** The client has left, perhaps before it took anything. */
  readonly gone: AbortSignal;
  /** Called once, however it ends. */
  readonly ended: () => void;
  /** What is said next, as soon as there is something; null: nothing more comes. The signal says that nobody waits for it any more. */
  readonly next: (leaving: AbortSignal) => Promise<string | null>;
}

export function pulledStream({ clock, gone, ended, next }: Pulling): Response {
  const text = new TextEncoder();
  const leaving = new AbortController();
  let stalled: Timer | undefined;
  const end = (): void => {
    if (leaving.signal.aborted) return;
    leaving.abort();
    stalled?.cancel();
    ended();
  };
  gone.addEventListener("abort", end, { once: true });
  if (gone.aborted) end();

  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    stalled?.cancel();
    const words = await next(leaving.signal);
    if (leaving.signal.aborted) return;
    if (words === null) {
      end();
      return controller.close();
    }
    controller.enqueue(text.encode(words));
    stalled = clock.after(STALLED_MS, () => {
      end();
      controller.error(new Error("the client takes nothing"));
    });
  };
  const stream = new ReadableStream<Uint8Array>({ pull, cancel: end }, { highWaterMark: 0 });
  const headers = {
    "content-type": EVENT_STREAM,
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  };
  return new Response(stream, { headers });
}

/** Behind which id a stream goes on; null: from now on. `what`: of what the ids are, such as "an event". */
export function placeIn(request: Request, what: string): Result<number | null> {
  const header = request.headers.get("last-event-id");
  // The header is what a browser sends when it comes again, so it goes before the address that it was first given.
  const from = header ?? new URL(request.url).searchParams.get("after");
  if (from === null) return ok(null);
  const id = idOf(from);
  const name = header === null ? "after" : "Last-Event-ID";
  return id === null ? problem(badParameter(name, `It is no id of ${what}.`)) : ok(id);
}
