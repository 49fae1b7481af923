// The door with all that it needs, and the sockets that it serves.
import { join } from "node:path";
import { type EpochMs, systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config.ts";
import type { KeyRecord } from "../mail/apiKey.ts";
import type { CommandAnswer, Order } from "../mail/command.ts";
import { createIds } from "../mail/id.ts";
import type { Domains } from "../mail/domain.ts";
import type { Answer, Query, UplinkView } from "../mail/query.ts";
import type { Accept, Refusal } from "../mail/submission.ts";
import type { WebhookRecord } from "../mail/webhook.ts";
import type { Figures } from "../report/figures.ts";
import type { Follower } from "../report/follow.ts";
import type { Metrics } from "../report/metrics.ts";
import { createRefuse, logRefusal, type Refuse } from "../submit/answer.ts";
import { createGate } from "../submit/auth.ts";
import { guardDoor } from "../submit/clients.ts";
import { keepRoom } from "../submit/crowd.ts";
import { createDoor, type Door, type Health } from "../submit/door.ts";
import { createKeyBook } from "../submit/keyBook.ts";
import { countRequests } from "../submit/requestCount.ts";
import { type Listener, relieve } from "../submit/serve.ts";
import { createInboxFiles } from "../submit/inboxFiles.ts";
import type { JournalDeps } from "../submit/journal.ts";
import { createSpool } from "../submit/spool.ts";
import { createSessions } from "../submit/ui/sessions.ts";
import { version } from "../commands/version.ts";
import { INBOX_FOLDER, SPOOL_FOLDER } from "./dataFolder.ts";
import type { Explain } from "./explain.ts";
import { fetchAttachments } from "./fetching.ts";
import { createFiguresDesk } from "./figures.ts";
import { type HttpDoor, openHttpDoor } from "./httpDoor.ts";
import { openLocal } from "./localSockets.ts";
import type { Attempted, QueueReady } from "./protocol.ts";
import { clientRules, doorLimits, keySettings, returnPaths } from "./settings.ts";
import { createSites, type SitesDeps } from "./sites.ts";
import { openSmtpDoor } from "./smtpDoor.ts";
import type { Tracing } from "./tracing.ts";
import { createTelemetry } from "./telemetry.ts";
import { createWeb } from "./web.ts";
import { openWebhooks } from "./webhooks.ts";

export type OpenedDoor =
  | {
      readonly kind: "open";
      readonly url: string;
      /** Other limits and another key from now on. A text: nothing was changed, and why. */
      configure(next: Config, apiKey: string): Promise<string | undefined>;
      /** The daemon ends: sessions that are open come to their end, within bounds, while the queue still takes mail. */
      drain(): Promise<void>;
      /** A sender's word on what it tried. */
      attempted(told: Attempted): void;
      close(): Promise<void>;
    }
  | { readonly kind: "failed"; readonly text: string };

/** What a caller is told to wait while the daemon ends: its successor should be up by then. */
const DRAINING_RETRY_S = 10;
/** How long requests that are open at the end may take; a client that sends slowly must not hold the daemon. */
const LAST_REQUESTS_MS = 2_000;
/** How often the process's memory is looked at, and what a caller is told to wait when it is short. */
const MEMORY_LOOK_MS = 1000;
const MEMORY_RETRY_S = 2;
const QUEUE_RETRY_S = 5;

export type OpenDoor = typeof openDoor;

export async function openDoor(deps: {
  readonly config: Config;
  readonly apiKey: string;
  readonly ready: QueueReady;
  readonly accept: Accept;
  readonly domains: Domains;
  readonly signs: (domain: string) => boolean;
  readonly ask: (query: Query) => Promise<Answer>;
  readonly feed: Follower;
  readonly order: Order;
  /** Told of all API keys after every change. */
  readonly onKeys: (hear: (keys: readonly KeyRecord[]) => void) => void;
  /** Told of all webhooks after every change. */
  readonly onWebhooks: (hear: (webhooks: readonly WebhookRecord[]) => void) => void;
  readonly explain: Explain;
  readonly askSenders: SitesDeps["askSenders"];
  readonly uplink: () => UplinkView;
  readonly figures: Figures;
  readonly startedAt: EpochMs;
  readonly trace: Tracing["open"];
  readonly reload: () => Promise<CommandAnswer>;
  readonly journal: JournalDeps["journal"];
  readonly logLevel: JournalDeps["logLevel"];
  /** Why the queue takes no mail; null: it does. */
  readonly refusing: () => Refusal | null;
  readonly isDraining: () => boolean;
  readonly meter: Meter;
  readonly metrics: Metrics;
  readonly log: Log;
}): Promise<OpenedDoor> {
  const { ready } = deps;
  let { config } = deps;
  const memory = watchMemory(config.memoryLimitBytes);
  const health = healthOf(deps, memory.isShort);
  const ids = createIds(ready.lastId);
  const spool = createSpool(join(config.dataDir, SPOOL_FOLDER), systemRandom);
  const book = createKeyBook({
    clock: systemClock,
    order: deps.order,
    records: ready.keys,
    settings: keySettings(config, deps.apiKey),
  });
  deps.onKeys(book.heard);
  const sessions = createSessions({ keys: book.keys, clock: systemClock, random: systemRandom });
  let http: HttpDoor | undefined;
  const telemetry = createTelemetry({ ...deps, tag: ready.tag, version });
  const room = keepRoom(deps.accept, () => http?.open() ?? 0);
  const accept = telemetry.watch(book.account(room));
  const web = createWeb(config, deps.order, deps.log);
  const webhooks = openWebhooks({ ...deps, web, version, tracing: telemetry.hooks });
  const figures = createFiguresDesk({
    ...{ ...deps, health, version, clock: systemClock },
    config: () => config,
    residentBytes: process.memoryUsage.rss,
    sites: createSites({ ...deps, clock: systemClock, rates: deps.figures.siteRates }),
  });
  const refuse = refuseOf(deps.meter, deps.log);
  const doorOf = ({ hostname, ...next }: Config): Door => {
    return createDoor({
      accept,
      ask: deps.ask,
      feed: deps.feed,
      order: deps.order,
      explain: deps.explain,
      trace: deps.trace,
      reload: deps.reload,
      journal: deps.journal,
      logLevel: deps.logLevel,
      domains: deps.domains,
      webhooks: webhooks.desk,
      fetchAttachment: fetchAttachments(web.attachments),
      signs: deps.signs,
      ids,
      tag: ready.tag,
      hostname,
      returnPathOf: returnPaths(next),
      keys: book.keys,
      keyRecords: book.records,
      ...{ sessions, figures },
      clock: systemClock,
      random: systemRandom,
      limits: doorLimits({ hostname, ...next }),
      health,
      spool,
      inbox: createInboxFiles(join(config.dataDir, INBOX_FOLDER)),
      relieve,
      meter: deps.meter,
      metrics: deps.metrics.page,
      version,
      log: deps.log,
    });
  };
  // A reload makes another one; requests that are under way end in theirs.
  const guarded = (next: Config): Door => guardDoor(doorOf(next), clientRules(next), refuse);
  let current = guarded(config);
  const turned: Door = {
    fetch: (request, peer) => current.fetch(request, peer),
    send: (request, peer) => current.send(request, peer),
  };
  const door = countRequests(turned, deps.meter);
  const listeners: Pick<Listener, "stop" | "stopNow">[] = [];
  // What is being opened, for the sentence that says that it failed.
  let what = "";
  const fail = (text: string): OpenedDoor => {
    memory.stop();
    web.close();
    void telemetry.close();
    void http?.stopNow();
    for (const one of listeners) void one.stopNow();
    return { kind: "failed", text };
  };
  try {
    const opened = openHttpDoor({ door, config, refuse, log: deps.log, meter: deps.meter });
    if (typeof opened === "string") return fail(opened);
    http = opened;
    const local = await openLocal(door, config, deps.log, (path) => (what = path));
    listeners.push(local);
    const gate = createGate({ keys: book.keys, clock: systemClock });
    const { tag } = ready;
    const smtp = await openSmtpDoor({ ...deps, config, accept, ids, tag, spool, gate, health });
    if (typeof smtp === "string") return fail(smtp);
    webhooks.start();
    return {
      kind: "open",
      url: opened.url,
      async configure(next, apiKey) {
        const refused = await smtp.configure(next);
        if (refused !== undefined) return refused;
        const kept = opened.configure(next);
        if (kept !== undefined) {
          await smtp.configure(config);
          return kept;
        }
        await local.configure(next);
        config = next;
        memory.limit(next.memoryLimitBytes);
        web.configure(next);
        telemetry.configure(next);
        book.configure(keySettings(next, apiKey));
        current = guarded(next);
        return undefined;
      },
      drain: smtp.drain,
      attempted: telemetry.heard,
      async close() {
        memory.stop();
        deps.feed.close();
        deps.figures.stop();
        await smtp.close();
        await webhooks.close();
        await telemetry.close();
        web.close();
        await book.close();
        await endAll([opened, ...listeners]);
      },
    };
  } catch (error) {
    return fail(`${what}: ${reasonOf(error)}`);
  }
}

function refuseOf(meter: Meter, log: Log): Refuse {
  const note = logRefusal(log);
  return createRefuse(systemRandom, (problem, request, id) => {
    meter.counter("postrider_rejected_total", { reason: problem.name }).add();
    note(problem, request, id);
  });
}

/** Requests that are open may come to their end, within bounds. */
async function endAll(all: readonly Pick<Listener, "stop" | "stopNow">[]): Promise<void> {
  const answered = Promise.all(all.map((one) => one.stop()));
  const late = new Promise((resolve) => systemClock.after(LAST_REQUESTS_MS, () => resolve(0)));
  await Promise.race([answered, late]);
  await Promise.all(all.map((one) => one.stopNow()));
}

function healthOf(
  deps: { readonly isDraining: () => boolean; readonly refusing: () => Refusal | null },
  isShort: () => boolean,
): () => Health {
  return () => {
    if (deps.isDraining())
      return { kind: "refusing", why: "draining", retryAfterS: DRAINING_RETRY_S };
    if (isShort()) return { kind: "refusing", why: "memory_low", retryAfterS: MEMORY_RETRY_S };
    const why = deps.refusing();
    if (why !== null) return { kind: "refusing", why, retryAfterS: QUEUE_RETRY_S };
    return { kind: "accepting" };
  };
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === "EADDRINUSE" ? "the port is taken by another program" : message;
}

function watchMemory(atFirst: number) {
  let limitBytes = atFirst;
  let short = false;
  const look = (): void => {
    short = process.memoryUsage.rss() > limitBytes;
    timer = systemClock.after(MEMORY_LOOK_MS, look);
  };
  let timer = systemClock.after(MEMORY_LOOK_MS, look);
  return {
    isShort: () => short,
    limit: (next: number): void => void (limitBytes = next),
    stop: () => timer.cancel(),
  };
}
