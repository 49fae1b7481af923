// The rows of the table of metrics that tell of the queue: what is owed, how old it is, how it ends, and the disk that it lies on.
import { countBounds } from "../base/meter.ts";
import { queueAges } from "./age.ts";
import { each, type MetricRow, OTHER_SITES } from "./metricsRow.ts";
import { isFinal, recipientStates } from "./state.ts";
import { troubleClasses } from "./verdict.ts";

const byPriority = { priority: ["p0", "p1", "p2"] } as const;
const waiting = recipientStates.filter((state) => !isFinal(state));
const ends = recipientStates.filter(isFinal);

export const queueRows: readonly MetricRow[] = [
  {
    name: "postrider_recipients_total",
    kind: "counter",
    labels: ["result"],
    help: "Recipients that reached a final state.",
    zeros: each({ result: ends }),
  },
  {
    name: "postrider_queue_recipients",
    kind: "gauge",
    labels: ["state", "priority"],
    help: "Recipients that are not final, by state.",
    zeros: each({ state: waiting, ...byPriority }),
  },
  {
    name: "postrider_queue_age_messages",
    kind: "gauge",
    labels: ["priority", "age"],
    help: "Messages with a recipient that is not final, by the time since acceptance: `5m` is more than a minute and up to five, `older` is more than all others.",
    zeros: each({ ...byPriority, age: queueAges.map(({ name }) => name) }),
  },
  {
    name: "postrider_queue_oldest_age_seconds",
    kind: "gauge",
    labels: ["priority"],
    help: "How long the oldest message waits that should have left: since its acceptance, or its own time; neither scheduled nor held ones. 0 when there is none.",
    zeros: each(byPriority),
  },
  {
    name: "postrider_queue_bytes",
    kind: "gauge",
    labels: [],
    help: "Bytes of the messages that are not final.",
    zeros: [{}],
  },
  {
    name: "postrider_queue_max_recipients",
    kind: "gauge",
    labels: [],
    help: "So many recipients the queue may hold (`queue_max_messages`).",
  },
  {
    name: "postrider_queue_max_bytes",
    kind: "gauge",
    labels: [],
    help: "So many bytes the queue may hold (`queue_max_bytes`).",
  },
  {
    name: "postrider_accepting",
    kind: "gauge",
    labels: [],
    help: "0 while the queue takes no mail: the disk or the queue is full, or the daemon stops.",
  },
  {
    name: "postrider_attempts_total",
    kind: "counter",
    labels: ["site", "result", "class"],
    help: "Ended attempts by site, result and class of trouble.",
    zeros: [
      { site: OTHER_SITES, result: "delivered", class: "none" },
      ...each({
        site: [OTHER_SITES],
        result: ["deferred", "failed"],
        class: troubleClasses.filter((name) => name !== "none"),
      }),
    ],
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
    zeros: each({ class: troubleClasses }),
  },
  {
    name: "postrider_accept_to_delivered_seconds",
    kind: "histogram",
    labels: ["priority"],
    help: "From acceptance to the commit of the remote's 250.",
    exemplars: true,
    zeros: each(byPriority),
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
    name: "postrider_commit_failures_total",
    kind: "counter",
    labels: [],
    help: "Transactions that the disk refused; nothing was answered for them.",
  },
  {
    name: "postrider_site_paused",
    kind: "gauge",
    labels: ["site"],
    help: "1 while a site is paused; of `other`: how many of the rest are.",
    zeros: [{ site: OTHER_SITES }],
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
    name: "postrider_search_lag_events",
    kind: "gauge",
    labels: [],
    help: "Events that search.db has not followed yet.",
  },
  {
    name: "postrider_suppressed_addresses",
    kind: "gauge",
    labels: [],
    help: "Addresses on the list of suppressions.",
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
    name: "postrider_disk_size_bytes",
    kind: "gauge",
    labels: [],
    help: "Size of the data folder's volume.",
  },
  {
    name: "postrider_disk_reserve_bytes",
    kind: "gauge",
    labels: [],
    help: "Free bytes below which no mail is accepted and none is sent (`disk_reserve`).",
  },
];
