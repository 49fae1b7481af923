// Spans and metrics as protobuf of OTLP 1.x, by OpenTelemetry's own serializer. The only file that imports its packages, and it is loaded
// when the first batch leaves: who exports nothing pays nothing for them.
import type { HrTime, SpanContext, TraceState } from "@opentelemetry/api";
import {
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AggregationTemporality, DataPointType, type MetricData } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { unreachable } from "../base/unreachable.ts";
import type { Attributes, Span } from "./span.ts";
import type { MetricsFamily, MetricsSnapshot } from "./metrics.ts";

export interface OtlpEncoder {
  spans(spans: readonly Span[]): Uint8Array;
  metrics(snapshot: MetricsSnapshot): Uint8Array;
  /** How many of a request were not taken, and why, by what the collector answered. */
  readReply(body: Uint8Array): { readonly rejected: number; readonly text: string };
}

const kinds = { internal: 0, server: 1, client: 2 } as const;
const UNSET = 0;
const ERROR = 2;
const SAMPLED = 1;
const DOUBLE = 1;

export function createEncoder(resource: Attributes): OtlpEncoder {
  const described = resourceFromAttributes({ ...resource });
  const scope = { name: "postrider", version: String(resource["service.version"] ?? "") };

  const readable = (span: Span): ReadableSpan => {
    const context = contextOf(span, span.spanId, false);
    const parent =
      span.parentId === null ? undefined : contextOf(span, span.parentId, span.isRemoteParent);
    return {
      name: span.name,
      kind: kinds[span.kind],
      spanContext: () => context,
      ...(parent === undefined ? {} : { parentSpanContext: parent }),
      startTime: timeOf(span.startAt),
      endTime: timeOf(span.endAt),
      status: span.error === null ? { code: UNSET } : { code: ERROR, message: span.error },
      attributes: { ...span.attributes },
      links: [],
      events: span.events.map(({ name, at, attributes }) => {
        return { name, time: timeOf(at), attributes: { ...attributes } };
      }),
      duration: timeOf(span.endAt - span.startAt),
      ended: true,
      resource: described,
      instrumentationScope: scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  };

  return {
    spans: (spans) => bytesOf(ProtobufTraceSerializer.serializeRequest(spans.map(readable))),
    metrics({ families, startedAt, at }) {
      const [from, to] = [timeOf(startedAt), timeOf(at)];
      const metrics = families.map((one) => metricOf(one, from, to));
      const scopeMetrics = [{ scope, metrics }];
      return bytesOf(
        ProtobufMetricsSerializer.serializeRequest({ resource: described, scopeMetrics }),
      );
    },
    readReply(body) {
      const partial = ProtobufTraceSerializer.deserializeResponse(body).partialSuccess;
      const { rejectedSpans = 0, errorMessage = "" } = partial ?? {};
      return { rejected: Math.max(0, Number(rejectedSpans)), text: errorMessage };
    },
  };
}

function bytesOf(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw new Error("the serializer made nothing");
  return bytes;
}

/** Whole nanoseconds, without losing them in a double. */
function timeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6))];
}

function contextOf({ traceId, state }: Span, spanId: string, isRemote: boolean): SpanContext {
  const context = { traceId, spanId, traceFlags: SAMPLED, isRemote };
  return state === "" ? context : { ...context, traceState: asIs(state) };
}

/** What others noted on the way is passed on, and not read. */
function asIs(state: string): TraceState {
  const same: TraceState = {
    serialize: () => state,
    get: () => undefined,
    set: () => same,
    unset: () => same,
  };
  return same;
}

function metricOf(family: MetricsFamily, startTime: HrTime, endTime: HrTime): MetricData {
  const { row, bounds, points } = family;
  const { name, help, kind } = row;
  const base = {
    descriptor: { name, description: help, unit: unitOf(name), valueType: DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  };
  const numbers = points.map(({ labels, value }) => {
    return { startTime, endTime, attributes: { ...labels }, value };
  });
  switch (kind) {
    case "counter": {
      const sum = { dataPointType: DataPointType.SUM, isMonotonic: true } as const;
      return { ...base, ...sum, dataPoints: numbers };
    }
    case "gauge":
      return { ...base, dataPointType: DataPointType.GAUGE, dataPoints: numbers };
    case "histogram": {
      const dataPoints = points.map(({ labels, value: sum, counts }) => {
        const buckets = { boundaries: [...bounds], counts: [...counts] };
        const count = counts.reduce((total, one) => total + one, 0);
        return { startTime, endTime, attributes: { ...labels }, value: { buckets, sum, count } };
      });
      return { ...base, dataPointType: DataPointType.HISTOGRAM, dataPoints };
    }
    default:
      return unreachable(kind);
  }
}

/** By the ending of the name (UCUM). */
function unitOf(name: string): string {
  if (name.includes("_seconds")) return "s";
  return name.includes("_bytes") ? "By" : "1";
}
