// What the dashboard asks of others: sites, the DNS, TLS, and the receivers of webhooks.
import type { Row } from "./grafana.ts";
import { I, S, histogram, rate } from "./questions.ts";

export const sitesRow: Row = {
  title: "Which site is slow, and why?",
  panels: [
    {
      ...{ title: "Sites", kind: "table", unit: "short", width: 12 },
      about:
        "Attempts a second, connections, and whether it rests (1). `postrider explain DOMAIN` says why.",
      questions: [
        { expr: rate("postrider_attempts_total", "site", `${I},${S}`), legend: "attempts/s" },
        { expr: `sum by (site) (postrider_site_connections{${I},${S}})`, legend: "connections" },
        { expr: `max by (site) (postrider_site_paused{${I},${S}})`, legend: "paused" },
      ],
    },
    {
      ...{ title: "Put off, of the attempts", kind: "timeseries", unit: "percentunit", width: 12 },
      about: "The share of a site's attempts that must be made again.",
      questions: [
        {
          expr: `max by (site) (site:postrider_deferred:ratio_rate5m{${I},${S}})`,
          legend: "{{site}}",
        },
      ],
    },
    {
      ...{ title: "Trouble", kind: "timeseries", unit: "ops", width: 12 },
      about: "Attempts that were put off or refused, by site and class.",
      questions: [
        {
          expr: rate(
            "postrider_attempts_total",
            "site, result, class",
            `${I},${S},result=~"deferred|failed"`,
          ),
          legend: "{{site}} {{result}}: {{class}}",
        },
      ],
    },
    {
      ...{ title: "Sessions that broke", kind: "timeseries", unit: "ops", width: 12 },
      about: "By the command at which they did, and how.",
      questions: [
        {
          expr: rate("smtp_session_errors_total", "site, phase, reason", `${I},${S}`),
          legend: "{{site}} {{phase}}: {{reason}}",
        },
      ],
    },
    {
      ...{ title: "Sessions", kind: "timeseries", unit: "short", width: 8 },
      about: "Open connections to remote servers.",
      questions: [{ expr: `sum(smtp_sessions_active{${I}})`, legend: "open" }],
    },
    {
      ...{ title: "Connecting", kind: "timeseries", unit: "s", width: 8 },
      about: "How long it takes to reach an address, or to give it up.",
      questions: [
        {
          expr: histogram(0.95, "smtp_connect_duration_seconds", "result"),
          legend: "{{result}} p95",
        },
      ],
    },
    {
      ...{ title: "On a kept connection", kind: "timeseries", unit: "percentunit", width: 8 },
      about: "The share of transactions that needed no new connection.",
      questions: [
        {
          expr:
            `sum(rate(smtp_transactions_total{${I},${S},reused="true"}[$__rate_interval]))` +
            ` / sum(rate(smtp_transactions_total{${I},${S}}[$__rate_interval]))`,
          legend: "kept",
        },
      ],
    },
  ],
};

export const dnsRow: Row = {
  title: "DNS",
  panels: [
    {
      ...{ title: "Questions", kind: "timeseries", unit: "ops", width: 8, stacked: true },
      about: "Put to a resolver. silent: no answer in time.",
      questions: [
        { expr: rate("dns_queries_total", "type, result"), legend: "{{type}} {{result}}" },
      ],
    },
    {
      ...{ title: "Time to an answer", kind: "timeseries", unit: "s", width: 8 },
      about: "Or to the end of the wait for it.",
      questions: [
        { expr: histogram(0.95, "dns_query_duration_seconds", "type"), legend: "{{type}} p95" },
      ],
    },
    {
      ...{ title: "Cache", kind: "timeseries", unit: "ops", width: 8, stacked: true },
      about: "Lookups by where they were answered. stale: no resolver answers.",
      questions: [
        { expr: rate("dns_cache_lookups_total", "level, result"), legend: "{{level}} {{result}}" },
      ],
    },
    {
      ...{ title: "Answered by the cache", kind: "stat", unit: "percentunit", width: 12 },
      about: "Lookups that needed no question.",
      questions: [{ expr: `min(instance:dns_cache_hits:ratio_rate5m{${I}})`, legend: "hits" }],
    },
    {
      ...{ title: "Answers in memory", kind: "stat", unit: "short", width: 12 },
      about: "At most dns_cache_entries.",
      questions: [{ expr: `sum(dns_cache_entries{${I}})`, legend: "entries" }],
    },
  ],
};

