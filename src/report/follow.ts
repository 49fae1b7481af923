// Follows the event table for all who want to know at once what happens. The reader is asked only while somebody listens, when the queue
// says that there is something new; those who stand at the same place share one answer, and nothing is kept for whoever is slow.
import type { Clock, Timer } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import { rowBefore } from "../mail/event.ts";
import type { Feed, FeedPage } from "../mail/eventView.ts";
import type { Answer, Query } from "../mail/query.ts";

export interface FollowDeps {
  readonly ask: (query: Query) => Promise<Answer>;
  /** The queue is to say so (`moved`) once there is a row of the event table behind this one. */
  readonly listen: (afterRow: number) => void;
  readonly clock: Pick<Clock, "after" | "monotonicMs">;
}

export interface Follower extends Feed {
  /** The queue's word that there is something new. */
  moved(): void;
  /** Nobody waits any longer, and nothing more is told. */
  close(): void;
}

/** Events of one page. */
const PAGE_EVENTS = 200;
/** Pages that are kept for whoever comes by the same place a moment later. */
const PAGES_KEPT = 8;
/** After the queue's word a little more is let come, so that a busy daemon tells it in larger pieces. */
const GATHER_MS = 10;
/** Looked at without a word of the queue, should one get lost. */
const LOOK_MS = 1000;
/** After an answer that did not come. */
const BUSY_MS = 200;

export function createFollower({ ask, listen, clock }: FollowDeps): Follower {
  const pages = new Map<number, Promise<FeedPage | null>>();
  const sleepers = new Set<() => void>();
  let closed = false;
  let gathering: Timer | undefined;

  const wake = (): void => {
    gathering?.cancel();
    gathering = undefined;
    const woken = [...sleepers];
    sleepers.clear();
    for (const go of woken) go();
  };

  const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const go = (): void => {
        timer.cancel();
        sleepers.delete(go);
        signal.removeEventListener("abort", go);
        resolve();
      };
      const timer = clock.after(ms, go);
      sleepers.add(go);
      signal.addEventListener("abort", go, { once: true });
    });

  const page = async (after: number): Promise<FeedPage | null> => {
    const answer = await ask({ ask: "feed", feed: { after, limit: PAGE_EVENTS } });
    return answer.kind === "found" ? (answer.view as FeedPage) : null;
  };

  /** An answer that holds nothing, or none at all, is asked for anew by the next who comes. */
  const shared = (after: number): Promise<FeedPage | null> => {
    const known = pages.get(after);
    if (known !== undefined) return known;
    const asked = page(after);
    pages.set(after, asked);
    const forget = (): void => void (pages.get(after) === asked && pages.delete(after));
    asked.then((found) => {
      if (found === null || found.events.length === 0) forget();
    }, forget);
    keepNewest(pages, PAGES_KEPT);
    return asked;
  };

  return {
    async end() {
      const answer = await ask({ ask: "feed", feed: { limit: 0 } });
      return answer.kind === "found" ? (answer.view as FeedPage).next : null;
    },
    async next(after, signal, withinMs) {
      const untilMs = clock.monotonicMs() + withinMs;
      while (!closed && !signal.aborted) {
        const found = await shared(after);
        if (found !== null && (found.next > after || found.more)) return found;
        if (closed || signal.aborted) return null;
        const leftMs = untilMs - clock.monotonicMs();
        if (leftMs <= 0) return { events: [], next: after, more: false, forgotten: 0 };
        const slept = sleep(Math.min(leftMs, found === null ? BUSY_MS : LOOK_MS), signal);
        if (found !== null) listen(rowBefore(after));
        await slept;
      }
      return null;
    },
    moved() {
      if (sleepers.size > 0) gathering ??= clock.after(GATHER_MS, wake);
    },
    close() {
      closed = true;
      pages.clear();
      wake();
    },
  };
}
