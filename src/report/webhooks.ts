// The dispatcher of webhooks, in the door's thread: it follows the event table for each endpoint, sends what is new, and tells the queue thread
// how far each has come, in batches. Mail knows nothing of it. Without an endpoint it does nothing at all.
import { type Clock, pause, type Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Histogram, Meter } from "../base/meter.ts";
import type { Random } from "../base/random.ts";
import type { Order } from "../mail/command.ts";
import type { FeedPage } from "../mail/eventView.ts";
import type { hookResults } from "../mail/metricsDoor.ts";
import type { Answer, FeedQuery, Query } from "../mail/query.ts";
import {
  type HookPending,
  type HookProgress,
  type WebhookRecord,
  WEBHOOKS_MAX,
} from "../mail/webhook.ts";
import type { WebPost, WebReply } from "../web/client.ts";
import type { HookTracing } from "./webhookTrace.ts";
import { createHookEndpoint, type HookEndpoint } from "./webhookEndpoint.ts";

export interface WebhookDeps {
  readonly clock: Clock;
  readonly random: Pick<Random, "roll">;
  readonly log: Log;
  readonly meter: Pick<Meter, "gauge" | "histogram">;
  /** The data folder's. */
  readonly tag: string;
  readonly userAgent: string;
  readonly order: Order;
  readonly ask: (query: Query) => Promise<Answer>;
  post(ask: WebPost): Promise<WebReply>;
  /** Absent: what is sent says nothing of traces. */
  readonly tracing?: HookTracing;
  /** How often it looks; shorter than any wait that is promised. */
  readonly tickMs?: number;
}

export interface Webhooks {
  /** All of them, at first and after every change. */
  heard(records: readonly WebhookRecord[]): void;
  /** Events that one has still to take; those that are not read yet are counted by rows. */
  pending(number: number): number;
  /** Whether one more may wait; what waits already may be asked for at any time. */
  mayReplay(number: number, event: number): boolean;
  /** An event waits for an attempt again, and its row stands. */
  replay(number: number, pending: HookPending): void;
  /** What is under way may end within a short time, and is noted. */
  close(): Promise<void>;
}

/** How often new events are looked for, and how long what happened waits to be written. */
const TICK_MS = 250;
/** Requests at once beyond those that each endpoint has for itself: a slow one must not have the places of the others. */
const OWN_PLACES = 2;
const SHARED_PLACES = 64;
export const PLACES_MAX = WEBHOOKS_MAX * OWN_PLACES + SHARED_PLACES;
const CLOSE_MS = 2_000;

interface Followed {
  readonly endpoint: HookEndpoint;
  /** What waited when it was opened has been read. */
  restored: boolean;
  reading: boolean;
}

/** Places that were not free, and requests that we ended, say nothing of a receiver. */
function timed({ clock, meter, post }: WebhookDeps): WebhookDeps["post"] {
  const series = (result: (typeof hookResults)[number]): Histogram =>
    meter.histogram("postrider_webhook_attempt_duration_seconds", { result });
  const results = { taken: series("taken"), refused: series("refused"), failed: series("failed") };
  return async (ask) => {
    const startedMs = clock.monotonicMs();
    const reply = await post(ask);
    const tookS = (clock.monotonicMs() - startedMs) / 1000;
    if (reply.kind === "reply")
      results[reply.status >= 200 && reply.status < 300 ? "taken" : "refused"].observe(tookS);
    else if (reply.why !== "busy" && reply.why !== "aborted") results.failed.observe(tookS);
    return reply;
  };
}

