// The rows of the table of metrics that tell of the daemon itself: its threads, its settings, its process. The names of the process's are
// those that Prometheus' own libraries have.
import { each, type MetricRow } from "./metricsRow.ts";

/** Threads that there always are; senders are counted from 0. */
const threads = each({ thread: ["door", "queue", "reader", "sender-0"] });

export const selfRows: readonly MetricRow[] = [
  {
    name: "postrider_thread_lag_seconds",
    kind: "gauge",
    labels: ["thread"],
    help: "How late a timer of one second fired, at worst within 15 s.",
    zeros: threads,
  },
  {
    name: "postrider_thread_cpu_seconds_total",
    kind: "counter",
    labels: ["thread"],
    help: "CPU time of a thread; what the runtime does beside them is in `process_cpu_seconds_total` alone.",
    zeros: threads,
  },
  {
    name: "postrider_thread_heap_bytes",
    kind: "gauge",
    labels: ["thread"],
    help: "Memory that a thread's objects take, garbage included.",
    zeros: threads,
  },
  {
    name: "postrider_trace_spans_total",
    kind: "counter",
    labels: ["result"],
    help: "Spans by what became of them; an attempt that was dropped before spans were made of it counts as one.",
    zeros: each({ result: ["exported", "dropped", "failed", "rejected"] }),
  },
  {
    name: "postrider_metrics_render_seconds",
    kind: "histogram",
    labels: [],
    help: "What it takes to write this page, without the pauses in which other requests are answered.",
  },
  {
    name: "postrider_config_last_reload_successful",
    kind: "gauge",
    labels: [],
    help: "1 while the settings are those that were read last; 0 after a reload that was refused.",
  },
  {
    name: "postrider_build_info",
    kind: "gauge",
    labels: ["version", "runtime"],
    help: "Always 1.",
  },
];

/** Read when somebody asks; without /proc there are fewer. */
export const processRows: readonly MetricRow[] = [
  {
    name: "process_cpu_seconds_total",
    kind: "counter",
    labels: [],
    help: "CPU time, all threads.",
  },
  {
    name: "process_resident_memory_bytes",
    kind: "gauge",
    labels: [],
    help: "Resident memory.",
  },
  {
    name: "process_virtual_memory_bytes",
    kind: "gauge",
    labels: [],
    help: "Virtual memory, most of which is only reserved.",
  },
  {
    name: "process_virtual_memory_max_bytes",
    kind: "gauge",
    labels: [],
    help: "Limit of virtual memory; -1 without one.",
  },
  {
    name: "process_start_time_seconds",
    kind: "gauge",
    labels: [],
    help: "Start, since 1970.",
  },
  {
    name: "process_open_fds",
    kind: "gauge",
    labels: [],
    help: "Open file descriptors.",
  },
  {
    name: "process_max_fds",
    kind: "gauge",
    labels: [],
    help: "Limit of file descriptors.",
  },
  {
    name: "process_threads",
    kind: "gauge",
    labels: [],
    help: "Threads, those of the runtime included.",
  },
];
