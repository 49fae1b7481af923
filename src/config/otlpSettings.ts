// The settings of traces, and of metrics that are pushed: where to, and of which mail.
import { choice, duration, flag, type Kind, orNull } from "./kinds.ts";
import { setting } from "./setting.ts";

const SECOND = 1000;

/** Names and values as they stand in a request. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

const collector: Kind<string> = {
  allowed: "the base URL of a collector, such as http://127.0.0.1:4318, without a user name",
  parse(raw) {
    const url = typeof raw === "string" && !/\s/.test(raw) ? URL.parse(raw) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") return undefined;
    // What is secret stands in otlp_headers, where it is masked.
    if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "")
      return undefined;
    return url.href;
  },
  show: (value) => value,
};

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$/;
const HEADERS_MAX = 20;
/** Ours, and those by which a request would no longer be the one that we meant. */
const RESERVED = /^(?:host|content-.*|connection|transfer-encoding|accept-encoding)$/i;

/** As `OTEL_EXPORTER_OTLP_HEADERS` has them: pairs with commas between them, values percent-encoded. */
const headerList: Kind<HeaderList> = {
  allowed: `up to ${HEADERS_MAX} of NAME=VALUE, separated by commas, such as authorization=Bearer%20KEY`,
  parse(raw) {
    if (typeof raw !== "string") return undefined;
    const parts = raw.split(",").filter((part) => part.trim() !== "");
    const pairs = parts.map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, Math.max(0, at)).trim(), decoded(part.slice(at + 1).trim())] as const;
    });
    const good = pairs.every(
      ([name, value]) =>
        TOKEN.test(name) && !RESERVED.test(name) && /^[\t\x20-\x7e]{1,4096}$/.test(value ?? ""),
    );
    if (!good || pairs.length === 0 || pairs.length > HEADERS_MAX) return undefined;
    return pairs as HeaderList;
  },
  show: (pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join(","),
};

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** Kept as a part of one. */
const percent: Kind<number> = {
  allowed: "a share from 0% to 100%, such as 1% or 0.1%",
  parse(raw) {
    const match = typeof raw === "string" ? /^(\d{1,3}(?:\.\d{1,6})?) ?%$/.exec(raw.trim()) : null;
    const part = match === null ? (raw === "0" || raw === 0 ? 0 : NaN) : Number(match[1]) / 100;
    return part >= 0 && part <= 1 ? part : undefined;
  },
  show: (part) => `${Number((part * 100).toFixed(6))}%`,
};

export const otlpSettings = {
  otlpEndpoint: setting<string | null>({
    name: "otlp_endpoint",
    kind: orNull(collector, "off"),
    default: null,
    usually: "off",
    help: "Traces go by OTLP over HTTP to this collector, whose path is continued with `/v1/traces`",
  }),
  otlpHeaders: setting<HeaderList | null>({
    name: "otlp_headers",
    kind: orNull(headerList, "none"),
    default: null,
    usually: "none",
    help: "What a hosted collector wants to know its client by, such as `authorization=Bearer%20KEY`",
    secret: true,
  }),
  otlpMetrics: setting({
    name: "otlp_metrics",
    kind: flag,
    default: false,
    help: "Metrics go to the collector too, every 15 s, to `/v1/metrics`",
  }),
  traceSample: setting({
    name: "trace_sample",
    kind: percent,
    default: 0.01,
    usually: "1%",
    help: "Share of the messages whose traces are exported. What failed, was deferred or was slow always is; a request's own `traceparent` decides for itself",
  }),
  traceSlowMs: setting({
    name: "trace_slow",
    kind: duration({ min: 10, max: 3600 * SECOND }),
    default: 5 * SECOND,
    help: "An attempt that takes so long, from connecting to the last reply, is slow",
  }),
  traceRecipients: setting<"domain" | "address">({
    name: "trace_recipients",
    kind: choice(["domain", "address"]),
    default: "domain",
    help: "Whether traces tell who gets mail, or only in which domain",
  }),
} as const;