export const tlsRow: Row = {
  title: "TLS",
  panels: [
    {
      ...{ title: "Encrypted", kind: "timeseries", unit: "percentunit", width: 8 },
      about: "The share of transactions under TLS.",
      questions: [
        {
          expr:
            `sum(rate(smtp_transactions_total{${I},tls="true"}[$__rate_interval]))` +
            ` / sum(rate(smtp_transactions_total{${I}}[$__rate_interval]))`,
          legend: "encrypted",
        },
      ],
    },
    {
      ...{ title: "Handshakes", kind: "timeseries", unit: "s", width: 8 },
      about: "p95, resumed and full ones.",
      questions: [
        {
          expr: histogram(0.95, "smtp_tls_handshake_duration_seconds", "resumed, version"),
          legend: "{{version}} resumed: {{resumed}}",
        },
      ],
    },
    {
      ...{
        title: "Proved by the server",
        kind: "timeseries",
        unit: "ops",
        width: 8,
        stacked: true,
      },
      about: "Handshakes after which names or DANE records were checked, by what came out.",
      questions: [
        {
          expr: rate("smtp_tls_verify_duration_seconds_count", "verified"),
          legend: "verified: {{verified}}",
        },
      ],
    },
    {
      ...{ title: "Threads that doubt the clock", kind: "stat", unit: "short", width: 12 },
      about: "Most certificates look out of time to them.",
      redFrom: 1,
      questions: [{ expr: `sum(postrider_clock_doubted{${I}})`, legend: "threads" }],
    },
    {
      ...{ title: "Keys that cannot be read", kind: "stat", unit: "short", width: 12 },
      about: "Mail leaves without their signatures (DKIM).",
      redFrom: 1,
      questions: [{ expr: `sum(postrider_dkim_keys_unusable{${I}})`, legend: "keys" }],
    },
  ],
};

export const webhooksRow: Row = {
  title: "Webhooks and reports",
  panels: [
    {
      ...{ title: "Events that wait", kind: "timeseries", unit: "short", width: 8 },
      about: "A receiver is slow or down; GET /webhooks says which.",
      questions: [{ expr: `sum(postrider_webhook_pending_events{${I}})`, legend: "events" }],
    },
    {
      ...{ title: "Requests", kind: "timeseries", unit: "reqps", width: 8, stacked: true },
      about: "taken: 2xx. refused: any other answer. failed: none.",
      questions: [
        {
          expr: rate("postrider_webhook_attempt_duration_seconds_count", "result"),
          legend: "{{result}}",
        },
      ],
    },
    {
      ...{ title: "Time to an answer", kind: "timeseries", unit: "s", width: 8 },
      about: "After 15 s a request is given up.",
      questions: [
        {
          expr: histogram(0.95, "postrider_webhook_attempt_duration_seconds", "result"),
          legend: "{{result}} p95",
        },
      ],
    },
    {
      ...{ title: "Bounces and complaints by mail", kind: "timeseries", unit: "ops", width: 12 },
      about: "What POST /reports was given, and what was made of it.",
      questions: [
        {
          expr: rate("postrider_reports_total", "kind, result"),
          legend: "{{kind}} {{result}}",
        },
      ],
    },
    {
      ...{ title: "Suppressed addresses", kind: "timeseries", unit: "short", width: 12 },
      about: "Addresses that get no mail until they are taken off the list.",
      questions: [{ expr: `sum(postrider_suppressed_addresses{${I}})`, legend: "addresses" }],
    },
  ],
};
