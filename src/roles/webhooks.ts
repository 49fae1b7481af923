// The webhooks in the door's thread: their dispatcher, and what the API needs of it.
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { systemRandom } from "../base/random.ts";
import type { Order } from "../mail/command.ts";
import type { Answer, Query } from "../mail/query.ts";
import type { WebhookRecord } from "../mail/webhook.ts";
import type { HookTracing } from "../report/webhookTrace.ts";
import { createWebhooks } from "../report/webhooks.ts";
import type { WebhookDesk } from "../submit/webhooks.ts";
import type { QueueReady } from "./protocol.ts";
import type { Web } from "./web.ts";

export interface OpenedWebhooks {
  readonly desk: WebhookDesk;
  /** Once the daemon serves: one that cannot must not tell what the next one owes. */
  start(): void;
  close(): Promise<void>;
}

export function openWebhooks(deps: {
  readonly ready: Pick<QueueReady, "tag" | "webhooks">;
  readonly web: Pick<Web, "webhooks" | "opened">;
  readonly order: Order;
  readonly ask: (query: Query) => Promise<Answer>;
  /** Told of all webhooks after every change. */
  readonly onWebhooks: (hear: (webhooks: readonly WebhookRecord[]) => void) => void;
  readonly meter: Meter;
  readonly log: Log;
  readonly tracing: HookTracing;
  readonly version: string;
}): OpenedWebhooks {
  const { ready, web, order, ask, meter, log } = deps;
  const webhooks = createWebhooks({
    ...{ order, ask, meter, log, clock: systemClock, random: systemRandom, tag: ready.tag },
    userAgent: `postrider/${deps.version}`,
    post: web.webhooks.post,
    tracing: deps.tracing,
  });
  let records = ready.webhooks;
  let isStarted = false;
  deps.onWebhooks((next) => {
    records = next;
    if (isStarted) webhooks.heard(next);
  });
  const { pending, mayReplay, replay } = webhooks;
  return {
    desk: { records: () => records, pending, mayReplay, replay, opened: web.opened },
    start() {
      isStarted = true;
      webhooks.heard(records);
    },
    close: webhooks.close,
  };
}
