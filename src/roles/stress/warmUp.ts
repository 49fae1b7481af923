// A daemon runs for months, so its first seconds are no measure: the runtime compiles what is used often, and takes some time for it.
import { type Clock, pause, systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import type { DaemonClient } from "../../commands/daemonClient.ts";
import { type StressRequest, stressLimits } from "../../commands/stressRequest.ts";
import { createBook } from "../../stress/book.ts";
import { startLoad } from "../../stress/load.ts";
import { createAddresses, newTag } from "../../stress/mix.ts";
import { createRequests } from "../../stress/request.ts";
import type { Dial } from "../../stress/socket.ts";
import { ownQueueSoon, type QueueSums } from "./figures.ts";
import type { At } from "./place.ts";
import type { Stops } from "./watch.ts";

interface Cold {
  readonly request: StressRequest;
  readonly client: DaemonClient;
  readonly dial: Dial;
  readonly place: At;
  readonly stops: Stops;
  /** Null: it has other mail as well, and is not waited for. */
  readonly house: object | null;
}

const LOOK_EVERY_MS = 100;
const NAME = "warm-up";

/** The same load for a while, which is in no figure. Gives what a daemon of its own has to show for it. */
export async function warmUp(
  { request, client, dial, place, stops, house }: Cold,
  clock: Clock = systemClock,
): Promise<QueueSums | null> {
  if (request.warmUpMs === 0) return null;
  const mix = [{ name: NAME, weight: 1 }];
  const addresses = createAddresses(mix, request.domain, newTag(systemRandom));
  const load = startLoad(
    { pace: request.pace, durationMs: request.warmUpMs, countMax: stressLimits.count },
    {
      clock,
      dial,
      writer: createRequests({ ...request, addresses, ...place }),
      book: createBook(),
    },
  );
  let isStopped = false;
  stops.each(() => {
    isStopped = true;
    load.stop("stopped");
  });
  await load.done;
  if (house === null) return null;
  const untilMs = clock.monotonicMs() + request.drainMs;
  for (;;) {
    const sums = await ownQueueSoon(client);
    if (sums === null || sums.queued === 0 || isStopped || clock.monotonicMs() > untilMs)
      return sums;
    await pause(clock, LOOK_EVERY_MS);
  }
}
