#!/usr/bin/env bun
// The dashboard for Grafana: what it asks, in the order in which an operator asks it. Writes grafana/postrider.json;
// tests/scripts/observe.test.ts fails while that differs, and tests/integration/prometheus.test.ts puts every question to a Prometheus.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { dnsRow, sitesRow, tlsRow, webhooksRow } from "./dashboardOthers.ts";
import { diskRow, processRow, threadsRow } from "./dashboardSelf.ts";
import { type Dashboard, type Row, grafanaJson } from "./grafana.ts";
import { I, histogram, rate } from "./questions.ts";

const healthRow: Row = {
  title: "Is it healthy?",
  panels: [
    {
      ...{ title: "Mail is taken", kind: "stat", unit: "short", width: 4 },
      about: "No: the queue or the disk is full, or the daemon stops. Clients are answered 503.",
      words: { 0: "no", 1: "yes", good: 1 },
      questions: [{ expr: `min(postrider_accepting{${I}})`, legend: "taken" }],
    },
    {
      ...{ title: "Our own line", kind: "stat", unit: "short", width: 4 },
      about: "Down: all mail is held, and no attempt is used up.",
      words: { 0: "down", 1: "up", good: 1 },
      questions: [{ expr: `min(postrider_uplink_up{${I}})`, legend: "line" }],
    },
    {
      ...{ title: "Port 25", kind: "stat", unit: "short", width: 4 },
      about: "Blocked: the network is there, but no mail server can be reached.",
      words: { 0: "open", 1: "blocked", good: 0 },
      questions: [{ expr: `max(postrider_port25_blocked{${I}})`, legend: "port" }],
    },
    {
      ...{ title: "Settings", kind: "stat", unit: "short", width: 4 },
      about:
        "Refused: the file's settings are not those in use; `postrider config check` says why.",
      words: { 0: "refused", 1: "in use", good: 1 },
      questions: [{ expr: `min(postrider_config_last_reload_successful{${I}})`, legend: "file" }],
    },
    {
      ...{ title: "Waits now", kind: "stat", unit: "short", width: 4 },
      about: "Recipients that should leave now: neither scheduled for later nor held.",
      questions: [{ expr: `sum(instance:postrider_owed:sum{${I}})`, legend: "recipients" }],
    },
    {
      ...{ title: "Failed, of what ended", kind: "stat", unit: "percentunit", width: 4 },
      about: "Bounced and expired recipients, as a share of all that came to an end.",
      redFrom: 0.1,
      questions: [{ expr: `max(instance:postrider_failed:ratio_rate5m{${I}})`, legend: "failed" }],
    },
    {
      ...{ title: "Alerts", kind: "table", unit: "short", width: 12 },
      about: "What fires or is about to. Each alert says which command answers it.",
      questions: [{ expr: `ALERTS{${I}}`, legend: "" }],
    },
    {
      ...{ title: "Ours to mend", kind: "timeseries", unit: "short", width: 12 },
      about: "Refusals for DKIM, SPF, a listing, a password; and attempts that may arrive twice.",
      questions: [
        {
          expr: `sum by (class) (increase(postrider_alerts_total{${I}}[$__rate_interval])) > 0`,
          legend: "{{class}}",
        },
        { expr: `sum(increase(postrider_doubts_total{${I}}[$__rate_interval]))`, legend: "doubts" },
      ],
    },
  ],
};

const throughputRow: Row = {
  title: "How fast does it go?",
  panels: [
    {
      ...{ title: "Accepted", kind: "timeseries", unit: "ops", width: 8, stacked: true },
      about: "Messages committed and answered with 2xx, by the door that they came through.",
      questions: [{ expr: rate("postrider_messages_accepted_total", "door"), legend: "{{door}}" }],
    },
    {
      ...{ title: "Came to an end", kind: "timeseries", unit: "ops", width: 8, stacked: true },
      about: "Recipients by what became of them.",
      questions: [{ expr: rate("postrider_recipients_total", "result"), legend: "{{result}}" }],
    },
    {
      ...{ title: "Attempts", kind: "timeseries", unit: "ops", width: 8, stacked: true },
      about: "Deferred ones are made again.",
      questions: [{ expr: rate("postrider_attempts_total", "result"), legend: "{{result}}" }],
    },
    {
      ...{ title: "HTTP requests", kind: "timeseries", unit: "reqps", width: 12, stacked: true },
      about: "By what they were for, and the class of the answer.",
      questions: [
        {
          expr: rate("postrider_http_requests_total", "route, status"),
          legend: "{{route}} {{status}}",
        },
      ],
    },
    {
      ...{ title: "Refused", kind: "timeseries", unit: "reqps", width: 12 },
      about: "Requests and SMTP commands by the name of the error.",
      questions: [{ expr: rate("postrider_rejected_total", "reason"), legend: "{{reason}}" }],
    },
  ],
};

