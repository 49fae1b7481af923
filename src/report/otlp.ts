// OTLP over HTTP: one request with a batch of spans, or with all metrics, and what the collector's answer means (OTLP 1.x, "Failures").
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { EpochMs } from "../base/clock.ts";
import type { WebPost, WebReply } from "../web/client.ts";
import type { MetricsSnapshot } from "./metrics.ts";
import type { OtlpEncoder } from "./otlpEncode.ts";
import type { Attributes, Span } from "./span.ts";
import type { Sent } from "./spanQueue.ts";
import { pauseOf, wordsOf } from "./webhookOutcome.ts";

export interface OtlpTarget {
  /** The base URL: what is sent decides the rest of its path. */
  readonly endpoint: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface OtlpDeps {
  /** Where to, as it is now. */
  target(): OtlpTarget;
  readonly resource: Attributes;
  readonly userAgent: string;
  readonly now: () => EpochMs;
  post(ask: WebPost): Promise<WebReply>;
}

export interface Otlp {
  spans(spans: readonly Span[], signal: AbortSignal): Promise<Sent>;
  metrics(snapshot: MetricsSnapshot, signal: AbortSignal): Promise<Sent>;
}

/** For the whole request, as OpenTelemetry's own exporters have it. */
const TIMEOUT_MS = 10_000;
/** Of the answer: a partial success says why in a sentence. */
const REPLY_BYTES = 4_096;
const BODY_MS = 2_000;
const REASON_MAX = 200;
/** Those that say that the same request may be taken later. */
const LATER: ReadonlySet<number> = new Set([429, 502, 503, 504]);

const pack = promisify(gzip);

export function createOtlp(deps: OtlpDeps): Otlp {
  let loading: Promise<OtlpEncoder> | undefined;
  const encoder = (): Promise<OtlpEncoder> =>
    (loading ??= import("./otlpEncode.ts").then(({ createEncoder }) =>
      createEncoder(deps.resource),
    ));

  const send = async (
    path: string,
    encode: (encoder: OtlpEncoder) => Uint8Array,
    signal: AbortSignal,
  ): Promise<Sent> => {
    const { endpoint, headers } = deps.target();
    const ready = await encoder();
    const body = await pack(encode(ready));
    const reply = await deps.post({
      url: `${endpoint.replace(/\/+$/, "")}/v1/${path}`,
      headers: {
        "User-Agent": deps.userAgent,
        ...Object.fromEntries(headers),
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "gzip",
      },
      ...{ body, signal, timeoutMs: TIMEOUT_MS, keepBytes: REPLY_BYTES, bodyMs: BODY_MS },
    });
    return meaningOf(reply, ready, deps.now());
  };

  /** Serializer and protocol are others' code, and what they make of ours must cost no more than a batch. */
  const guarded = (sending: Promise<Sent>): Promise<Sent> =>
    sending.catch((error: unknown) => ({ kind: "refused", text: `It was not sent: ${error}` }));

  return {
    spans: (spans, signal) => guarded(send("traces", (ready) => ready.spans(spans), signal)),
    metrics: (snapshot, signal) =>
      guarded(send("metrics", (ready) => ready.metrics(snapshot), signal)),
  };
}

function meaningOf(reply: WebReply, encoder: OtlpEncoder, now: EpochMs): Sent {
  if (reply.kind === "failed") return { kind: "later", afterMs: undefined, text: reply.text };
  const { status, headers, body } = reply;
  if (status >= 200 && status < 300) {
    const { rejected, text } = readReply(encoder, body);
    return { kind: "sent", rejected, text: `${rejected} refused: ${text.slice(0, REASON_MAX)}` };
  }
  const text = `The collector answered ${status}: ${wordsOf(reply)}`;
  if (!LATER.has(status)) return { kind: "refused", text };
  const after = headers.get("retry-after");
  const afterMs = after === undefined ? 0 : pauseOf(after, now);
  return { kind: "later", afterMs: afterMs === 0 ? undefined : afterMs, text };
}

/** An answer that cannot be read says nothing against the spans. */
function readReply(encoder: OtlpEncoder, body: Uint8Array): { rejected: number; text: string } {
  try {
    return encoder.readReply(body);
  } catch {
    return { rejected: 0, text: "" };
  }
}
