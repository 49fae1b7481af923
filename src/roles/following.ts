// Those who follow the events, between the queue that says that there is something and the reader that tells what.
import { systemClock } from "../base/clock.ts";
import type { Answer, Query } from "../mail/query.ts";
import { createFollower, type Follower } from "../report/follow.ts";
import type { QueueThread } from "./queueThread.ts";

export function follow(
  queue: Pick<QueueThread, "listen" | "onMoved">,
  ask: (query: Query) => Promise<Answer>,
): Follower {
  const follower = createFollower({ ask, listen: queue.listen, clock: systemClock });
  queue.onMoved(follower.moved);
  return follower;
}
