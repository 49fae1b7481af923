// One endpoint: what it is sent, how many at once, and what is noted of it. A receiver that is dead is asked by one request at a time, each
// on the schedule of its event, and nothing more is read for it: its backlog stays where it is, in the event table.
import { type Clock, type EpochMs, iso } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { unreachable } from "../base/unreachable.ts";
import type { FeedEvent, FeedPage } from "../mail/eventView.ts";
import type { FeedQuery } from "../mail/query.ts";
import {
  type HookAttempt,
  hookEventId,
  type HookPending,
  type HookProgress,
  PENDING_MAX,
  typesOf,
  type WebhookRecord,
} from "../mail/webhook.ts";
import type { WebPost, WebReply } from "../web/client.ts";
import { fitBody } from "./webhookBody.ts";
import { createHookNotes } from "./webhookNotes.ts";
import { outcomeOf, REPLY_BYTES_KEPT, wordsOf } from "./webhookOutcome.ts";
import { isHopeless, nextAttemptAt, RETRY_AFTER_MAX_MS, WAIT_MAX_MS } from "./webhookSchedule.ts";
import { signedHeaders } from "./webhookSigning.ts";
import type { HookTracing } from "./webhookTrace.ts";
import { createHookWindow, type HookItem } from "./webhookWindow.ts";

export interface EndpointDeps {
  readonly clock: Clock;
  readonly random: Pick<Random, "roll">;
  readonly log: Log;
  readonly tag: string;
  readonly userAgent: string;
  post(ask: WebPost): Promise<WebReply>;
  /** Null: it is no longer kept; undefined: not to be had now. */
  eventOf(event: number): Promise<Pick<FeedEvent, "body" | "trace"> | null | undefined>;
  readonly tracing?: HookTracing | undefined;
  /** False: no request more may leave now. It is given back by `free`. */
  seize(inFlight: number): boolean;
  free(): void;
  /** The last event of all, as far as is known. */
  end(): number;
  /** There may be something to do: a place, a page. */
  woken(): void;
}

export interface HookEndpoint {
  record(): WebhookRecord;
  /** Other terms or secrets from now on. */
  change(next: WebhookRecord): void;
  restore(pending: readonly HookPending[]): void;
  /** A row of its own for this event is within what a start reads. */
  mayWait(event: number): boolean;
  /** Starts what may start now. */
  pump(): void;
  /** What is to be read next; null: nothing now. */
  wants(): FeedQuery | null;
  take(page: FeedPage): void;
  /** What has changed since the last time; null: nothing. */
  progress(): HookProgress | null;
  /** It was not written: it is told again. */
  untold(progress: HookProgress): void;
  inFlight(): number;
  /** Events that are here and not yet taken, and how far was read. */
  standing(): { readonly waiting: number; readonly readTo: number };
  /** Whatever is under way is given up, and nothing more is said. */
  close(): void;
}

/** INTERFACE leaves it to us; Standard Webhooks says 15 to 30 s. */
const TIMEOUT_MS = 15_000;
/** The status decides; what follows it is only for the log. */
const BODY_MS = 2_000;
/** Requests at once: it begins with few, and each that is taken earns one more. */
const IN_FLIGHT_FIRST = 2;
export const IN_FLIGHT_MAX = 16;
/** So many failures in a row, of whatever events: the endpoint is down, whatever its messages. */
const DOWN_AFTER = 4;
const PROBE_MS = 300_000;
/** Events of one page, and how few of them are left when the next is read. */
const PAGE_EVENTS = 128;
const REFILL_BELOW = 64;
/** After an event that could not be read now; asked at once again, a reader that cannot open its files would keep both threads busy. */
const READ_AGAIN_MS = 500;
/** Less is the slewing of NTP. */
const SET_BACK_MS = 60_000;

