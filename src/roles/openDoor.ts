// The door with all that it needs, and the sockets that it serves.
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config.ts";
import type { Endpoint } from "../config/kinds.ts";
import type { Order } from "../mail/command.ts";
import { createIds } from "../mail/id.ts";
import type { Domains } from "../mail/domain.ts";
import type { Answer, Query } from "../mail/query.ts";
import type { Accept } from "../mail/submission.ts";
import type { Metrics } from "../report/metrics.ts";
import { digestOf } from "../submit/auth.ts";
import { createDoor, type Door, type Health } from "../submit/door.ts";
import { type Listener, serveLocal, serveTcp } from "../submit/serve.ts";
import { createSpool } from "../submit/spool.ts";
import { version } from "../commands/version.ts";
import { CONTROL_SOCKET, SPOOL_FOLDER } from "./dataFolder.ts";
import type { QueueReady } from "./protocol.ts";
import { doorLimits } from "./settings.ts";

export type OpenedDoor =
  | { readonly kind: "open"; readonly url: string; close(): Promise<void> }
  | { readonly kind: "failed"; readonly text: string };

/** What a caller is told to wait while the daemon ends: its successor should be up by then. */
const DRAINING_RETRY_S = 10;
/** How long requests that are open at the end may take; a client that sends slowly must not hold the daemon. */
const LAST_REQUESTS_MS = 2_000;
/** How often the process's memory is looked at, and what a caller is told to wait when it is short. */
const MEMORY_LOOK_MS = 1000;
const MEMORY_RETRY_S = 2;

export type OpenDoor = typeof openDoor;

export function openDoor(deps: {
  readonly config: Config;
  readonly apiKey: string;
  readonly ready: QueueReady;
  readonly accept: Accept;
  readonly domains: Domains;
  readonly ask: (query: Query) => Promise<Answer>;
  readonly order: Order;
  readonly isDraining: () => boolean;
  readonly meter: Meter;
  readonly metrics: Metrics;
  readonly log: Log;
}): OpenedDoor {
  const { config, ready } = deps;
  const key = { id: "first", digest: digestOf(deps.apiKey) };
  const limits = doorLimits(config);
  const memory = watchMemory(config.memoryLimitBytes);
  const health = (): Health => {
    if (deps.isDraining())
      return { kind: "refusing", why: "draining", retryAfterS: DRAINING_RETRY_S };
    if (memory.isShort())
      return { kind: "refusing", why: "memory_low", retryAfterS: MEMORY_RETRY_S };
    return { kind: "accepting" };
  };
  const door = createDoor({
    accept: deps.accept,
    ask: deps.ask,
    order: deps.order,
    domains: deps.domains,
    ids: createIds(ready.lastId),
    tag: ready.tag,
    hostname: config.hostname,
    keys: () => [key],
    clock: systemClock,
    random: systemRandom,
    limits,
    health,
    spool: createSpool(join(config.dataDir, SPOOL_FOLDER), systemRandom),
    meter: deps.meter,
    metrics: deps.metrics.render,
    version,
    log: deps.log,
  });
  const listeners: Listener[] = [];
  // What is being opened, for the sentence that says that it failed.
  let what = "";
  const openTcp = (setting: string, served: Door, { host, port }: Endpoint): Listener => {
    what = `${setting} ${host.includes(":") ? `[${host}]` : host}:${port}`;
    const listener = serveTcp(served, { hostname: host, port });
    listeners.push(listener);
    return listener;
  };
  try {
    const { url } = openTcp("listen", door, config.listen);
    if (config.metricsListen !== null)
      openTcp("metrics_listen", metricsOnly(door), config.metricsListen);
    what = join(config.dataDir, CONTROL_SOCKET);
    listeners.push(serveLocal(door, what));
    return {
      kind: "open",
      url,
      async close() {
        memory.stop();
        const answered = Promise.all(listeners.map((one) => one.stop()));
        const late = new Promise((resolve) =>
          systemClock.after(LAST_REQUESTS_MS, () => resolve(0)),
        );
        await Promise.race([answered, late]);
        await Promise.all(listeners.map((one) => one.stopNow()));
      },
    };
  } catch (error) {
    memory.stop();
    for (const one of listeners) void one.stopNow();
    return { kind: "failed", text: `${what}: ${reasonOf(error)}` };
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "EADDRINUSE" ? "the port is taken by another program" : message;
}

/** The address of `metrics_listen` answers nothing else. */
function metricsOnly(door: Door): Door {
  const nothing = (): Response => new Response("Only /metrics is here.\n", { status: 404 });
  return {
    fetch: (request, peer) =>
      new URL(request.url).pathname === "/metrics" ? door.fetch(request, peer) : nothing(),
    send: () => Promise.resolve(nothing()),
  };
}

function watchMemory(limitBytes: number) {
  let short = false;
  const look = (): void => {
    short = process.memoryUsage.rss() > limitBytes;
    timer = systemClock.after(MEMORY_LOOK_MS, look);
  };
  let timer = systemClock.after(MEMORY_LOOK_MS, look);
  return { isShort: () => short, stop: () => timer.cancel() };
}
