// Traces and pushed metrics in the door's thread: what is told of mail on one side, the collector on the other. Without a collector there is
// nothing of it but one comparison a request.
import { hostname } from "node:os";
import { type Cidr, parseCidrList } from "../base/cidr.ts";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { systemRandom } from "../base/random.ts";
import type { Config } from "../config.ts";
import type { Order } from "../mail/command.ts";
import type { HostTag } from "../mail/id.ts";
import type { Accept, AcceptAnswer, Submission, Way } from "../mail/submission.ts";
import { type Acceptances, createAcceptances } from "../report/acceptances.ts";
import type { Metrics } from "../report/metrics.ts";
import { createMetricsPush, type MetricsPush } from "../report/metricsPush.ts";
import { createOtlp } from "../report/otlp.ts";
import { createSpanQueue, type SpanQueue } from "../report/spanQueue.ts";
import { createHookTracing, type HookTracing } from "../report/webhookTrace.ts";
import { createTraces, type Traces } from "../report/traces.ts";
import { createTrust } from "../route/trust.ts";
import { createWebClient, type WebClient } from "../web/client.ts";
import type { Attempted } from "./protocol.ts";
import { authoritiesOf, samplingOf } from "./settings.ts";
import { resolveBy } from "./web.ts";

export interface Telemetry {
  /** The same, and what was accepted is remembered for a while. */
  watch(accept: Accept): Accept;
  heard(told: Attempted): void;
  readonly hooks: HookTracing;
  configure(next: Config): void;
  /** What waits is sent, within bounds. */
  close(): Promise<void>;
}

export interface TelemetryDeps {
  readonly config: Config;
  readonly log: Log;
  readonly meter: Meter;
  readonly metrics: Pick<Metrics, "snapshot">;
  readonly order: Order;
  readonly tag: HostTag;
  readonly version: string;
}

/** How long the end of the daemon waits for a collector. */
const LAST_MS = 2_000;

interface Running {
  readonly acceptances: Acceptances;
  readonly traces: Traces;
  readonly queue: SpanQueue;
  configure(): void;
  close(): Promise<void>;
}

export function createTelemetry(deps: TelemetryDeps): Telemetry {
  let { config } = deps;
  const start = (): Running | null =>
    config.otlpEndpoint === null ? null : run(deps, () => config, config.otlpEndpoint);
  let running = start();
  const closing = new Set<Promise<void>>();
  const end = (one: Running): void => {
    const ended = one.close();
    closing.add(ended);
    void ended.finally(() => closing.delete(ended));
  };
  return {
    watch(accept) {
      return (messages, once, way) => {
        if (running === null) return accept(messages, once, way);
        return noted(running, config.traceSlowMs, { messages, way }, accept(messages, once, way));
      };
    },
    heard({ attempts, dropped }) {
      running?.traces.heard(attempts, dropped);
    },
    hooks: createHookTracing({
      tag: deps.tag,
      sampling: () => samplingOf(config),
      add: (spans) => running?.queue.add(spans),
    }),
    configure(next) {
      const before = config;
      config = next;
      if (next.otlpEndpoint === before.otlpEndpoint) return running?.configure();
      if (running !== null) end(running);
      running = start();
    },
    async close() {
      if (running !== null) end(running);
      running = null;
      await Promise.all(closing);
    },
  };
}

interface Accepting {
  readonly messages: readonly Submission[];
  readonly way: Way | undefined;
}

async function noted(
  { acceptances, traces }: Running,
  slowMs: number,
  { messages, way = "POST /send" }: Accepting,
  accepting: Promise<AcceptAnswer>,
): Promise<AcceptAnswer> {
  const composedAtMs = systemClock.monotonicMs();
  const answer = await accepting;
  if (answer.kind !== "accepted") return answer;
  const isSlow = systemClock.monotonicMs() - composedAtMs >= slowMs;
  for (const { head } of messages) {
    const { id: message, trace = null, acceptedAt, dueAt, priority, sizeBytes } = head;
    acceptances.note({ message, trace, way, acceptedAt, dueAt, composedAtMs });
    if (isSlow) traces.accepted({ message, trace, priority, sizeBytes });
  }
  return answer;
}

/** `endpoint` stays what it is as long as this runs; the other settings may change. */
function run(deps: TelemetryDeps, config: () => Config, endpoint: string): Running {
  const { log, meter, metrics, tag, version } = deps;
  const clock = systemClock;
  const trust = createTrust(authoritiesOf(config(), log));
  const client = clientOf(deps, trust.context);
  const otlp = createOtlp({
    target: () => ({ endpoint, headers: config().otlpHeaders ?? [] }),
    resource: {
      "service.name": "postrider",
      "service.version": version,
      "service.instance.id": tag,
      "host.name": hostname(),
    },
    userAgent: `postrider/${version}`,
    now: clock.now,
    post: client.post,
  });
  const queue = createSpanQueue({
    ...{ clock, log, roll: systemRandom.roll },
    send: otlp.spans,
    count: (result, spans) => meter.counter("postrider_trace_spans_total", { result }).add(spans),
  });
  const acceptances = createAcceptances(clock, () => config().traceSample);
  const traces = createTraces({
    rules: () => ({ tag, recipients: config().traceRecipients }),
    ...{ acceptances, hasRoom: queue.hasRoom, add: queue.add },
    dropped: (attempts) =>
      meter.counter("postrider_trace_spans_total", { result: "dropped" }).add(attempts),
  });
  const pushing = (): MetricsPush | null =>
    config().otlpMetrics
      ? createMetricsPush({ clock, log, snapshot: metrics.snapshot, send: otlp.metrics })
      : null;
  let push = pushing();
  return {
    ...{ acceptances, traces, queue },
    configure() {
      trust.configure(authoritiesOf(config(), log));
      if ((push !== null) === config().otlpMetrics) return;
      void push?.close(LAST_MS);
      push = pushing();
    },
    async close() {
      await Promise.all([queue.close(LAST_MS), push?.close(LAST_MS)]);
      client.close();
    },
  };
}

/** The operator has named the collector: no address is closed to it. */
function clientOf({ order }: TelemetryDeps, context: ReturnType<typeof createTrust>["context"]) {
  const everywhere = rangesOf("0.0.0.0/0, ::/0");
  const deps = { clock: systemClock, context, resolve: resolveBy(order) };
  const client: WebClient = createWebClient({ ...deps, opened: () => everywhere, requestsMax: 4 });
  return client;
}

function rangesOf(text: string): readonly Cidr[] {
  const parsed = parseCidrList(text);
  if (parsed.kind === "refused") throw new Error(parsed.problems.join("; "));
  return parsed.value;
}
