// The door with all that it needs, and the sockets that it serves.
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config.ts";
import { createIds } from "../mail/id.ts";
import type { Answer, Query } from "../mail/query.ts";
import type { Accept } from "../mail/submission.ts";
import type { Metrics } from "../report/metrics.ts";
import { digestOf } from "../submit/auth.ts";
import { createDoor, type Health } from "../submit/door.ts";
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

export function openDoor(deps: {
  readonly config: Config;
  readonly apiKey: string;
  readonly ready: QueueReady;
  readonly accept: Accept;
  readonly ask: (query: Query) => Promise<Answer>;
  readonly isDraining: () => boolean;
  readonly meter: Meter;
  readonly metrics: Metrics;
  readonly log: Log;
}): OpenedDoor {
  const { config, ready } = deps;
  const key = { id: "first", digest: digestOf(deps.apiKey) };
  const limits = doorLimits(config);
  const health = (): Health =>
    deps.isDraining()
      ? { kind: "refusing", why: "draining", retryAfterS: DRAINING_RETRY_S }
      : { kind: "accepting" };
  const door = createDoor({
    accept: deps.accept,
    ask: deps.ask,
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
  const options = { bodyBytesMax: limits.messageBytes };
  const listeners: Listener[] = [];
  try {
    const { host, port } = config.listen;
    const tcp = serveTcp(door, { hostname: host, port }, options);
    listeners.push(tcp, serveLocal(door, join(config.dataDir, CONTROL_SOCKET), options));
    return {
      kind: "open",
      url: tcp.url,
      close: async () => void (await Promise.all(listeners.map((one) => one.stop()))),
    };
  } catch (error) {
    for (const one of listeners) void one.stopNow();
    return { kind: "failed", text: `listen: ${(error as Error).message}` };
  }
}
