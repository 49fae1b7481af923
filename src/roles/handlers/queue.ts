// The commands of the queue room.
import type { Log } from "../../base/log.ts";
import type { HostTag } from "../../mail/id.ts";
import { type CommandAnswer, done, type QueueCommand, type QueueVerb } from "../../mail/command.ts";
import type { Queue } from "../../queue/queue.ts";
import { tellOrder } from "./orderLines.ts";
import type { Handlers } from "./handle.ts";

export interface QueueHandlerDeps {
  readonly log: Log;
  readonly tag: HostTag;
}

export function queueHandlers(
  queue: Pick<Queue, "look" | "order">,
  { log, tag }: QueueHandlerDeps,
): Omit<Handlers<QueueCommand>, "queue.route" | "queue.survey"> {
  const order = (verb: QueueVerb): Promise<CommandAnswer> =>
    new Promise((resolve) =>
      queue.order(verb, (answer) => {
        tellOrder(verb, answer, log, tag);
        resolve(answer);
      }),
    );
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
