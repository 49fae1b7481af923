// The commands of the queue room.
import { done, type QueueCommand } from "../../mail/command.ts";
import type { Queue } from "../../queue/queue.ts";
import type { Handlers } from "./handle.ts";

export function queueHandlers(queue: Pick<Queue, "look">): Handlers<QueueCommand> {
  return {
    "queue.site": ({ site }) => done(queue.look(site)),
  };
}
