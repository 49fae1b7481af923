// The reader thread: every list, search and timeline query, and the upkeep of search.db. It never writes postrider.db.
import { systemClock } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import { createReader, type Reader } from "../search/reader.ts";
import { createGuard } from "../search/stall.ts";
import { standBack } from "./niceness.ts";
import type { DoorToReader, ReaderToDoor, ThreadStart } from "./protocol.ts";
import { createThread } from "./thread.ts";

/** Mail comes first: while the cores are busy the index lags, says so, and catches up afterwards. */
const NICENESS = 10;
/**
 * How soon new events are looked for after a look that found no more. Each page of the index that a batch meets costs the same for one
 * row and for many; with the moment that fresh events are held, the index is two seconds behind at most while the cores are free.
 */
const FOLLOW_EVERY_MS = 1000;

export function runReader({ config }: Extract<ThreadStart, { role: "reader" }>): void {
  const clock = systemClock;
  let report = (): void => {};
  const thread = createThread<ReaderToDoor, DoorToReader>({
    name: "reader",
    levels: config.logLevel,
    measures: true,
    beforeReport: () => report(),
  });
  const refused = standBack(NICENESS);
  if (refused !== undefined) thread.log("warn", "reader.priority_kept", { text: refused });
  const guard = createGuard(thread.log);
  let reader: Reader | undefined;
  let stopped = false;
  report = () => reader?.measure(thread.meter);
  const open = (): void => {
    if (stopped) return;
    reader = guard(clock.now(), () =>
      createReader({ dataDir: config.dataDir, clock, log: thread.log }),
    );
    if (reader === undefined) clock.after(FOLLOW_EVERY_MS, open);
    else follow();
  };
  const follow = (): void => {
    if (stopped) return;
    // One step at a time, so that questions are answered between them.
    if (reader?.follow() === true) clock.soon(follow);
    else clock.after(FOLLOW_EVERY_MS, follow);
  };
  open();
  thread.hear((message) => {
    switch (message.say) {
      case "ask":
        return void answer(message);
      case "stop":
        stopped = true;
        reader?.close();
        return thread.stopped();
      default:
        return unreachable(message);
    }
  });

  async function answer(asked: Extract<DoorToReader, { say: "ask" }>): Promise<void> {
    thread.say({
      say: "answer",
      number: asked.number,
      answer: reader === undefined ? { kind: "busy" } : await reader.ask(asked.query),
    });
  }
}
