// The rows of the table of metrics that tell of the door: what came in, what was refused, and what is told outside.
import type { Labels } from "../base/meter.ts";
import { each, type MetricRow } from "./metricsRow.ts";

/** Why the HTTP API refuses a request (submit/problem.ts), and why the SMTP listener does. */
export const rejectReasons = [
  ...["invalid_idempotency_key", "invalid_json", "missing_api_key", "session_ended"],
  "restricted_api_key",
  ...["invalid_api_key", "not_found", "client_not_allowed", "domain_not_allowed"],
  ...["method_not_allowed", "request_timeout", "invalid_idempotent_request"],
  ...["concurrent_idempotent_requests", "not_cancelable", "not_retryable", "conflict", "gone"],
  ...["message_too_large", "unsupported_media_type", "validation_error", "missing_required_field"],
  ...[
    "cross_site_request",
    "invalid_attachment",
    "unsupported_field",
    "rate_limit_exceeded",
    "daily_quota_exceeded",
  ],
  ...["internal_server_error", "busy", "queue_full", "disk_low", "memory_low", "draining"],
  ...["internal_error", "smtp_bad_command", "smtp_clear_login", "smtp_commands"],
  ...["smtp_connections", "smtp_errors", "smtp_injected", "smtp_line_too_long", "smtp_no_login"],
  ...["smtp_timeout", "smtp_wrong_keys"],
] as const;

/** What a request is for, by its address; a few that name many addresses, so that labels do not grow with them. */
export const httpRoutes = [
  "send",
  "batch",
  "emails",
  "events",
  "queue",
  "manage",
  "look",
  "inbox",
  "metrics",
  "status",
  "page",
  "other",
] as const;
export type HttpRoute = (typeof httpRoutes)[number];

export const hookResults = ["taken", "refused", "failed"] as const;

const httpZeros: readonly Labels[] = [
  ...each({ route: ["send", "batch"], status: ["2xx", "4xx", "5xx"] }),
  ...each({ route: httpRoutes.slice(2), status: ["2xx"] }),
];

export const doorRows: readonly MetricRow[] = [
  {
    name: "postrider_messages_accepted_total",
    kind: "counter",
    labels: ["door"],
    help: "Messages committed and answered with 2xx, by HTTP (local sockets and the pickup folder included) or SMTP.",
    zeros: each({ door: ["http", "smtp"] }),
  },
  {
    name: "postrider_accept_duration_seconds",
    kind: "histogram",
    labels: [],
    help: "From the request's last byte to its answer.",
    exemplars: true,
  },
  {
    name: "postrider_rejected_total",
    kind: "counter",
    labels: ["reason"],
    help: "Requests and SMTP commands refused, by error name.",
    zeros: each({ reason: rejectReasons }),
  },
  {
    name: "postrider_http_requests_total",
    kind: "counter",
    labels: ["route", "status"],
    help: "HTTP requests answered, by what they were for and the class of the status.",
    zeros: httpZeros,
  },
  {
    name: "postrider_submission_sessions_active",
    kind: "gauge",
    labels: [],
    help: "Open connections of SMTP clients.",
    zeros: [{}],
  },
  {
    name: "postrider_submission_sessions_total",
    kind: "counter",
    labels: ["tls"],
    help: "Connections of SMTP clients that were taken; `tls`: encrypted from the first byte.",
    zeros: each({ tls: ["false", "true"] }),
  },
  {
    name: "postrider_reports_total",
    kind: "counter",
    labels: ["kind", "result"],
    help: "Bounces (`dsn`) and complaints (`arf`) that came back by mail, and what was made of them; `forged` and `unmatched` ones change nothing.",
    zeros: each({
      kind: ["dsn", "arf"],
      result: ["recorded", "duplicate", "early", "unmatched", "forged", "ignored"],
    }),
  },
  {
    name: "postrider_webhook_pending_events",
    kind: "gauge",
    labels: [],
    help: "Events that webhooks have still to take; what is not read yet is counted by attempts.",
    zeros: [{}],
  },
  {
    name: "postrider_webhook_attempt_duration_seconds",
    kind: "histogram",
    labels: ["result"],
    help: "Requests to webhooks: `taken` (2xx), `refused` (any other answer) or `failed` (none).",
    zeros: each({ result: hookResults }),
  },
  {
    name: "postrider_tls_cert_expiry_timestamp_seconds",
    kind: "gauge",
    labels: [],
    help: "When the certificate of `tls_cert` ends, since 1970; absent without one.",
  },
  {
    name: "postrider_dkim_keys_unusable",
    kind: "gauge",
    labels: [],
    help: "Keys for signing that could not be read: mail leaves without their signatures.",
  },
];
