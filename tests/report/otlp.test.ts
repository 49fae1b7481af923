// What leaves as protobuf is read back by OpenTelemetry's own older decoder, which shares no code with the serializer.
import { expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import type { WebPost, WebReply } from "../../src/web/client.ts";
import type { MetricsSnapshot } from "../../src/report/metrics.ts";
import { createOtlp } from "../../src/report/otlp.ts";
import type { Span } from "../../src/report/span.ts";
import { decodeMetrics, decodeSpans } from "../fixtures/otlp.ts";

const NOW = 1_800_000_000_000;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const span = (change: Partial<Span> = {}): Span => ({
  ...{ traceId: TRACE, spanId: "b7ad6b7169203331", parentId: null, isRemoteParent: false },
  ...{ state: "", name: "deliver", kind: "client", startAt: NOW + 0.25, endAt: NOW + 12.5 },
  ...{ attributes: { "smtp.reply.code": 250, "postrider.doubt": true, "server.address": "mx" } },
  ...{ error: null, events: [] },
  ...change,
});

function createRig(reply: WebReply | (() => WebReply)) {
  const asked: WebPost[] = [];
  const otlp = createOtlp({
    target: () => ({ endpoint: "http://collector.test:4318/base/", headers: [["x-key", "k 1"]] }),
    resource: { "service.name": "postrider", "service.version": "1.2.3" },
    userAgent: "postrider/1.2.3",
    now: () => NOW,
    post: async (ask) => {
      asked.push(ask);
      return typeof reply === "function" ? reply() : reply;
    },
  });
  return { otlp, asked, never: new AbortController().signal };
}

const answer = (
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body: Uint8Array = new Uint8Array(),
): WebReply => {
  const lower = new Map(Object.entries(headers));
  return { kind: "reply", status, headers: lower, body, address: "127.0.0.1" };
};

test("spans arrive whole: ids, times to the nanosecond, kinds, attributes of every type", async () => {
  const { otlp, asked, never } = createRig(answer(200));
  const event = { name: "recipient", at: NOW + 1, attributes: { n: 1 } };
  const sent = await otlp.spans(
    [
      span({ state: "a=1,b=2", parentId: "00f067aa0ba902b7", isRemoteParent: true }),
      span({ spanId: "b7ad6b7169203332", error: "550 no", kind: "server", events: [event] }),
    ],
    never,
  );
  expect(sent).toMatchObject({ kind: "sent", rejected: 0 });
  const [ask] = asked;
  expect(ask?.url).toBe("http://collector.test:4318/base/v1/traces");
  expect(ask?.headers).toMatchObject({
    ...{ "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", "x-key": "k 1" },
  });
  const { resource, spans } = decodeSpans(gunzipSync(ask?.body ?? new Uint8Array()));
  expect(resource).toEqual({ "service.name": "postrider", "service.version": "1.2.3" });
  expect(spans[0]).toEqual({
    ...{ traceId: TRACE, spanId: "b7ad6b7169203331", parentId: "00f067aa0ba902b7" },
    ...{ state: "a=1,b=2", name: "deliver", kind: "client", status: "unset", message: "" },
    ...{
      startNs: BigInt(NOW) * 1_000_000n + 250_000n,
      endNs: BigInt(NOW) * 1_000_000n + 12_500_000n,
    },
    attributes: { "smtp.reply.code": 250, "postrider.doubt": true, "server.address": "mx" },
    events: [],
  });
  expect(spans[1]).toMatchObject({
    ...{ parentId: "", kind: "server", status: "error", message: "550 no" },
    events: [{ name: "recipient", attributes: { n: 1 } }],
  });
});

const snapshot: MetricsSnapshot = {
  ...{ at: NOW, startedAt: NOW - 60_000 },
  families: [
    {
      row: { name: "postrider_doubts_total", kind: "counter", labels: [], help: "Doubts." },
      bounds: [],
      points: [{ labels: {}, value: 3, counts: [], exemplars: [] }],
    },
    {
      row: { name: "postrider_site_paused", kind: "gauge", labels: ["site"], help: "Paused." },
      bounds: [],
      points: [{ labels: { site: "a.example" }, value: 1, counts: [], exemplars: [] }],
    },
    {
      row: { name: "smtp_command_duration_seconds", kind: "histogram", labels: [], help: "Time." },
      bounds: [0.1, 1],
      points: [{ labels: {}, value: 2.75, counts: [1, 2, 1], exemplars: [] }],
    },
  ],
};

test("metrics arrive as what they are: cumulative sums, gauges, histograms with their bounds", async () => {
  const { otlp, asked, never } = createRig(answer(200));
  await otlp.metrics(snapshot, never);
  expect(asked[0]?.url).toBe("http://collector.test:4318/base/v1/metrics");
  const metrics = decodeMetrics(gunzipSync(asked[0]?.body ?? new Uint8Array()));
  expect(metrics).toEqual([
    {
      ...{ name: "postrider_doubts_total", help: "Doubts.", unit: "1", kind: "sum" },
      ...{ isCumulative: true, isMonotonic: true },
      points: [{ labels: {}, value: 3, startMs: NOW - 60_000, atMs: NOW }],
    },
    {
      ...{ name: "postrider_site_paused", help: "Paused.", unit: "1", kind: "gauge" },
      points: [{ labels: { site: "a.example" }, value: 1, startMs: NOW - 60_000, atMs: NOW }],
    },
    {
      ...{ name: "smtp_command_duration_seconds", help: "Time.", unit: "s", kind: "histogram" },
      isCumulative: true,
      points: [
        {
          ...{ labels: {}, startMs: NOW - 60_000, atMs: NOW },
          ...{ sum: 2.75, count: 4, bounds: [0.1, 1], counts: [1, 2, 1] },
        },
      ],
    },
  ]);
});

/** ExportTraceServiceResponse { partial_success { rejected_spans: 2, error_message: "old" } } */
const partial = Uint8Array.from([0x0a, 0x07, 0x08, 0x02, 0x12, 0x03, 0x6f, 0x6c, 0x64]);

test.each<[string, WebReply, object]>([
  ["200", answer(200), { kind: "sent", rejected: 0 }],
  ["a partial success", answer(200, {}, partial), { kind: "sent", rejected: 2 }],
  ["200 with rubbish", answer(200, {}, Buffer.from("<html>")), { kind: "sent", rejected: 0 }],
  ["429", answer(429), { kind: "later" }],
  ["503 with seconds", answer(503, { "retry-after": "7" }), { kind: "later", afterMs: 7_000 }],
  [
    "503 with a date",
    answer(503, { "retry-after": new Date(NOW + 9_000).toUTCString() }),
    { kind: "later", afterMs: 9_000 },
  ],
  ["502", answer(502), { kind: "later" }],
  ["504", answer(504), { kind: "later" }],
  ["400", answer(400), { kind: "refused" }],
  ["401", answer(401), { kind: "refused" }],
  ["500", answer(500), { kind: "refused" }],
  ["a redirect", answer(307, { location: "http://elsewhere/" }), { kind: "refused" }],
  ["no answer", { kind: "failed", why: "connect", text: "refused" }, { kind: "later" }],
])("%s is understood", async (_, reply, meaning) => {
  const { otlp, never } = createRig(reply);
  expect(await otlp.spans([span()], never)).toMatchObject(meaning);
});

test("what cannot be written, or sent, costs its batch and nothing else", async () => {
  const { otlp, asked, never } = createRig(() => {
    throw new Error("no socket");
  });
  expect(await otlp.spans([span()], never)).toMatchObject({
    kind: "refused",
    text: "It was not sent: Error: no socket",
  });
  const broken = span({ name: null as unknown as string });
  expect(await otlp.spans([broken], never)).toMatchObject({ kind: "refused" });
  expect(asked).toHaveLength(1);
});
