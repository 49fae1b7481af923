// What delivery counts (mail/metrics.ts). Series are looked up once and kept, since this runs several times a message.
import type { Counter, Gauge, Histogram, Meter } from "../base/meter.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import type { Phase } from "../smtp/phases.ts";
import { classOf, type Reply } from "../smtp/reply.ts";

export interface DeliverMeter {
  timed(phase: Phase, reply: Reply, durationMs: number): void;
  secured(facts: TlsFacts): void;
  sessions(change: 1 | -1): void;
  failed(site: string, phase: string, reason: string): void;
  /** The counters of one site, to be kept with it. */
  site(name: string): SiteMeter;
}

export interface SiteMeter {
  transaction(tls: boolean, reused: boolean): void;
  connections(open: number): void;
}

/** Labels must not grow with the number of destinations: the first sites have their own, the rest share one. */
const SITE_LABELS_MAX = 200;

export function createDeliverMeter(meter: Meter): DeliverMeter {
  const labels = new Set<string>();
  const labelOf = (site: string): string => {
    if (labels.has(site)) return site;
    if (labels.size >= SITE_LABELS_MAX) return "other";
    labels.add(site);
    return site;
  };
  const durations = new Map<Phase, (Histogram | undefined)[]>();
  const active = meter.gauge("smtp_sessions_active");
  let sessions = 0;
  return {
    timed(phase, reply, durationMs) {
      let byClass = durations.get(phase);
      if (byClass === undefined) durations.set(phase, (byClass = []));
      const digit = classOf(reply);
      const series = (byClass[digit] ??= meter.histogram("smtp_command_duration_seconds", {
        command: phase,
        code: `${digit}xx`,
      }));
      series.observe(durationMs / 1000);
    },
    secured({ resumed, version, handshakeMs }) {
      const at = { resumed: String(resumed), version };
      meter.histogram("smtp_tls_handshake_duration_seconds", at).observe(handshakeMs / 1000);
    },
    sessions(change) {
      sessions += change;
      active.set(sessions);
    },
    failed: (site, phase, reason) =>
      meter.counter("smtp_session_errors_total", { site: labelOf(site), phase, reason }).add(),
    site: (name) => createSiteMeter(meter, labelOf(name)),
  };
}

function createSiteMeter(meter: Meter, site: string): SiteMeter {
  const counters: (Counter | undefined)[] = [];
  let gauge: Gauge | undefined;
  return {
    transaction(tls, reused) {
      const series = (counters[(tls ? 2 : 0) + (reused ? 1 : 0)] ??= meter.counter(
        "smtp_transactions_total",
        { site, tls: String(tls), reused: String(reused) },
      ));
      series.add();
    },
    connections(open) {
      // What many small sites share cannot be told by one of them.
      if (site === "other") return;
      gauge ??= meter.gauge("postrider_site_connections", { site });
      gauge.set(open);
    },
  };
}
