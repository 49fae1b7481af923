// What watches over a load while it runs: signals to end, processes of its own that die, and the line that shows how it goes.
import { systemClock } from "../../base/clock.ts";
import type { Book } from "../../stress/book.ts";
import type { Load } from "../../stress/load.ts";

export interface StressIo {
  /** PATH, for the processes of its own. */
  readonly path: string;
  /** The line that shows how it goes; null: nobody watches a terminal. */
  readonly progress: ((line: string) => void) | null;
  /** Resolves at the next signal to end. */
  untilStopped(): Promise<void>;
}

const PROGRESS_EVERY_MS = 250;

/** Signals to end from now on, the first of which ends the load, and the second the waiting for what it left. */
export interface Stops {
  /** Told of the first and the second; at once of what was before. */
  each(hear: (count: number) => void): void;
}

export function listenForStops(io: Pick<StressIo, "untilStopped">): Stops {
  let count = 0;
  let tell = (_count: number): void => {};
  void (async () => {
    // Whoever presses it a third time waits for the report already.
    for (;;) {
      await io.untilStopped();
      tell(++count);
    }
  })();
  return {
    each(hear) {
      tell = hear;
      for (let before = 1; before <= count; before++) hear(before);
    },
  };
}

export interface Watch {
  /** Resolves when there is no more time for anything. */
  readonly hurried: Promise<void>;
  /** Of the process that ended by itself; empty while all live. */
  deadWords(): string;
  stop(): void;
}

interface Watched {
  readonly progress: StressIo["progress"];
  readonly stops: Stops;
  /** Of the processes of its own; null: there are none. */
  readonly died: Promise<string> | null;
  readonly load: Load;
  readonly book: Book;
}

export function watchOver({ progress, stops, died, load, book }: Watched): Watch {
  const hurried = Promise.withResolvers<void>();
  let words = "";
  let isOver = false;
  stops.each((count) => {
    load.stop("stopped");
    if (count > 1) hurried.resolve();
  });
  void died?.then((said) => {
    if (isOver) return;
    words = said;
    load.stop("unreachable");
    load.stop("unreachable");
    hurried.resolve();
  });
  const show = startProgress(progress, book);
  return {
    hurried: hurried.promise,
    deadWords: () => words,
    stop() {
      isOver = true;
      show.stop();
    },
  };
}

function startProgress(progress: StressIo["progress"], book: Book): { stop(): void } {
  if (progress === null) return { stop: () => {} };
  const clock = systemClock;
  const startedAtMs = clock.monotonicMs();
  let before = { atMs: startedAtMs, accepted: 0, delivered: 0 };
  const show = (): void => {
    const { accepted, delivered, failed, deferred, refused, unanswered, unsent } = book.counts();
    const atMs = clock.monotonicMs();
    const rate = (now: number, then: number): string =>
      Math.round(((now - then) * 1000) / (atMs - before.atMs)).toString();
    const parts = [
      `${((atMs - startedAtMs) / 1000).toFixed(1)} s`,
      `accepted ${accepted} (${rate(accepted, before.accepted)}/s)`,
      `delivered ${delivered} (${rate(delivered, before.delivered)}/s)`,
      `deferred ${deferred}`,
      `failed ${failed + refused + unanswered + unsent}`,
    ];
    progress(parts.join("  "));
    before = { atMs, accepted, delivered };
    timer = clock.after(PROGRESS_EVERY_MS, show);
  };
  let timer = clock.after(PROGRESS_EVERY_MS, show);
  return {
    stop() {
      timer.cancel();
      progress("");
    },
  };
}
