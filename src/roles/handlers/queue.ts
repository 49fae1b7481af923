// The commands of the queue room.
import { type CommandAnswer, done, type QueueCommand, type QueueVerb } from "../../mail/command.ts";
import type { Queue } from "../../queue/queue.ts";
import type { Handlers } from "./handle.ts";

export function queueHandlers(
  queue: Pick<Queue, "look" | "order">,
): Omit<Handlers<QueueCommand>, "queue.route" | "queue.survey"> {
  const order = (verb: QueueVerb): Promise<CommandAnswer> =>
    new Promise((resolve) => queue.order(verb, resolve));
  return {
    "queue.cancel": order,
    "queue.retry": order,
    "queue.reschedule": order,
    "queue.hold": order,
    "queue.release": order,
    "queue.flush": order,
    "queue.pause": order,
    "queue.resume": order,
    "suppress.add": order,
    "suppress.remove": order,
    "suppress.report": order,
    "queue.site": ({ site }) => done(queue.look(site)),
  };
}