const latencyRow: Row = {
  title: "How long does it take?",
  panels: [
    {
      ...{ title: "Accept to delivered", kind: "timeseries", unit: "s", width: 12 },
      about:
        "From acceptance to the commit of the remote's 250, by priority. The dots are messages.",
      exemplars: true,
      questions: [0.5, 0.99].map((share) => ({
        expr: histogram(share, "postrider_accept_to_delivered_seconds", "priority"),
        legend: `{{priority}} p${share * 100}`,
      })),
    },
    {
      ...{ title: "SMTP commands", kind: "timeseries", unit: "s", width: 12 },
      about: "From a command to its reply: where the time goes. The dots are messages.",
      exemplars: true,
      questions: [
        {
          expr: histogram(0.95, "smtp_command_duration_seconds", "command"),
          legend: "{{command}} p95",
        },
      ],
    },
    {
      ...{ title: "RCPT over 5 s", kind: "timeseries", unit: "percentunit", width: 8 },
      about: "Servers that look up much, or slow down whom they distrust. The dots are messages.",
      exemplars: true,
      questions: [
        {
          expr:
            `1 - sum(rate(smtp_command_duration_seconds_bucket{${I},command="rcpt",le="5.0"}[$__rate_interval]))` +
            ` / sum(rate(smtp_command_duration_seconds_count{${I},command="rcpt"}[$__rate_interval]))`,
          legend: "over 5 s",
        },
      ],
    },
    {
      ...{ title: "Replies", kind: "timeseries", unit: "ops", width: 8, stacked: true },
      about: "SMTP commands by the class of the reply; none: the connection ended first.",
      questions: [
        { expr: rate("smtp_command_duration_seconds_count", "code"), legend: "{{code}}" },
      ],
    },
    {
      ...{ title: "Accept", kind: "timeseries", unit: "s", width: 8 },
      about: "From a request's last byte to its answer: the commit, most of all.",
      exemplars: true,
      questions: [0.5, 0.99].map((share) => ({
        expr: histogram(share, "postrider_accept_duration_seconds"),
        legend: `p${share * 100}`,
      })),
    },
  ],
};

const queueRow: Row = {
  title: "What waits?",
  panels: [
    {
      ...{ title: "By state", kind: "timeseries", unit: "short", width: 12, stacked: true },
      about: "Recipients that are not final.",
      questions: [
        { expr: `sum by (state) (postrider_queue_recipients{${I}})`, legend: "{{state}}" },
      ],
    },
    {
      ...{ title: "By age", kind: "timeseries", unit: "short", width: 12, stacked: true },
      about: "Messages by the time since acceptance: 5m is more than one minute and up to five.",
      questions: [{ expr: `sum by (age) (postrider_queue_age_messages{${I}})`, legend: "{{age}}" }],
    },
    {
      ...{ title: "Oldest", kind: "timeseries", unit: "dtdurations", width: 8 },
      about:
        "Age of the oldest message by priority. One dead destination is enough for a high one.",
      questions: [
        {
          expr: `max by (priority) (postrider_queue_oldest_age_seconds{${I}})`,
          legend: "{{priority}}",
        },
      ],
    },
    {
      ...{ title: "Owed", kind: "timeseries", unit: "short", width: 8, stacked: true },
      about: "Recipients that should leave now, by priority.",
      questions: [
        {
          expr: `sum by (priority) (priority:postrider_owed:sum{${I}})`,
          legend: "{{priority}}",
        },
      ],
    },
    {
      ...{ title: "Room", kind: "timeseries", unit: "percentunit", width: 8 },
      about:
        "What is taken of queue_max_messages and queue_max_bytes. Bulk is refused from 80 % on.",
      redFrom: 0.8,
      questions: [
        {
          expr: `sum(postrider_queue_recipients{${I}}) / sum(postrider_queue_max_recipients{${I}})`,
          legend: "recipients",
        },
        {
          expr: `sum(postrider_queue_bytes{${I}}) / sum(postrider_queue_max_bytes{${I}})`,
          legend: "bytes",
        },
      ],
    },
  ],
};

export const dashboard: Dashboard = {
  title: "Postrider",
  uid: "postrider",
  variables: [
    {
      name: "instance",
      label: "Daemon",
      of: { series: "postrider_build_info", label: "instance" },
    },
    {
      name: "site",
      label: "Site",
      of: { series: `postrider_attempts_total{${I}}`, label: "site" },
    },
  ],
  marks: [
    { name: "Start", expr: `changes(process_start_time_seconds{${I},job="postrider"}[1m]) > 0` },
  ],
  rows: [
    ...[healthRow, throughputRow, latencyRow, queueRow],
    ...[sitesRow, dnsRow, tlsRow, webhooksRow],
    ...[diskRow, threadsRow, processRow],
  ],
};

if (import.meta.main)
  writeFileSync(
    join(import.meta.dir, "grafana", "postrider.json"),
    `${JSON.stringify(grafanaJson(dashboard), null, 2)}\n`,
  );
