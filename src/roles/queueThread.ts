// The queue as the door sees it. It is heard from its first word on: what it says before it is ready (a damaged store), and its death
// at any moment, must not fall into the time in which the door still loads.
import type { Clock } from "../base/clock.ts";
import type { LogLevels } from "../base/log.ts";
import type { Config } from "../config.ts";
import type { KeyRecord } from "../mail/apiKey.ts";
import { busy, type Command, type CommandAnswer, type Order } from "../mail/command.ts";
import type { UplinkView } from "../mail/query.ts";
import type { Accept, Refusal } from "../mail/submission.ts";
import type { WebhookRecord } from "../mail/webhook.ts";
import { createAsker } from "./asker.ts";
import type {
  Attempted,
  Common,
  Configure,
  DoorToQueue,
  QueueAnswers,
  QueueReady,
  QueueToDoor,
  QueueUnable,
  ThreadStart,
} from "./protocol.ts";
import { inlet, spawn, type Spawned } from "./spawn.ts";
import { createSubmitter } from "./submitter.ts";

/** A verb that concerns a million recipients takes its time, and says after a while how far it has come. */
const ORDER_TIMEOUT_MS = 25_000;

export interface QueueThread {
  readonly say: Spawned<DoorToQueue, QueueToDoor>["say"];
  /** Ready, or why the store could not be opened. */
  readonly first: Promise<QueueReady | QueueUnable>;
  readonly accept: Accept;
  readonly order: Order;
  configure(config: Config): Promise<CommandAnswer>;
  logFrom(levels: LogLevels): void;
  /** Told of all API keys after every change. */
  onKeys(hear: (keys: readonly KeyRecord[]) => void): void;
  /** Told how many senders are to work, whenever it changes. */
  onAtWork(hear: (workers: number) => void): void;
  /** `hear` is told once there is an event behind this row. */
  listen(afterRow: number): void;
  onMoved(hear: () => void): void;
  /** Told of attempts that ended without a route, where traces are exported. */
  onAttempted(hear: (told: Attempted) => void): void;
  /** Told of all webhooks after every change. */
  onWebhooks(hear: (webhooks: readonly WebhookRecord[]) => void): void;
  /** Why it takes no mail; null: it does. A moment old. */
  refusing(): Refusal | null;
  /** Calls that have no answer yet. */
  open(): number;
  /** The state of our own line, as it was told last. */
  uplink(): UplinkView;
  /** Whether it failed after it was ready. */
  broken(): boolean;
  /** Resolves when the thread is gone. */
  stop(): Promise<void>;
}

export function createQueueThread(deps: {
  readonly start: Omit<Extract<ThreadStart, { role: "queue" }>, "answers">;
  readonly clock: Pick<Clock, "soon" | "after">;
  hear(message: Common): void;
  /** An invariant broke or the disk failed, after the thread was ready. */
  failed(why: string): void;
  readonly spawn?: typeof spawn<DoorToQueue, QueueToDoor>;
}): QueueThread {
  const answers = inlet<QueueAnswers>((said) => submitter.answered(said.batch, said.answers));
  const start = { ...deps.start, answers: answers.port };
  const thread = (deps.spawn ?? spawn<DoorToQueue, QueueToDoor>)(start, [answers.port]);
  const submitter = createSubmitter({
    clock: deps.clock,
    post: thread.say,
    look: answers.look,
  });
  const orders = createAsker<Command | Configure, CommandAnswer>({
    clock: deps.clock,
    busy,
    timeoutMs: ORDER_TIMEOUT_MS,
    post: (number, command) => thread.say({ say: "command", number, command }),
  });
  const first = Promise.withResolvers<QueueReady | QueueUnable>();
  const ended = Promise.withResolvers<void>();
  let hearKeys: (keys: readonly KeyRecord[]) => void = () => {};
  let hearWebhooks: (webhooks: readonly WebhookRecord[]) => void = () => {};
  let atWork = (_: number): void => {};
  let refusing: Refusal | null = null;
  let moved = (): void => {};
  let attempted = (_: Attempted): void => {};
  let ready = false;
  let broken = false;
  let uplink: UplinkView = { state: "up", since: null, detail: null };
  const fail = (why: string): void => {
    broken = true;
    deps.failed(why);
  };
  thread.hear((message) => {
    switch (message.say) {
      case "ready":
        ready = true;
        return first.resolve(message);
      case "unable":
        return first.resolve(message);
      case "told":
        return orders.answered(message.number, message.answer);
      case "keys":
        return hearKeys(message.keys);
      case "webhooks":
        return hearWebhooks(message.webhooks);
      case "atWork":
        return atWork(message.workers);
      case "uplink":
        uplink = message.uplink;
        return;
      case "moved":
        return moved();
      case "attempted":
        return attempted(message);
      case "standing":
        return void (refusing = message.refusing);
      case "fatal":
        return fail(message.text);
      default:
        return deps.hear(message);
    }
  });
  thread.gone((why) => {
    answers.close();
    if (ready && why !== undefined) fail(why);
    const text = why ?? "the queue thread ended before it was ready";
    first.resolve({ say: "unable", why: "died", text });
    ended.resolve();
  });
  return {
    say: thread.say,
    first: first.promise,
    accept: submitter.accept,
    order: orders.ask,
    configure: (config) => orders.ask({ do: "configure", config }),
    logFrom: (levels) => thread.say({ say: "levels", levels }),
    onKeys: (hear) => void (hearKeys = hear),
    onAtWork: (hear) => void (atWork = hear),
    listen: (afterRow) => thread.say({ say: "listen", afterRow }),
    onMoved: (hear) => void (moved = hear),
    onAttempted: (hear) => void (attempted = hear),
    onWebhooks: (hear) => void (hearWebhooks = hear),
    refusing: () => refusing,
    open: submitter.open,
    uplink: () => uplink,
    broken: () => broken,
    stop() {
      thread.say({ say: "stop" });
      return ended.promise;
    },
  };
}
