// What the dashboard asks of the daemon itself: its disk, its threads and its process.
import type { Row } from "./grafana.ts";
import { I, histogram, rate } from "./questions.ts";

export const diskRow: Row = {
  title: "Disk",
  panels: [
    {
      ...{ title: "Free", kind: "timeseries", unit: "bytes", width: 8 },
      about: "Below the reserve mail is neither taken nor sent.",
      questions: [
        { expr: `min(postrider_disk_free_bytes{${I}})`, legend: "free" },
        { expr: `max(postrider_disk_reserve_bytes{${I}})`, legend: "reserve" },
        {
          expr: `min(instance:postrider_disk_free_bytes:predict4h{${I}})`,
          legend: "in four hours",
        },
      ],
    },
    {
      ...{ title: "The database", kind: "timeseries", unit: "bytes", width: 8 },
      about: "What waits, what is history, and the write-ahead log, which should stay small.",
      questions: [
        { expr: `sum(postrider_queue_bytes{${I}})`, legend: "queue" },
        { expr: `sum(postrider_history_bytes{${I}})`, legend: "history" },
        { expr: `sum(postrider_db_wal_bytes{${I}})`, legend: "WAL" },
      ],
    },
    {
      ...{ title: "Commits", kind: "timeseries", unit: "s", width: 8 },
      about: "Sync included: every answer waits for one.",
      questions: [0.5, 0.99].map((share) => ({
        expr: histogram(share, "postrider_commit_duration_seconds"),
        legend: `p${share * 100}`,
      })),
    },
    {
      ...{ title: "Messages in a commit", kind: "timeseries", unit: "short", width: 8 },
      about: "A busy daemon batches by itself.",
      questions: [
        {
          expr:
            `sum(rate(postrider_commit_batch_messages_sum{${I}}[$__rate_interval]))` +
            ` / sum(rate(postrider_commit_batch_messages_count{${I}}[$__rate_interval]))`,
          legend: "mean",
        },
        { expr: histogram(0.99, "postrider_commit_batch_messages"), legend: "p99" },
      ],
    },
    {
      ...{ title: "Transactions that the disk refused", kind: "stat", unit: "short", width: 8 },
      about: "In the time shown. Nothing was answered for them.",
      redFrom: 1,
      questions: [
        {
          expr: `sum(increase(postrider_commit_failures_total{${I}}[$__range]))`,
          legend: "refused",
        },
      ],
    },
    {
      ...{ title: "Lists lag behind by", kind: "stat", unit: "short", width: 8 },
      about: "Events that cannot be searched yet.",
      redFrom: 100_000,
      questions: [{ expr: `max(postrider_search_lag_events{${I}})`, legend: "events" }],
    },
  ],
};

export const threadsRow: Row = {
  title: "Threads",
  panels: [
    {
      ...{ title: "CPU", kind: "timeseries", unit: "percentunit", width: 8, stacked: true },
      about: "Of one core each. A thread near 100 % is what holds the rest up.",
      questions: [
        { expr: rate("postrider_thread_cpu_seconds_total", "thread"), legend: "{{thread}}" },
      ],
    },
    {
      ...{ title: "Late by", kind: "timeseries", unit: "s", width: 8 },
      about: "How late a timer of one second fired.",
      questions: [
        { expr: `max by (thread) (postrider_thread_lag_seconds{${I}})`, legend: "{{thread}}" },
      ],
    },
    {
      ...{ title: "Objects", kind: "timeseries", unit: "bytes", width: 8, stacked: true },
      about: "Garbage included.",
      questions: [
        { expr: `sum by (thread) (postrider_thread_heap_bytes{${I}})`, legend: "{{thread}}" },
      ],
    },
  ],
};

const ours = `${I},job="postrider"`;

export const processRow: Row = {
  title: "Process",
  panels: [
    {
      ...{ title: "CPU", kind: "timeseries", unit: "percentunit", width: 6 },
      about: "Of one core; 2 is two of them.",
      questions: [
        { expr: rate("process_cpu_seconds_total", "instance", ours), legend: "{{instance}}" },
      ],
    },
    {
      ...{ title: "Memory", kind: "timeseries", unit: "bytes", width: 6 },
      about: "Resident.",
      questions: [
        {
          expr: `sum by (instance) (process_resident_memory_bytes{${ours}})`,
          legend: "{{instance}}",
        },
      ],
    },
    {
      ...{ title: "Open files", kind: "timeseries", unit: "short", width: 6 },
      about: "Against their limit.",
      questions: [
        { expr: `sum(process_open_fds{${ours}})`, legend: "open" },
        { expr: `sum(process_max_fds{${ours}})`, legend: "limit" },
      ],
    },
    {
      ...{ title: "Up for", kind: "stat", unit: "dtdurations", width: 6 },
      about: "Since its last start.",
      questions: [{ expr: `time() - max(process_start_time_seconds{${ours}})`, legend: "up" }],
    },
    {
      ...{ title: "Version", kind: "table", unit: "short", width: 12 },
      about: "And the runtime that is compiled into it.",
      questions: [{ expr: `postrider_build_info{${I}}`, legend: "" }],
    },
    {
      ...{ title: "Spans", kind: "timeseries", unit: "ops", width: 12, stacked: true },
      about: "Pieces of traces by what became of them. Mail does not wait for those that are lost.",
      questions: [{ expr: rate("postrider_trace_spans_total", "result"), legend: "{{result}}" }],
    },
    {
      ...{ title: "This page", kind: "timeseries", unit: "s", width: 12 },
      about: "What the metrics themselves cost when they are asked for.",
      questions: [{ expr: histogram(0.99, "postrider_metrics_render_seconds"), legend: "p99" }],
    },
  ],
};
