// A queue on a bench: simulated time, a memory disk, routes by table, and senders that are a list.
import { createMeter, type Meter } from "../../src/base/meter.ts";
import { noLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { EventRow } from "../../src/mail/event.ts";
import { createIds, type MessageId } from "../../src/mail/id.ts";
import type { CommandAnswer, QueueVerb } from "../../src/mail/command.ts";
import type { Standing } from "../../src/mail/handover.ts";
import type { Recall } from "../../src/mail/recall.ts";
import type { MessageHead, Priority } from "../../src/mail/message.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { AcceptAnswer, Submission } from "../../src/mail/submission.ts";
import { packStep, type Step, unpackTimeline } from "../../src/mail/timeline.ts";
import type { TroubleClass, Verdict } from "../../src/mail/verdict.ts";
import type { Route, Routing } from "../../src/route/route.ts";
import { createQueue } from "../../src/queue/engine.ts";
import type { Dispatch } from "../../src/queue/launch.ts";
import type { Queue, QueueDeps } from "../../src/queue/queue.ts";
import { createMemoryDisk, type MemoryDisk } from "../../src/queue/memory.ts";
import { defaultPolicy, type QueuePolicy } from "../../src/queue/policy.ts";
import type { Sources } from "../../src/queue/sources.ts";
import type { QueueStore, RecipientRow } from "../../src/queue/store.ts";
import { createSimClock, type SimClock } from "../sim/time.ts";
import type { StoreHome } from "./store.homes.ts";

export const START = Date.UTC(2026, 0, 1);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export interface Sent extends Dispatch {
  readonly worker: number;
  readonly at: number;
}

export interface Bench {
  readonly clock: SimClock;
  readonly disk: MemoryDisk;
  readonly meter: Meter;
  /** Everything that was sent, in order, over all processes. */
  readonly sent: Sent[];
  readonly answers: AcceptAnswer[];
  readonly fatals: string[];
  readonly dropped: string[];
  readonly policy: QueuePolicy;
  readonly parted: { readonly worker: number; readonly sites: readonly string[] }[];
  readonly adopted: { readonly worker: number; readonly site: string }[];
  readonly recalls: { readonly worker: number; readonly recall: Recall }[];
  readonly logs: string[];
  readonly routes: Map<string, Routing | Promise<Routing>>;
  queue: Queue;
  store: QueueStore;
  submit(options?: Partial<MessageHead> & { to?: readonly string[] }): MessageId;
  /** Runs everything that is due within so much time. */
  run(forMs?: number): void;
  /** As a kill and a start. */
  restart(): void;
  recipient(message: MessageId, n?: number): RecipientRow;
  timeline(message: MessageId, n?: number): Step[];
  events(): readonly EventRow[];
  /** The answer, once there is one. */
  order(verb: QueueVerb): { answer: CommandAnswer | undefined };
  settle(sent: Sent, verdict: Partial<Verdict>, n?: number): void;
}

/** Where the queue lives instead of the disk in memory. */
interface Housed {
  readonly home: Pick<StoreHome, "open" | "kill">;
}

export function routeTo(site: string): Routing {
  const route: Route = {
    site,
    via: "mx",
    hosts: [{ name: `mx.${site}`, preference: 10, addresses: ["192.0.2.1"] }],
    port: 25,
    tls: "opportunistic",
    implicitTls: false,
    login: null,
  };
  return { kind: "route", route, freshUntil: Infinity };
}

export function stepOf(
  kind: Verdict["kind"],
  at: number,
  trouble: TroubleClass,
  source = "",
): string {
  return packStep({
    kind: "attempt",
    at,
    durationMs: 1,
    outcome: kind,
    class: trouble,
    doubt: false,
    via: "mx",
    site: "site",
    host: "mx",
    address: "192.0.2.1",
    source,
    session: "",
    phase: "dot",
    code: 250,
    enhanced: "",
    text: "as told",
    tls: null,
  });
}

/** Whatever a sender had learned of a site. */
const standing: Standing = {
  ...{ window: 2, gained: 0, ceiling: null, ceilingLeftMs: 0, heldMs: 0, servedAgoMs: null },
  ...{ connects: null, messages: null },
};

export function createBench(
  overrides: Partial<QueuePolicy> = {},
  workers = 1,
  sourcesFor?: (store: QueueStore) => Sources,
  {
    home,
    ...network
  }: Pick<QueueDeps, "signs" | "onUplink" | "onAtWork" | "untried"> & Partial<Housed> = {},
): Bench {
  const clock = createSimClock(START);
  const disk = createMemoryDisk("8000000000000000");
  const meter = createMeter(boundsOf);
  const random = seededRandom(1);
  // Verdicts are committed at once, so that a test need not wait for company to come.
  const policy = { ...defaultPolicy, reportsMany: 1, ...overrides };
  const ids = createIds(0);
  let owner = 0;

  const open = (): { queue: Queue; store: QueueStore } => {
    owner++;
    const store = home?.open() ?? disk.open();
    const queue = createQueue({
      ...network,
      store,
      clock: clock.of(owner),
      random,
      routeFor: (domain, sender) =>
        bench.routes.get(sender === undefined ? domain : `${domain} ${sender}`) ?? routeTo(domain),
      ownRelays: (sender) => [...bench.routes.keys()].some((key) => key.endsWith(` ${sender}`)),
      ...(sourcesFor === undefined ? {} : { sources: sourcesFor(store) }),
      workers,
      send: (worker, batch) => {
        for (const one of batch) bench.sent.push({ ...one, worker, at: clock.now() });
      },
      recall: (worker, recall) => void bench.recalls.push({ worker, recall }),
      part(worker, sites) {
        bench.parted.push({ worker, sites });
        const parted = sites.map((site) => ({ site, standing }));
        clock.after(1, () => bench.queue.parted(worker, parted));
      },
      adopt: (worker, parted) =>
        void bench.adopted.push(...parted.map(({ site }) => ({ worker, site }))),
      policy,
      meter,
      log: (_, event) => (noLog("info", event), void bench.logs.push(event)),
      fatal: (text) => void bench.fatals.push(text),
      dropSpool: (files) => void bench.dropped.push(...files),
    });
    queue.start();
    return { queue, store };
  };

  const bench: Bench = {
    clock,
    disk,
    meter,
    sent: [],
    answers: [],
    fatals: [],
    dropped: [],
    recalls: [],
    adopted: [],
    parted: [],
    policy,
    logs: [],
    routes: new Map(),
    submit({ to = ["a@example.com"], ...head } = {}) {
      const submission = submissionOf(ids(clock.now()), clock.now(), to, head);
      bench.queue.accept([submission], (answer) => void bench.answers.push(answer));
      return submission.head.id;
    },
    run(forMs = 0) {
      const until = clock.monotonicMs() + forMs;
      while (clock.step(until));
    },
    restart() {
      clock.kill(owner);
      if (home === undefined) disk.crash();
      else home.kill();
      Object.assign(bench, open());
    },
    recipient(message, n = 0) {
      const row = bench.store.recipients(message)[n];
      if (row === undefined) throw new Error(`no recipient ${n} of ${message}`);
      return row;
    },
    timeline: (message, n = 0) => unpackTimeline(bench.recipient(message, n).timeline),
    events: () => bench.store.events(0, 100_000),
    order(verb) {
      const told: { answer: CommandAnswer | undefined } = { answer: undefined };
      bench.queue.order(verb, (answer) => void (told.answer = answer));
      return told;
    },
    settle({ job }, verdict, n) {
      const recipients = job.recipients.filter((one) => n === undefined || one.n === n);
      bench.queue.settle(
        recipients.map((one) => ({
          message: job.message,
          n: one.n,
          claim: one.claim,
          kind: "delivered",
          scope: "recipient",
          class: "none",
          doubt: false,
          step: stepOf(verdict.kind ?? "delivered", clock.now(), verdict.class ?? "none"),
          ...verdict,
        })),
      );
    },
    ...({} as { queue: Queue; store: QueueStore }),
  };
  Object.assign(bench, open());
  bench.run();
  return bench;
}

function submissionOf(
  id: MessageId,
  now: number,
  to: readonly string[],
  head: Partial<MessageHead>,
): Submission {
  const body = new TextEncoder().encode(`Message-ID: <${id}@example.org>\r\n\r\nHello\r\n`);
  const priority: Priority = 1;
  const whole: MessageHead = {
    id,
    acceptedAt: now,
    from: "sender@example.org",
    recipients: to,
    priority,
    dueAt: now,
    expiresAt: null,
    sizeBytes: body.length,
    sha256: "",
    eightBit: false,
    utf8: false,
    facts: "{}",
    body: { kind: "inline", length: body.length },
    ...head,
  };
  return { head: whole, body: whole.body.kind === "spool" ? null : body };
}
