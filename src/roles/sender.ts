// A sender thread: some sites are its own, databases are not. Jobs come from the queue's channel and verdicts go back there in
// batches; the door hears only log lines and metrics.
import { createReadStream } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { MessagePort } from "node:worker_threads";
import { systemClock, type Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { systemRandom } from "../base/random.ts";
import { unreachable } from "../base/unreachable.ts";
import { createSender, type Sender } from "../deliver/sender.ts";
import { createTracer } from "../deliver/trace.ts";
import { type CommandAnswer, done, type SenderCommand } from "../mail/command.ts";
import { createSignApart, type SignApart, signaturesApart } from "../mail/dkim/apart.ts";
import type { DkimKey } from "../mail/dkim/key.ts";
import { openKeyring } from "../mail/dkim/keyring.ts";
import { createSigner, type Signer } from "../mail/dkim/signer.ts";
import type { Verdict } from "../mail/verdict.ts";
import { attemptOrder } from "../route/order.ts";
import type { Route } from "../route/route.ts";
import { attemptsFor } from "./attemptTelling.ts";
import { createConnecting } from "./connecting.ts";
import { SPOOL_FOLDER } from "./dataFolder.ts";
import { handle, type Handlers } from "./handlers/handle.ts";
import { senderHandlers } from "./handlers/sender.ts";
import {
  type Configure,
  type DoorToSender,
  type Jobs,
  packVerdicts,
  type QueueToSender,
  type SenderToDoor,
  type SenderToQueue,
  type ThreadStart,
} from "./protocol.ts";
import { hearRoutes } from "./routesTold.ts";
import { deliverSettings } from "./settings.ts";
import { createThread } from "./thread.ts";
import { createCpuShare } from "./threadFigures.ts";
import { unpack } from "./wire.ts";

export function runSender(start: Extract<ThreadStart, { role: "sender" }>): void {
  const { config, index, replaces } = start;
  const clock = systemClock;
  const thread = createThread<SenderToDoor, DoorToSender>({
    name: `sender-${index}`,
    levels: config.logLevel,
    measures: config.metrics,
    beforeReport: () =>
      tell({ say: "load", load: { cpuShare: cpuShare(), isFull: sender.isFull() } }),
  });
  let queue: MessagePort | undefined;
  const cpuShare = createCpuShare(clock);
  const tell = (message: SenderToQueue): void => queue?.postMessage(message);
  const outbox = createOutbox(tell);
  let endJobs = (): void => {};
  const jobsEnded = new Promise<void>((resolve) => (endJobs = resolve));
  const spool = join(config.dataDir, SPOOL_FOLDER);
  const signWith = (keys: readonly DkimKey[]): void => {
    signer = signerWith(keys, signApart, thread.log);
  };
  let { atWork } = start;
  const cores = availableParallelism();
  const signApart = createSignApart(() => signaturesApart(cores, atWork));
  let signer = signerWith(start.keys, signApart, thread.log);
  const connecting = createConnecting(config, thread);
  let attempts = attemptsFor(config, null, thread.say);
  const tracer = createTracer({
    clock,
    tell: (number, lines, dropped) => thread.say({ say: "traced", number, lines, dropped }),
  });
  const sender = createSender({
    clock,
    tracer,
    random: systemRandom,
    connect: connecting.connect,
    meter: thread.meter,
    log: thread.log,
    settings: deliverSettings(config),
    replaces,
    verdict(verdict, job, cameAtMs) {
      outbox.add(verdict);
      if (attempts !== null) attempts.ended(verdict, job, cameAtMs);
    },
    readSpool: (file) => createReadStream(join(spool, file)),
    signer: () => signer,
    order: attemptOrder,
  });

  const configure = ({ config: next }: Configure): CommandAnswer => {
    thread.logFrom(next.logLevel);
    thread.meter.turn(next.metrics);
    connecting.configure(next);
    sender.configure(deliverSettings(next));
    attempts = attemptsFor(next, attempts, thread.say);
    return done(null);
  };
  const handlers: Handlers<SenderCommand | Configure> = {
    configure,
    ...senderHandlers(sender, tracer, signWith),
  };
  thread.hear((message) => {
    switch (message.say) {
      case "queue": {
        queue = message.port;
        const routes: Route[] = [];
        queue.on("message", (said: QueueToSender) => {
          switch (said.say) {
            case "jobs":
              return submitAll(sender, routes, said);
            case "recall": {
              const late = sender.recall(said.recall);
              // Behind the verdicts of all that could be given back.
              outbox.flush();
              return tell({ say: "recalled", late });
            }
            case "part":
              return sender.part(said.sites, (parted) => tell({ say: "parted", parted }));
            case "adopt":
              return sender.adopt(said.parted);
            case "noMoreJobs":
              return endJobs();
            default:
              return unreachable(said);
          }
        });
        return;
      }
      case "atWork":
        return void (atWork = message.workers);
      case "command":
        return void handle(handlers, message.command).then((answer) =>
          thread.say({ say: "told", number: message.number, answer }),
        );
      case "stop":
        return void Promise.all([sender.stop(message.graceMs), jobsEnded]).then(() => {
          outbox.flush();
          attempts?.flush();
          tell({ say: "bye" });
          connecting.close();
          queue?.close();
          thread.stopped();
        });
      default:
        return unreachable(message);
    }
  });
}

/** `routes`: those that the queue has told. */
function submitAll(sender: Sender, routes: Route[], { told, packed }: Jobs): void {
  hearRoutes(routes, told);
  for (const { head, body } of unpack(packed)) {
    const route = routes[head.route];
    if (route === undefined) throw new Error(`a job names route ${head.route}, which is not there`);
    sender.submit(head.job, route, body);
  }
}

function signerWith(keys: readonly DkimKey[], signApart: SignApart, log: Log): Signer {
  const keyring = openKeyring(keys, ({ domain, selector }, why) =>
    log("error", "dkim.key_unusable", { domain, selector, why }),
  );
  return createSigner(keyring, signApart);
}

/**
 * Verdicts come one by one, a socket event each, and a message between threads costs ten times as much alone as in company. Nobody
 * waits for them, so they wait for each other: so long, or until there are so many.
 */
const GATHER_MS = 2;
const GATHER_MAX = 64;

function createOutbox(tell: (message: SenderToQueue) => void) {
  let waiting: Verdict[] = [];
  let timer: Timer | undefined;
  const flush = (): void => {
    timer?.cancel();
    timer = undefined;
    if (waiting.length === 0) return;
    const verdicts = waiting;
    waiting = [];
    tell({ say: "verdicts", packed: packVerdicts(verdicts) });
  };
  return {
    flush,
    add(verdict: Verdict): void {
      waiting.push(verdict);
      if (waiting.length >= GATHER_MAX) flush();
      else timer ??= systemClock.after(GATHER_MS, flush);
    },
  };
}
