// The one table of metrics: name, kind, labels, help. It yields the text of /metrics and the README's section (INTERFACE 7).
import { countBounds, secondsBounds } from "../base/meter.ts";

export interface MetricRow {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
  /** Histograms only; seconds unless said. */
  readonly bounds?: readonly number[];
}

export const metricTable: readonly MetricRow[] = [
  {
    name: "postrider_messages_accepted_total",
    kind: "counter",
    labels: ["door"],
    help: "Messages committed and answered with 2xx.",
  },
  {
    name: "postrider_recipients_total",
    kind: "counter",
    labels: ["result"],
    help: "Recipients that reached a final state.",
  },
  {
    name: "postrider_queue_recipients",
    kind: "gauge",
    labels: ["state", "priority"],
    help: "Recipients that are not final, by state.",
  },
  {
    name: "postrider_queue_oldest_age_seconds",
    kind: "gauge",
    labels: ["priority"],
    help: "Age of the oldest message that is not final; 0 when there is none.",
  },
  {
    name: "postrider_search_lag_events",
    kind: "gauge",
    labels: [],
    help: "Events that search.db has not followed yet.",
  },
  {
    name: "postrider_reports_total",
    kind: "counter",
    labels: ["kind", "result"],
    help: "Bounces (`dsn`) and complaints (`arf`) that came back by mail, and what was made of them; `forged` and `unmatched` ones change nothing.",
  },
  {
    name: "postrider_attempts_total",
    kind: "counter",
    labels: ["site", "result", "class"],
    help: "Ended attempts by site, result and class of trouble.",
  },
  {
    name: "postrider_doubts_total",
    kind: "counter",
    labels: [],
    help: "Attempts that ended between the final dot and its reply, and leases that ended without a verdict.",
  },
  {
    name: "postrider_alerts_total",
    kind: "counter",
    labels: ["class"],
    help: "Refusals that somebody on our side must mend, such as DKIM that fails, a missing PTR record or a listing, by class of trouble.",
  },
  {
    name: "postrider_dkim_keys_unusable",
    kind: "gauge",
    labels: [],
    help: "Keys for signing that could not be read: mail leaves without their signatures.",
  },
  {
    name: "postrider_accept_duration_seconds",
    kind: "histogram",
    labels: [],
    help: "From the request's last byte to its answer.",
  },
  {
    name: "postrider_accept_to_delivered_seconds",
    kind: "histogram",
    labels: ["priority"],
    help: "From acceptance to the commit of the remote's 250.",
  },
  {
    name: "postrider_commit_duration_seconds",
    kind: "histogram",
    labels: [],
    help: "One group commit, sync included.",
  },
  {
    name: "postrider_commit_batch_messages",
    kind: "histogram",
    labels: [],
    help: "Messages accepted by one group commit.",
    bounds: countBounds,
  },
  {
    name: "postrider_db_wal_bytes",
    kind: "gauge",
    labels: [],
    help: "Size of the write-ahead log.",
  },
  {
    name: "postrider_history_bytes",
    kind: "gauge",
    labels: [],
    help: "Bytes in the database that neither owed mail nor free pages take.",
  },
  {
    name: "postrider_disk_free_bytes",
    kind: "gauge",
    labels: [],
    help: "Free bytes on the data folder's volume.",
  },
  {
    name: "postrider_disk_reserve_bytes",
    kind: "gauge",
    labels: [],
    help: "Free bytes below which no mail is accepted and none is sent (`disk_reserve`).",
  },
  {
    name: "postrider_webhook_pending_events",
    kind: "gauge",
    labels: [],
    help: "Events that webhooks have still to take; what is not read yet is counted by attempts.",
  },
  {
    name: "postrider_thread_lag_seconds",
    kind: "gauge",
    labels: ["thread"],
    help: "How late a timer of one second fired.",
  },
  {
    name: "postrider_rejected_total",
    kind: "counter",
    labels: ["reason"],
    help: "Requests refused, by error name.",
  },
  {
    name: "postrider_site_paused",
    kind: "gauge",
    labels: ["site"],
    help: "1 while a site is paused.",
  },
  {
    name: "postrider_site_connections",
    kind: "gauge",
    labels: ["site"],
    help: "Open connections to a site.",
  },
  {
    name: "postrider_uplink_up",
    kind: "gauge",
    labels: [],
    help: "0 while nothing is sent since our own line is down or port 25 is blocked.",
  },
  {
    name: "postrider_port25_blocked",
    kind: "gauge",
    labels: [],
    help: "1 while the network is there but nobody can be reached on port 25.",
  },
  {
    name: "postrider_build_info",
    kind: "gauge",
    labels: ["version", "runtime"],
    help: "Always 1.",
  },
  {
    name: "postrider_tls_cert_expiry_timestamp_seconds",
    kind: "gauge",
    labels: [],
    help: "When the certificate of `tls_cert` ends, since 1970; absent without one.",
  },
  {
    name: "postrider_config_last_reload_successful",
    kind: "gauge",
    labels: [],
    help: "1 while the settings are those that were read last; 0 after a reload that was refused.",
  },
  {
    name: "smtp_sessions_active",
    kind: "gauge",
    labels: [],
    help: "Open SMTP sessions to remote servers.",
  },
  {
    name: "smtp_session_errors_total",
    kind: "counter",
    labels: ["site", "phase", "reason"],
    help: "Sessions that ended in an error.",
  },
  {
    name: "smtp_transactions_total",
    kind: "counter",
    labels: ["site", "tls", "reused"],
    help: "SMTP transactions begun.",
  },
  {
    name: "smtp_command_duration_seconds",
    kind: "histogram",
    labels: ["command", "code"],
    help: "From a command to its reply, by code class.",
  },
  {
    name: "smtp_tls_handshake_duration_seconds",
    kind: "histogram",
    labels: ["resumed", "version"],
    help: "TLS handshakes with remote servers.",
  },
  {
    name: "postrider_clock_doubted",
    kind: "gauge",
    labels: [],
    help: "Threads to which most certificates look out of time: this machine's clock may be wrong.",
  },
  {
    name: "dns_queries_total",
    kind: "counter",
    labels: ["type", "result"],
    help: "Questions put to a resolver.",
  },
  {
    name: "dns_cache_lookups_total",
    kind: "counter",
    labels: ["level", "result"],
    help: "Lookups in the DNS cache.",
  },
  {
    name: "dns_query_duration_seconds",
    kind: "histogram",
    labels: [],
    help: "From a question to its answer.",
  },
];

const boundsByName = new Map(metricTable.map((row) => [row.name, row.bounds ?? secondsBounds]));

export function boundsOf(name: string): readonly number[] {
  const bounds = boundsByName.get(name);
  if (bounds === undefined) throw new Error(`metric ${name} is not in the table`);
  return bounds;
}
