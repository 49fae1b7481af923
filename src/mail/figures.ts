// What the dashboard and `postrider top` show: GET /figures (how fast mail flows, what waits, whether anything is wrong), the same once
// every two seconds as GET /figures/stream, and GET /sites (each destination, and why it is slow). The shapes are those of the API.
import type { FailureView } from "./explain.ts";
import type { PauseView, UplinkView } from "./query.ts";
import type { SlowCause } from "./slow.ts";
import type { StateName } from "./state.ts";

/** One point of the history speaks for so long. */
export const POINT_MS = 2000;
/** Five minutes. */
export const POINTS_KEPT = 150;

/** Upper bounds of what waits by its age, in seconds; the last bucket has none. */
export const ageBoundsS: readonly number[] = [60, 300, 900, 3600, 21_600, 86_400, 259_200];

/** What happened between two looks. Rates are recipients a second, but `accepted` messages; a latency of nothing is null. */
export interface FigurePoint {
  /** Grows by one with each point, also over restarts: what a stream is resumed from. */
  readonly id: number;
  /** The end of its interval. */
  readonly at: string;
  readonly accepted_per_second: number;
  readonly delivered_per_second: number;
  /** Attempts that ended in "later". */
  readonly deferred_per_second: number;
  /** Bounced and expired. */
  readonly bounced_per_second: number;
  /** Requests that the door refused. */
  readonly refused_per_second: number;
  /** From a request's last octet to its answer. */
  readonly accept_p50_ms: number | null;
  readonly accept_p99_ms: number | null;
  /** From acceptance to the commit of the remote's 250. */
  readonly delivery_p50_ms: number | null;
  readonly delivery_p99_ms: number | null;
  /** Recipients that are not final. */
  readonly queued: number;
}

/** States that are not final, as far as anything is in them. */
export interface QueueStateFigure {
  readonly state: StateName;
  readonly p0: number;
  readonly p1: number;
  readonly p2: number;
}

export interface AgeFigure {
  /** Null: whatever is older. */
  readonly up_to_seconds: number | null;
  /** With a recipient that is not final. */
  readonly messages: number;
}

export interface QueueFigures {
  /** Recipients that are not final. */
  readonly recipients: number;
  readonly states: readonly QueueStateFigure[];
  readonly oldest_age_seconds: Readonly<Record<"p0" | "p1" | "p2", number | null>>;
  /** What waits by age, youngest first. */
  readonly ages: readonly AgeFigure[];
}

/** Something that a person should look at. */
export interface AlertFigure {
  /** Stable, such as `uplink_down`, `disk_low`, `relay.login`. */
  readonly code: string;
  /** `bad`: mail stands still, or is refused. */
  readonly level: "warn" | "bad";
  readonly since: string;
  /** Null where it concerns no single site. */
  readonly site: string | null;
  /** A sentence. */
  readonly text: string;
  /** A sentence: what to do. */
  readonly remedy: string;
}

export interface HealthFigures {
  /** The worst of the alerts. */
  readonly status: "ok" | "warn" | "bad";
  readonly uplink: UplinkView;
  readonly port25_blocked: boolean;
  /** Why no mail is taken; null: it is. */
  readonly refusing: { readonly why: string; readonly retry_after_seconds: number } | null;
  readonly disk: {
    readonly free_bytes: number | null;
    /** Below it no mail is taken. */
    readonly reserve_bytes: number | null;
    readonly wal_bytes: number | null;
    readonly history_bytes: number | null;
  };
  readonly memory: {
    readonly resident_bytes: number;
    /** Above it no mail is taken. */
    readonly limit_bytes: number | null;
  };
  /** How late each thread's timer fired last. */
  readonly threads: readonly { readonly thread: string; readonly lag_ms: number }[];
  readonly paused: readonly PauseView[];
  readonly search_lag_events: number;
  readonly webhook_pending_events: number;
  /** The worst first. */
  readonly alerts: readonly AlertFigure[];
}

export interface FiguresView {
  readonly object: "figures";
  readonly version: string;
  readonly hostname: string;
  readonly started_at: string;
  readonly uptime_seconds: number;
  /** False: the setting `metrics` is off, and nothing is counted. */
  readonly measuring: boolean;
  /** The last point; null within the first two seconds. */
  readonly now: FigurePoint | null;
  /** Oldest first; `now` is the last of them. In a stream: only what was not told yet. */
  readonly history: readonly FigurePoint[];
  /** Since the start. */
  readonly totals: {
    readonly accepted: number;
    readonly delivered: number;
    readonly bounced: number;
    readonly expired: number;
    readonly deferrals: number;
    readonly doubts: number;
  };
  readonly queue: QueueFigures;
  readonly health: HealthFigures;
}

/** How long one phase of SMTP takes at a site, by its last few hundred replies. `connect` and `tls` come before SMTP. */
export interface PhaseFigure {
  readonly phase: string;
  readonly replies: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
}

/** GET /sites: a list (`ListView<SiteFigure>`), what has most to send first. */
export interface SiteFigure {
  readonly object: "site";
  /** `domain:` and a name: what waits for a paused domain; empty: what has no route yet. */
  readonly site: string;
  /** Recipient domains that are known to share it; null: not known. */
  readonly domains: number | null;
  readonly connections: {
    readonly open: number;
    /** Of the open ones: they wait for mail. */
    readonly idle: number;
    readonly opening: number;
  };
  /** Connections that may work at the moment, and the most that may ever; null while nothing is sent there. */
  readonly concurrency: { readonly now: number; readonly limit: number } | null;
  readonly backlog: {
    /** Recipients that wait, counted up to a limit. */
    readonly waiting: number;
    readonly at_least: boolean;
    /** By state; null where too many wait to tell them apart. */
    readonly queued: number | null;
    readonly scheduled: number | null;
    readonly deferred: number | null;
    /** With a sender. */
    readonly sending: number;
    readonly oldest_age_seconds: number | null;
    readonly next_attempt_at: string | null;
  };
  /** Attempts over the last ten seconds; null where so many sites are known that this one is not counted by itself. */
  readonly rates: {
    readonly delivered_per_second: number;
    readonly deferred_per_second: number;
    readonly failed_per_second: number;
  } | null;
  /** Nothing is sent until then. `rule`: `operator`, `backoff` (our own patience), or the rule by which the provider asked for it. */
  readonly pause: {
    readonly rule: string;
    readonly text: string;
    /** Null: until somebody resumes it. */
    readonly until: string | null;
  } | null;
  readonly last_error: FailureView | null;
  /** Slowest first, by p95. */
  readonly phases: readonly PhaseFigure[];
  readonly slowest: PhaseFigure | null;
  /** Why it is slow, as a word for programs and as one sentence for people; `none` where nothing holds it up. */
  readonly cause: SlowCause;
  readonly reason: string;
}
