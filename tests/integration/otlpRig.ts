// A collector that is not ours: an HTTP server that reads OTLP with OpenTelemetry's own older decoder, and misbehaves as a test says. And a
// small internet for the daemon: a resolver that knows the domains of `.test`, whose mail servers are all on this host.
import { expect } from "bun:test";
import { createSocket } from "node:dgram";
import type { IncomingMessage, ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { type Answer, decode, encode } from "dns-packet";
import { decodeMetrics, decodeSpans, type ReceivedSpan, type Values } from "../fixtures/otlp.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { type Sink, type SinkOptions, startSink } from "../../src/sink/server.ts";
import { until } from "../fixtures/until.ts";
import { type Ends, newFolder } from "./faultsRig.ts";
import { bodyOf, type Identity, serveHere } from "./hostRig.ts";

export type Reply = (response: ServerResponse) => void;
export const takes: Reply = (response) => void response.end();

export interface Collector {
  readonly url: string;
  readonly spans: ReceivedSpan[];
  readonly resources: Values[];
  readonly metrics: ReturnType<typeof decodeMetrics>[];
  /** Of every request, whatever was answered. */
  readonly asked: { readonly path: string; readonly headers: IncomingMessage["headers"] }[];
  /** From now on. */
  reply: Reply;
}

export async function startCollector(ends: Ends, identity?: Identity): Promise<Collector> {
  const hear = (request: IncomingMessage, response: ServerResponse): void => {
    void bodyOf(request).then((body) => {
      const { url: path = "", headers } = request;
      collector.asked.push({ path, headers });
      if (collector.reply === takes && path.endsWith("/v1/traces")) {
        const { resource, spans } = decodeSpans(gunzipSync(body));
        collector.resources.push(resource);
        collector.spans.push(...spans);
      } else if (collector.reply === takes && path.endsWith("/v1/metrics"))
        collector.metrics.push(decodeMetrics(gunzipSync(body)));
      collector.reply(response);
    });
  };
  const port = await serveHere(ends, hear, identity);
  const url = identity === undefined ? `http://localhost:${port}` : `https://localhost:${port}`;
  const lists = { spans: [], resources: [], metrics: [], asked: [] };
  const collector: Collector = { url, ...lists, reply: takes };
  return collector;
}

/** The spans of one trace, once there are those that are waited for. */
export function traced(
  collector: Collector,
  traceId: string,
  names: readonly string[],
): Promise<readonly ReceivedSpan[]> {
  return until(`the collector has ${names.join(", ")} of ${traceId}`, () => {
    const spans = collector.spans.filter((one) => one.traceId === traceId);
    return names.every((name) => spans.some((one) => one.name === name)) && spans;
  });
}

export const bare = (id: string): string => id.replaceAll("-", "");

/** Spans by name; the only one of it. */
export function only(spans: readonly ReceivedSpan[], name: string): ReceivedSpan {
  const found = spans.filter((one) => one.name === name);
  if (found.length !== 1 || found[0] === undefined)
    throw new Error(`${found.length} spans are called ${name}`);
  return found[0];
}

/** By what became of them. */
export async function spanCounts(daemon: Daemon): Promise<Readonly<Record<string, number>>> {
  const text = await (await daemon.request("/metrics")).text();
  const found = text.matchAll(/^postrider_trace_spans_total\{result="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, result = "", count]) => [result, Number(count)]));
}

/** Domains that begin with `none` do not exist; the mail of all others goes to 127.0.0.1. */
export async function startResolver(ends: Ends): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (packet, from) => {
    const { id, questions = [] } = decode(packet);
    const [question] = questions;
    const name = question?.name ?? "";
    const missing = name.startsWith("none") || name.startsWith("_");
    const answers: Answer[] = [];
    if (!missing && question?.type === "MX")
      answers.push({ type: "MX", name, ttl: 60, data: { preference: 10, exchange: `mx.${name}` } });
    if (!missing && question?.type === "A")
      answers.push({ type: "A", name, ttl: 60, data: "127.0.0.1" });
    const flags = 0x0180 | (missing ? 3 : 0);
    socket.send(
      encode({ type: "response", id: id ?? 0, flags, questions, answers }),
      from.port,
      from.address,
    );
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  ends.add(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return socket.address().port;
}

export interface World {
  readonly daemon: Daemon;
  readonly folder: string;
  readonly collector: Collector;
  /** In the place of the one before. */
  sink(options: Omit<SinkOptions, "listen">): Promise<Sink>;
  /** Kills the daemon and starts another on the same folder. */
  again(): Promise<Daemon>;
}

export async function world(ends: Ends, flags: readonly string[] = []): Promise<World> {
  const folder = newFolder(ends);
  const collector = await startCollector(ends);
  const resolver = await startResolver(ends);
  let present = await startSink({ listen: { host: "127.0.0.1", port: 0 }, tls: "starttls" });
  const { port } = present;
  ends.add(() => present.stop());
  const start = async (): Promise<Daemon> => {
    const started = await startDaemon({
      dataDir: folder,
      flags: [
        ...["--otlp-endpoint", collector.url, "--dns-servers", `127.0.0.1:${resolver}`],
        ...["--smtp-port", String(port), "--deny-destinations", "none", "--workers", "1"],
        ...["--hostname", "sender.test", "--webhook-allow", "127.0.0.0/8", ...flags],
      ],
    });
    ends.add(started.stop);
    return started;
  };
  const daemon = await start();
  return {
    ...{ daemon, folder, collector },
    async again() {
      await daemon.process.stop("SIGKILL");
      return start();
    },
    async sink(options) {
      await present.stop();
      present = await startSink({ ...options, listen: { host: "127.0.0.1", port } });
      return present;
    },
  };
}

/** Clocks of two threads read the same instant up to so much apart. */
const SKEW_NS = 2_000_000n;

function expectWithin(inner: ReceivedSpan, outer: ReceivedSpan, skewNs = 0n): void {
  expect([inner.name, inner.startNs >= outer.startNs - skewNs]).toEqual([inner.name, true]);
  expect([inner.name, inner.endNs <= outer.endNs + skewNs]).toEqual([inner.name, true]);
}

/** Ids link, children of what ends with them lie within it, and what follows the answer follows it. */
export function expectTree(spans: readonly ReceivedSpan[], root: ReceivedSpan): void {
  const byId = new Map(spans.map((one) => [one.spanId, one]));
  expect(byId.size).toBe(spans.length);
  for (const span of spans) {
    expect(span.endNs >= span.startNs).toBe(true);
    if (span === root) continue;
    const parent = byId.get(span.parentId);
    if (parent === undefined) throw new Error(`${span.name} has no parent here`);
    const follows = parent === root && !["compose", "commit"].includes(span.name);
    if (follows) expect(span.startNs >= root.startNs - SKEW_NS).toBe(true);
    else expectWithin(span, parent);
  }
}