export function createHookEndpoint(deps: EndpointDeps, first: WebhookRecord): HookEndpoint {
  const { clock, log } = deps;
  let record = first;
  const window = createHookWindow(first.cursor);
  const notes = createHookNotes(first);
  const aborting = new AbortController();
  let inFlight = 0;
  let allowed = IN_FLIGHT_FIRST;
  let failures = 0;
  let { failingSince } = first;
  /** Monotonic. */
  let restUntilMs = -Infinity;
  let lastNow = clock.now();
  let closed = false;
  /** We switched it off. */
  let off = false;
  let probedAtMs = -Infinity;

  const isDown = (): boolean => failures >= DOWN_AFTER;
  const isOn = (): boolean => record.enabled && !closed && !off;
  const rests = (): boolean => clock.monotonicMs() < restUntilMs;

  function switchOff(why: string): void {
    off = true;
    notes.disabled(why);
    notes.remark("webhook.endpoint_disabled", why, clock.now());
    log("warn", "webhook.endpoint_disabled", { webhook: record.id, why });
  }

  /** Otherwise what waits for five minutes would wait for a year, if the clock was ahead by so much. */
  function heedClock(): void {
    const now = clock.now();
    const backMs = lastNow - now;
    lastNow = now;
    if (backMs < SET_BACK_MS) return;
    for (const item of window.setBack(backMs)) notes.note(item, "pending", []);
    if (failingSince !== null) failingSince = Math.max(0, failingSince - backMs);
  }

  function pump(): void {
    heedClock();
    while (isOn() && !notes.isFull() && !rests()) {
      if (inFlight >= (isDown() ? 1 : allowed) || !deps.seize(inFlight)) return;
      const item = window.next(clock.now(), orElse());
      if (item === undefined) return deps.free();
      probedAtMs = clock.monotonicMs();
      inFlight++;
      void send(item).finally(() => {
        inFlight--;
        deps.free();
        deps.woken();
      });
    }
  }

  /** While events are held back, one that is down is asked now and then besides: the next attempt of what waits may be a day away. */
  function orElse(): "fresh" | "earliest" | "none" {
    if (!isDown() || window.parked() === 0) return "fresh";
    if (window.fresh() === 0 && window.readTo() >= deps.end()) return "none";
    return clock.monotonicMs() - probedAtMs >= PROBE_MS ? "earliest" : "none";
  }

  async function send(item: HookItem): Promise<void> {
    const types = typesOf(record);
    // The filter may have changed since it was read; what was asked for by hand goes all the same.
    if (!item.parked && types !== null && !types.some((type) => type === item.type))
      return window.settle(item);
    const { body } = item;
    const found = body === null ? await deps.eventOf(item.event) : { body, trace: item.trace };
    if (closed) return;
    if (found === undefined) {
      restUntilMs = Math.max(restUntilMs, clock.monotonicMs() + READ_AGAIN_MS);
      return window.unsend(item);
    }
    if (found === null) return giveUp(item, "The event is no longer kept.");
    const fit = fitBody(found.body);
    const { event, type, email, tries } = item;
    const { trace = null } = found;
    const traced = deps.tracing?.begin({ event, type, email, tries, trace }, record) ?? null;
    const at = clock.now();
    const startedMs = clock.monotonicMs();
    const reply = await deps.post({
      url: record.endpoint,
      headers: {
        "Content-Type": "application/json",
        "User-Agent": deps.userAgent,
        ...traced?.headers,
        ...signedHeaders(hookEventId(item.event, deps.tag), fit, record.secrets, at),
      },
      body: Buffer.from(fit),
      timeoutMs: TIMEOUT_MS,
      keepBytes: REPLY_BYTES_KEPT,
      bodyMs: BODY_MS,
      signal: aborting.signal,
    });
    if (closed) return;
    // Neither said anything of the receiver.
    if (reply.kind === "failed" && (reply.why === "busy" || reply.why === "aborted"))
      return window.unsend(item);
    const status = reply.kind === "reply" ? reply.status : 0;
    const durationMs = Math.round(clock.monotonicMs() - startedMs);
    const attempt = { at, status, durationMs, text: wordsOf(reply) };
    traced?.ended(attempt);
    conclude(item, reply, attempt);
  }

  function conclude(item: HookItem, reply: WebReply, attempt: HookAttempt): void {
    const outcome = outcomeOf(reply, clock.now());
    item.tries++;
    switch (outcome.kind) {
      case "taken":
        return taken(item, attempt);
      case "gone":
        item.tries = 0;
        postpone(item, clock.now(), [attempt]);
        return switchOff("The receiver answered 410: it is gone.");
      case "failed":
        return failed(item, attempt, outcome.retryAfterMs);
      default:
        return unreachable(outcome);
    }
  }

  function taken(item: HookItem, attempt: HookAttempt): void {
    const wasDown = isDown();
    failures = 0;
    failingSince = null;
    allowed = Math.min(IN_FLIGHT_MAX, allowed + 1);
    notes.note(item, "success", [attempt]);
    window.settle(item);
    if (!wasDown) return;
    window.hurry(clock.now());
    log("info", "webhook.recovered", { webhook: record.id });
  }

  function failed(item: HookItem, attempt: HookAttempt, retryAfterMs: number): void {
    const now = clock.now();
    failures++;
    failingSince ??= now;
    allowed = Math.max(1, Math.floor(allowed / 2));
    if (failures === DOWN_AFTER)
      log("warn", "webhook.failing", { webhook: record.id, text: attempt.text });
    const pauseMs = Math.min(retryAfterMs, RETRY_AFTER_MAX_MS);
    if (pauseMs > 0) restUntilMs = Math.max(restUntilMs, clock.monotonicMs() + pauseMs);
    // A probe before its time is no attempt of the event.
    if (item.dueAt > now) {
      item.tries--;
      return postpone(item, item.dueAt, [attempt]);
    }
    const { tries } = item;
    const dueAt = nextAttemptAt({ tries, now, roll: deps.random.roll(), retryAfterMs });
    if (isHopeless(failingSince, tries, now)) {
      item.tries = 0;
      postpone(item, now, [attempt]);
      return switchOff(`Nothing was taken since ${iso(failingSince)}.`);
    }
    if (dueAt !== undefined) return postpone(item, dueAt, [attempt]);
    notes.note(item, "failed", [attempt]);
    window.settle(item);
  }

  /** Also those of the same message behind it, which wait for it. */
  function postpone(item: HookItem, dueAt: EpochMs, attempts: readonly HookAttempt[]): void {
    const parked = window.park(item, dueAt);
    notes.note(item, "pending", attempts);
    for (const one of parked) if (one !== item) notes.note(one, "pending", []);
  }

  function giveUp(item: HookItem, text: string): void {
    notes.note(item, "failed", [{ at: clock.now(), status: 0, durationMs: 0, text }]);
    window.settle(item);
  }

  return {
    record: () => record,
    change(next) {
      const isEnabled = next.enabled && !record.enabled;
      if (isEnabled) {
        off = false;
        notes.enabled();
      }
      // What was said of it holds no more, also when it is somewhere else now.
      if (isEnabled || next.endpoint !== record.endpoint) {
        failures = 0;
        failingSince = null;
        restUntilMs = -Infinity;
        allowed = IN_FLIGHT_FIRST;
        window.renew(0);
      }
      record = next;
    },
    restore(pending) {
      const latest = clock.now() + WAIT_MAX_MS;
      window.restore(pending.map((one) => ({ ...one, dueAt: Math.min(one.dueAt, latest) })));
    },
    mayWait: (event) => window.isParked(event) || window.parked() < PENDING_MAX,
    pump,
    wants() {
      if (!isOn() || isDown() || rests()) return null;
      if (window.fresh() >= REFILL_BELOW || window.parked() >= PENDING_MAX) return null;
      const types = typesOf(record);
      const query = { after: window.readTo(), limit: PAGE_EVENTS };
      return types === null ? query : { ...query, types };
    },
    take({ events, next, forgotten }) {
      if (closed) return;
      if (forgotten > window.readTo()) {
        const text = `The events ${window.readTo() + 1} to ${forgotten} are no longer kept.`;
        notes.remark("webhook.events_skipped", text, clock.now());
        log("warn", "webhook.events_skipped", { webhook: record.id, text });
      }
      for (const item of window.add(events, Math.max(next, forgotten)))
        notes.note(item, "pending", []);
    },
    progress: () => notes.progress({ cursor: window.cursor(), failingSince }),
    untold: (progress) => notes.untold(progress, off),
    inFlight: () => inFlight,
    standing: () => ({ waiting: window.fresh() + window.parked(), readTo: window.readTo() }),
    close() {
      closed = true;
      aborting.abort();
    },
  };
}
