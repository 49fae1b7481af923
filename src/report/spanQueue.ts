// Spans on their way to the collector: a bounded line, sent in batches. A collector that is down, slow or full costs the spans that have no
// more room, which are counted, and nothing else.
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { unreachable } from "../base/unreachable.ts";
import { createStanding } from "./otlpStanding.ts";
import type { Span } from "./span.ts";

/**
 * - `sent`: the collector has them, all but `rejected`.
 * - `later`: it may take them after `afterMs`, or when it likes.
 * - `refused`: it never will.
 */
export type Sent =
  | { readonly kind: "sent"; readonly rejected: number; readonly text: string }
  | { readonly kind: "later"; readonly afterMs: number | undefined; readonly text: string }
  | { readonly kind: "refused"; readonly text: string };

export type SpanResult = "exported" | "dropped" | "failed" | "rejected";

export interface SpanQueueDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly roll: () => number;
  send(spans: readonly Span[], signal: AbortSignal): Promise<Sent>;
  count(result: SpanResult, spans: number): void;
}

export interface SpanQueue {
  add(spans: readonly Span[]): void;
  /** What went wrong finds room when there is none for the rest. */
  hasRoom(isTrouble: boolean): boolean;
  /** Sends what is there within the time; the rest is counted as dropped. */
  close(withinMs: number): Promise<void>;
}

/** Spans that wait; beyond them they are dropped. About 1 KB each. */
export const SPANS_MAX = 8_192;
/** As far as the line may be filled by what went well. */
const SHARE = 3 / 4;
/** Spans of one request, and how long the first of them waits for company. */
export const BATCH_SPANS = 512;
export const BATCH_MS = 1_000;
/** Tries of one batch, and the waits between them, doubling. */
export const TRIES_MAX = 5;
const FIRST_WAIT_MS = 1_000;
const WAIT_MAX_MS = 30_000;
const JITTER = 0.2;

export function createSpanQueue(deps: SpanQueueDeps): SpanQueue {
  const { clock } = deps;
  const waiting: Span[] = [];
  const closing = new AbortController();
  let timer: Timer | undefined;
  let sending: Promise<void> | undefined;
  let wake: (() => void) | undefined;
  let isClosing = false;

  const tell = createStanding(deps.log, "traces");

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const pausing = clock.after(ms, () => wake?.());
      wake = () => {
        wake = undefined;
        pausing.cancel();
        resolve();
      };
    });

  /** True: they are gone, this way or another. */
  const trySend = async (batch: readonly Span[], tries: number): Promise<boolean> => {
    const sent = await deps.send(batch, closing.signal);
    switch (sent.kind) {
      case "sent": {
        const rejected = Math.min(sent.rejected, batch.length);
        tell(rejected > 0 ? sent.text : null);
        deps.count("exported", batch.length - rejected);
        if (rejected > 0) deps.count("rejected", rejected);
        return true;
      }
      case "later": {
        tell(sent.text);
        if (tries < TRIES_MAX && !isClosing) {
          const usual = FIRST_WAIT_MS * 2 ** (tries - 1) * (1 + JITTER * deps.roll());
          await pause(Math.min(WAIT_MAX_MS, sent.afterMs ?? usual));
          return false;
        }
        deps.count("failed", batch.length);
        return true;
      }
      case "refused":
        tell(sent.text);
        deps.count("failed", batch.length);
        return true;
      default:
        return unreachable(sent);
    }
  };

  const sendAll = async (): Promise<void> => {
    while (waiting.length > 0 && !closing.signal.aborted) {
      const batch = waiting.splice(0, BATCH_SPANS);
      for (let tries = 1; !(await trySend(batch, tries)); tries++);
      if (!isClosing && waiting.length < BATCH_SPANS) break;
    }
    sending = undefined;
    if (waiting.length > 0 && !closing.signal.aborted) arm();
  };

  const go = (): void => {
    timer?.cancel();
    timer = undefined;
    sending ??= sendAll();
  };

  const arm = (): void => {
    if (sending !== undefined) return;
    if (waiting.length >= BATCH_SPANS) go();
    else timer ??= clock.after(BATCH_MS, go);
  };

  return {
    hasRoom: (isTrouble) => waiting.length < SPANS_MAX * (isTrouble ? 1 : SHARE) && !isClosing,
    add(spans) {
      const room = isClosing ? 0 : Math.max(0, SPANS_MAX - waiting.length);
      const taken = spans.length <= room ? spans : spans.slice(0, room);
      waiting.push(...taken);
      if (taken.length < spans.length) deps.count("dropped", spans.length - taken.length);
      if (taken.length > 0) arm();
    },
    async close(withinMs) {
      isClosing = true;
      const late = clock.after(withinMs, () => {
        closing.abort();
        wake?.();
      });
      wake?.();
      while (waiting.length > 0 && !closing.signal.aborted) {
        go();
        await sending;
      }
      await sending;
      late.cancel();
      if (waiting.length > 0) deps.count("dropped", waiting.length);
      waiting.length = 0;
    },
  };
}
