// GET /trace: dialogues as they happen, as server-sent events. Whoever reads too slowly is told how many lines it missed; nothing is kept
// for it beyond a bound, and nothing runs on when it has gone.
import type { Hono } from "hono";
import type { Clock, Timer } from "../base/clock.ts";
import { type HostTag, idOf } from "../mail/id.ts";
import type { TraceLine, TraceWish } from "../mail/trace.ts";
import type { Guard } from "./guard.ts";
import { EVENT_STREAM } from "./lasting.ts";
import { wireDomain } from "./operate.ts";
import { badParameter, strangeParameter } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";

export interface TraceDeps {
  /** Null: too many look already. */
  readonly trace: (
    wish: TraceWish,
    hear: (lines: readonly TraceLine[], dropped: number) => void,
  ) => { close(): void } | null;
  readonly tag: HostTag;
  readonly clock: Clock;
}

/** Events that may wait for a slow reader. */
const WAITING_MAX = 1000;
/** Below the time after which the listener closes a silent connection. */
const KEEP_ALIVE_MS = 15_000;
/** A look that somebody forgot ends by itself. */
const LOOK_MAX_MS = 10 * 60_000;
const BUSY_RETRY_S = 5;

export function addTracing<E extends object>(app: Hono<E>, deps: TraceDeps, keyed: Guard<E>): void {
  app.get(
    "/trace",
    keyed(async (request) => {
      const wish = wishOf(new URL(request.url).searchParams, deps.tag);
      if (wish.kind === "problem") return wish;
      const stream = open(deps, wish.value);
      if (stream === null)
        return problem({
          name: "busy",
          detail: "Too many look at dialogues already.",
          retryAfterS: BUSY_RETRY_S,
        });
      const headers = { "content-type": EVENT_STREAM, "cache-control": "no-store" };
      return ok(new Response(stream, { headers }));
    }),
  );
}

function wishOf(search: URLSearchParams, tag: HostTag): Result<TraceWish> {
  const strange = strangeParameter(search, ["id", "domain"]);
  if (strange !== undefined) return problem(strange);
  const [id, domain] = [search.get("id"), search.get("domain")];
  if ((id === null) === (domain === null))
    return problem(badParameter("id", "Say one of ?id=MESSAGE and ?domain=example.com"));
  if (id === null) {
    const name = wireDomain(domain ?? "");
    return name === ""
      ? problem(badParameter("domain", "It is no domain name."))
      : ok({ by: "domain", name });
  }
  const message = idOf(id, tag);
  return message === undefined
    ? problem({ name: "not_found", detail: "There is no message with this id." })
    : ok({ by: "message", message });
}

function open({ trace, clock }: TraceDeps, wish: TraceWish): ReadableStream<Uint8Array> | null {
  const text = new TextEncoder();
  let ended = false;
  let missed = 0;
  let timer: Timer | undefined;
  let write = (_: string): void => {};
  const look = trace(wish, (lines, dropped) => {
    missed += dropped;
    for (const line of lines) write(`data: ${JSON.stringify(line)}\n\n`);
  });
  if (look === null) return null;
  const end = (): void => {
    if (ended) return;
    ended = true;
    timer?.cancel();
    look.close();
  };
  const startedMs = clock.monotonicMs();
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const beat = (): void => {
          if (clock.monotonicMs() - startedMs > LOOK_MAX_MS) {
            end();
            return controller.close();
          }
          controller.enqueue(text.encode(": still here\n\n"));
          timer = clock.after(KEEP_ALIVE_MS, beat);
        };
        write = (event) => {
          if (ended) return;
          if ((controller.desiredSize ?? 0) <= 0) return void missed++;
          if (missed > 0) controller.enqueue(text.encode(`event: missed\ndata: ${missed}\n\n`));
          missed = 0;
          controller.enqueue(text.encode(event));
        };
        beat();
      },
      cancel: end,
    },
    { highWaterMark: WAITING_MAX },
  );
}
