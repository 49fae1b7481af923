// The rows of the table of metrics whose names are those of the protocols: SMTP with other servers, and the DNS.
import { each, type MetricRow, OTHER_SITES } from "./metricsRow.ts";

/** What is timed (smtp/phases.ts), and the class of the reply with which it goes on. */
const usual = { greeting: "2xx", ehlo: "2xx", mail: "2xx", rcpt: "2xx", data: "3xx", dot: "2xx" };

const flags = ["false", "true"] as const;
const questions = ["A", "AAAA", "MX", "TXT", "TLSA"] as const;

export const smtpRows: readonly MetricRow[] = [
  {
    name: "smtp_sessions_active",
    kind: "gauge",
    labels: [],
    help: "Open SMTP sessions to remote servers.",
    zeros: [{}],
  },
  {
    name: "postrider_site_connections",
    kind: "gauge",
    labels: ["site"],
    help: "Open connections to a site.",
    zeros: [{ site: OTHER_SITES }],
  },
  {
    name: "smtp_connect_duration_seconds",
    kind: "histogram",
    labels: ["result"],
    help: "Connections to addresses of remote servers: `ok`, `timeout` or `failed`; with TLS from the first byte its handshake included.",
    zeros: each({ result: ["ok", "timeout", "failed"] }),
  },
  {
    name: "smtp_session_errors_total",
    kind: "counter",
    labels: ["site", "phase", "reason"],
    help: "Sessions that could not be opened or that broke, by the command at which they did. `refused`: the server's word was the end; `unfit`: it lacks what we must have; `local`: our own fault; `stale`: a kept connection was dead when it was to be used again.",
    zeros: [
      ...each({
        site: [OTHER_SITES],
        phase: ["connect"],
        reason: ["network", "timeout", "tls", "local", "source"],
      }),
      ...each({
        site: [OTHER_SITES],
        phase: ["greeting", "ehlo", "starttls", "auth", "mail"],
        reason: ["refused", "closed", "timeout", "protocol"],
      }),
      ...each({
        site: [OTHER_SITES],
        phase: ["rcpt", "data", "body", "dot"],
        reason: ["closed", "timeout", "protocol"],
      }),
      { site: OTHER_SITES, phase: "tls", reason: "tls" },
      { site: OTHER_SITES, phase: "ehlo", reason: "unfit" },
      { site: OTHER_SITES, phase: "mail", reason: "stale" },
    ],
  },
  {
    name: "smtp_transactions_total",
    kind: "counter",
    labels: ["site", "tls", "reused"],
    help: "SMTP transactions begun.",
    zeros: each({ site: [OTHER_SITES], tls: flags, reused: flags }),
  },
  {
    name: "smtp_command_duration_seconds",
    kind: "histogram",
    labels: ["command", "code"],
    help: "From a command to its reply, by code class; `none`: the connection ended first.",
    exemplars: true,
    zeros: Object.entries(usual).flatMap(([command, good]) =>
      each({ command: [command], code: [good, "4xx", "5xx"] }),
    ),
  },
  {
    name: "smtp_tls_handshake_duration_seconds",
    kind: "histogram",
    labels: ["resumed", "version"],
    help: "TLS handshakes with remote servers.",
    zeros: each({ resumed: flags, version: ["TLSv1.2", "TLSv1.3"] }),
  },
  {
    name: "smtp_tls_verify_duration_seconds",
    kind: "histogram",
    labels: ["verified"],
    help: "The checks after a handshake: names, DANE records. `verified`: the server proved what the policy asks for.",
    zeros: each({ verified: flags }),
  },
  {
    name: "postrider_clock_doubted",
    kind: "gauge",
    labels: [],
    help: "Threads to which most certificates look out of time: this machine's clock may be wrong.",
    zeros: [{}],
  },
  {
    name: "dns_queries_total",
    kind: "counter",
    labels: ["type", "result"],
    help: "Questions put to a resolver for the routes of mail.",
    zeros: each({ type: questions, result: ["ok", "nxdomain", "refused", "broken", "silent"] }),
  },
  {
    name: "dns_query_duration_seconds",
    kind: "histogram",
    labels: ["type"],
    help: "From a question to its answer, or to the end of the wait for it.",
    zeros: each({ type: questions }),
  },
  {
    name: "dns_cache_lookups_total",
    kind: "counter",
    labels: ["level", "result"],
    help: "Lookups in the DNS cache by where they were answered: memory (`l1`) or the database (`l2`). `miss`: nowhere, so it is asked; `joined`: it was asked already; `stale`, often behind a `miss`: past its end, since no resolver answers.",
    zeros: [
      ...each({ level: ["l1"], result: ["hit", "stale", "miss", "joined"] }),
      ...each({ level: ["l2"], result: ["hit", "stale"] }),
    ],
  },
  {
    name: "dns_cache_entries",
    kind: "gauge",
    labels: [],
    help: "Answers in memory.",
  },
];