export function createWebhooks(deps: WebhookDeps): Webhooks {
  const { clock, tickMs = TICK_MS } = deps;
  const pending = deps.meter.gauge("postrider_webhook_pending_events");
  const post = timed(deps);
  let records: readonly WebhookRecord[] = [];
  const followed = new Map<number, Followed>();
  let shared = 0;
  let timer: Timer | undefined;
  let waking = false;
  let looking: Promise<void> | undefined;
  let writing: Promise<void> | undefined;
  let closing = false;
  /** The last event of all, as it was told last. */
  let end = 0;

  const feed = async (query: FeedQuery): Promise<FeedPage | undefined> => {
    const answer = await deps.ask({ ask: "feed", feed: query });
    return answer.kind === "found" ? (answer.view as FeedPage) : undefined;
  };

  function open(record: WebhookRecord): Followed {
    // By request under way: whether its place is one of the shared ones. Which one ends first does not matter.
    let borrowed = 0;
    const endpoint = createHookEndpoint(
      {
        ...{ ...deps, post },
        async eventOf(event) {
          const page = await feed({ after: event - 1, limit: 1 });
          if (page === undefined) return undefined;
          const [found] = page.events;
          return found?.id === event ? found : null;
        },
        seize(inFlight) {
          if (closing) return false;
          if (inFlight < OWN_PLACES) return true;
          if (shared >= SHARED_PLACES) return false;
          shared++;
          borrowed++;
          return true;
        },
        free() {
          if (borrowed === 0) return;
          borrowed--;
          shared--;
        },
        end: () => end,
        woken: wake,
      },
      record,
    );
    return { endpoint, restored: false, reading: false };
  }

  function wake(): void {
    if (waking || closing) return;
    waking = true;
    clock.soon(() => {
      waking = false;
      for (const one of followed.values()) {
        one.endpoint.pump();
        void read(one);
      }
    });
  }

  /** The next page of one endpoint, if it wants one and there is one. */
  async function read(one: Followed): Promise<void> {
    if (one.reading || closing) return;
    const query = one.restored ? one.endpoint.wants() : null;
    if (one.restored && (query === null || (query.after ?? 0) >= end)) return;
    one.reading = true;
    try {
      if (query === null) await restore(one);
      else {
        const page = await feed(query);
        if (page === undefined) return;
        one.endpoint.take(page);
      }
      wake();
    } finally {
      one.reading = false;
    }
  }

  async function restore(one: Followed): Promise<void> {
    const { number } = one.endpoint.record();
    const answer = await deps.ask({ ask: "webhookPending", webhook: number });
    if (answer.kind !== "found") return;
    one.endpoint.restore(answer.view as HookPending[]);
    one.restored = true;
  }

  function tick(): void {
    timer = clock.after(tickMs, tick);
    if (records.some(({ enabled }) => enabled))
      looking ??= look().finally(() => (looking = undefined));
    writing ??= write().finally(() => (writing = undefined));
    measure();
  }

  async function look(): Promise<void> {
    const page = await feed({ limit: 0 });
    if (page !== undefined) end = page.next;
    wake();
  }

  async function write(): Promise<void> {
    const all: HookProgress[] = [];
    for (const { endpoint } of followed.values()) {
      const progress = endpoint.progress();
      if (progress !== null) all.push(progress);
    }
    if (all.length === 0) return;
    const answer = await deps.order({ do: "webhook.progress", progress: all });
    if (answer.kind === "done") return;
    for (const one of all) followed.get(one.number)?.endpoint.untold(one);
  }

  /** What is not read yet is counted by rows, of which each is two events at most. */
  function pendingAt(endpoint: HookEndpoint): number {
    const { waiting, readTo } = endpoint.standing();
    return waiting + Math.max(0, Math.ceil((end - readTo) / 2));
  }

  function measure(): void {
    let sum = 0;
    for (const { endpoint } of followed.values())
      if (endpoint.record().enabled) sum += pendingAt(endpoint);
    pending.set(sum);
  }

  return {
    heard(next) {
      records = next;
      const there = new Set(next.map(({ number }) => number));
      for (const [number, { endpoint }] of followed)
        if (!there.has(number)) {
          endpoint.close();
          followed.delete(number);
        }
      for (const record of next) {
        const one = followed.get(record.number);
        if (one === undefined) followed.set(record.number, open(record));
        else one.endpoint.change(record);
      }
      if (next.length > 0 && timer === undefined && !closing) tick();
      if (next.length > 0) return wake();
      timer?.cancel();
      timer = undefined;
      measure();
    },
    pending(number) {
      const one = followed.get(number);
      return one === undefined ? 0 : pendingAt(one.endpoint);
    },
    mayReplay: (number, event) => followed.get(number)?.endpoint.mayWait(event) ?? true,
    replay(number, pendingEvent) {
      followed.get(number)?.endpoint.restore([pendingEvent]);
      wake();
    },
    async close() {
      closing = true;
      timer?.cancel();
      const untilMs = clock.monotonicMs() + CLOSE_MS;
      const busy = (): boolean => [...followed.values()].some((one) => one.endpoint.inFlight() > 0);
      while (busy() && clock.monotonicMs() < untilMs) await pause(clock, 10);
      await writing;
      await write();
      for (const { endpoint } of followed.values()) endpoint.close();
    },
  };
}
