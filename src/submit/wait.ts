// `Prefer: wait=10` (RFC 7240 4.3): the answer to a send waits until every recipient is final. All who wait are asked about in one
// question to the reader, as often as the youngest of them deserves, so a thousand cost it no more than one does.
import type { Clock, Timer } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import type { SettledView } from "../mail/query.ts";
import { type Dialect, dressed, type Taken, takenResponse } from "./accepted.ts";
import type { Health } from "./door.ts";
import type { Ask } from "./read.ts";

/** Longer than this nobody waits; the listener's own limit for a silent connection lies above it. */
const WAIT_MAX_S = 60;
/** Requests that wait at a time; one more is answered at once, as if it had not asked. */
const WAITING_MAX = 1000;
/** How often the reader is asked: soon while somebody came just now, since most mail takes some hundredths of a second. */
const FRESH_MS = 1000;
const EVERY_FRESH_MS = 20;
const EVERY_MS = 200;

export interface Waiting {
  /** At once, or when it is final if the request prefers to wait for that. */
  answer(request: Request, dialect: Dialect, taken: Taken): Response | Promise<Response>;
}

interface Waiter {
  readonly uuid: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  /** Null: the time is up. */
  readonly settle: (settled: SettledView | null) => void;
}

export function createWaiting({
  ask,
  clock,
  health,
}: {
  readonly ask: Ask;
  readonly clock: Pick<Clock, "after" | "monotonicMs">;
  readonly health: () => Health;
}): Waiting {
  const waiters = new Set<Waiter>();
  let timer: Timer | undefined;
  let asking = false;

  const leave = (waiter: Waiter, settled: SettledView | null): void => {
    if (!waiters.delete(waiter)) return;
    waiter.settle(settled);
    if (waiters.size === 0) timer?.cancel();
  };

  const look = async (): Promise<void> => {
    timer = undefined;
    asking = true;
    const byId = Map.groupBy(waiters, (one) => one.uuid);
    const settled = await settledOf(ask, [...byId.keys()]);
    for (const one of settled) for (const waiter of byId.get(one.id) ?? []) leave(waiter, one);
    const nowMs = clock.monotonicMs();
    // A daemon that ends breaks off what is still open soon: the message is stored, and its sender should hear so.
    const now = health();
    const ends = now.kind === "refusing" && now.why === "draining";
    for (const waiter of [...waiters]) if (ends || waiter.untilMs <= nowMs) leave(waiter, null);
    asking = false;
    expect(nowMs);
  };

  /** The next look: soon for the fresh, and no later than the first whose time is up. */
  const expect = (nowMs: number): void => {
    if (asking || waiters.size === 0) return;
    let inMs = EVERY_MS;
    for (const { sinceMs, untilMs } of waiters) {
      if (nowMs - sinceMs < FRESH_MS) inMs = Math.min(inMs, EVERY_FRESH_MS);
      inMs = Math.min(inMs, Math.max(0, untilMs - nowMs));
    }
    timer?.cancel();
    timer = clock.after(inMs, () => void look());
  };

  const join = (request: Request, uuid: string, waitS: number): Promise<SettledView | null> =>
    new Promise((settle) => {
      const sinceMs = clock.monotonicMs();
      const waiter = { uuid, sinceMs, untilMs: sinceMs + waitS * 1000, settle };
      waiters.add(waiter);
      // Whoever goes away leaves its place; the message stays ours.
      request.signal.addEventListener("abort", () => leave(waiter, null), { once: true });
      expect(sinceMs);
    });

  return {
    answer(request, dialect, taken) {
      const prefer = request.headers.get("prefer");
      const waitS = prefer === null ? 0 : preferredWait(prefer);
      if (waitS === 0 || waiters.size >= WAITING_MAX) return takenResponse(request, dialect, taken);
      return join(request, taken.uuid, waitS).then((settled) => {
        const response =
          settled === null || dialect === "emails"
            ? takenResponse(request, dialect, taken)
            : settledResponse(request, taken, settled);
        response.headers.set("preference-applied", `wait=${waitS}`);
        return response;
      });
    },
  };
}

async function settledOf(ask: Ask, ids: readonly string[]): Promise<readonly SettledView[]> {
  const said = await ask({ ask: "settled", ids });
  switch (said.kind) {
    case "found":
      return said.view as readonly SettledView[];
    // The reader is behind or was replaced: those who wait go on waiting.
    case "busy":
    case "missing":
    case "gone":
    case "bytes":
    case "spooled":
    case "invalid":
      return [];
    default:
      return unreachable(said);
  }
}

/** What was said at once, with the states that it has come to. */
function settledResponse(request: Request, taken: Taken, settled: SettledView): Response {
  const { status, recipients } = settled;
  const body = { ...(JSON.parse(taken.text) as object), status, recipients };
  const location = `/emails/${taken.uuid}`;
  return dressed(request, 200, JSON.stringify(body), { location });
}

/** 0 when there is none, or none that can be read: a preference is no demand. */
export function preferredWait(prefer: string): number {
  for (const one of prefer.split(/[,;]/)) {
    const seconds = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*$/i.exec(one)?.[1];
    if (seconds !== undefined) return Math.min(Number(seconds), WAIT_MAX_S);
  }
  return 0;
}
