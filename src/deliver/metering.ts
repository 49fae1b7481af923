// What delivery counts (mail/metrics.ts). Series are looked up once and kept, since this runs several times a message.
import type { Counter, Gauge, Histogram, Meter } from "../base/meter.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import type { Phase } from "../smtp/phases.ts";
import { classOf, type Reply } from "../smtp/reply.ts";
import type { TransactionEnd } from "../smtp/transaction.ts";
import type { ConnectFailure } from "./connection.ts";
import type { OpeningTrouble } from "../smtp/dialogue.ts";

/** The message that something was done for. */
export interface About {
  readonly message: number;
  readonly trace?: string | undefined;
}

export interface DeliverMeter {
  /** Null: the connection ended before the reply. */
  timed(phase: Phase, reply: Reply | null, durationMs: number, about: About | null): void;
  /** Undefined: it stands. */
  connected(why: ConnectFailure["why"] | undefined, durationMs: number): void;
  secured(facts: TlsFacts): void;
  sessions(change: 1 | -1): void;
  /** No connection came of it. */
  unconnected(site: string, why: ConnectFailure["why"]): void;
  /** It connected, and came to nothing. */
  unopened(site: string, end: OpeningTrouble): void;
  /** The series of one site, to be kept with it. */
  site(name: string): SiteMeter;
}

export interface SiteMeter {
  transaction(tls: boolean, reused: boolean): void;
  /** Counts whether the session broke with it. */
  ended(end: TransactionEnd, reused: boolean): void;
  connections(open: number): void;
}

const NO_REPLY = 0;
/** Series of errors at hand: a site that is down fails thousands of times a second in the same way. */
const ERRORS_KEPT_MAX = 1000;

export function createDeliverMeter(meter: Meter): DeliverMeter {
  const durations = new Map<Phase, (Histogram | undefined)[]>();
  const handshakes = new Map<string, Histogram>();
  const verified = (is: boolean): Histogram =>
    meter.histogram("smtp_tls_verify_duration_seconds", { verified: String(is) });
  const checks = { yes: verified(true), no: verified(false) };
  const attempts = (result: string): Histogram =>
    meter.histogram("smtp_connect_duration_seconds", { result });
  const connects = {
    ok: attempts("ok"),
    timeout: attempts("timeout"),
    failed: attempts("failed"),
  };
  const active = meter.gauge("smtp_sessions_active");
  let sessions = 0;
  const errors = new Map<string, Counter>();
  const failed = (site: string, phase: string, reason: string): void => {
    const key = `${phase} ${reason} ${site}`;
    let series = errors.get(key);
    if (series === undefined) {
      // What an older one has not told yet, it still tells.
      if (errors.size >= ERRORS_KEPT_MAX) errors.clear();
      series = meter.apart.counter("smtp_session_errors_total", { site, phase, reason });
      errors.set(key, series);
    }
    series.add();
  };
  return {
    timed(phase, reply, durationMs, about) {
      if (!meter.isOn()) return;
      let byClass = durations.get(phase);
      if (byClass === undefined) durations.set(phase, (byClass = []));
      const digit = reply === null ? NO_REPLY : classOf(reply);
      const series = (byClass[digit] ??= meter.histogram("smtp_command_duration_seconds", {
        command: phase,
        code: digit === NO_REPLY ? "none" : `${digit}xx`,
      }));
      series.observe(durationMs / 1000, about?.message, about?.trace);
    },
    connected(why, durationMs) {
      if (why === "stopped" || why === "local" || why === "source") return;
      const result = why === undefined ? "ok" : why === "timeout" ? "timeout" : "failed";
      connects[result].observe(durationMs / 1000);
    },
    secured({ resumed, version, handshakeMs, verifyMs, verified }) {
      const key = `${version} ${resumed}`;
      let series = handshakes.get(key);
      if (series === undefined) {
        const labels = { resumed: String(resumed), version };
        series = meter.histogram("smtp_tls_handshake_duration_seconds", labels);
        handshakes.set(key, series);
      }
      series.observe(handshakeMs / 1000);
      (verified ? checks.yes : checks.no).observe(verifyMs / 1000);
    },
    sessions(change) {
      sessions += change;
      active.set(sessions);
    },
    unconnected(site, why) {
      if (why !== "stopped") failed(site, "connect", why);
    },
    unopened(site, end) {
      if (end.end === "unfit") failed(site, "ehlo", "unfit");
      else if (end.end === "refused") failed(site, end.phase, "refused");
      else if (end.why !== "stopped") failed(site, end.phase, end.why);
    },
    site: (name) => createSiteMeter(meter, name, failed),
  };
}

function createSiteMeter(
  { apart }: Meter,
  site: string,
  failed: (site: string, phase: string, reason: string) => void,
): SiteMeter {
  const counters: (Counter | undefined)[] = [];
  let gauge: Gauge | undefined;
  return {
    transaction(tls, reused) {
      const series = (counters[(tls ? 2 : 0) + (reused ? 1 : 0)] ??= apart.counter(
        "smtp_transactions_total",
        { site, tls: String(tls), reused: String(reused) },
      ));
      series.add();
    },
    ended(end, reused) {
      const broke = end.clean ? null : breakOf(end, reused);
      if (broke !== null) failed(site, broke.phase, broke.reason);
    },
    connections(open) {
      gauge ??= apart.gauge("postrider_site_connections", { site });
      gauge.set(open);
    },
  };
}

interface Break {
  readonly phase: Phase;
  readonly reason: string;
}

/** Where and why a transaction was the last of its session; null: since we stop. */
function breakOf({ fates }: TransactionEnd, reused: boolean): Break | null {
  for (const fate of fates) {
    if (fate.fate === "lost") {
      if (fate.why === "stopped") return null;
      const isStale = reused && fate.why === "closed" && fate.phase === "mail";
      return { phase: fate.phase, reason: isStale ? "stale" : fate.why };
    }
    if (fate.fate === "spoiled" || fate.fate === "unfit") return { phase: "body", reason: "local" };
    if (fate.fate !== "refused") continue;
    // RFC 5321 3.8: the server says that it hangs up.
    if (fate.reply.code === HANGS_UP) return { phase: fate.phase, reason: "refused" };
    if (classOf(fate.reply) < 4) return { phase: fate.phase, reason: "protocol" };
    // It answered in the middle of the message, which was cut off.
    if (fate.phase === "dot") return { phase: "body", reason: "refused" };
  }
  return { phase: "rset", reason: "closed" };
}

const HANGS_UP = 421;
