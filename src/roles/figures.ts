// GET /figures: what the threads report, with what only the door and the queue thread know of the daemon's health.
import { type Clock, type EpochMs, iso } from "../base/clock.ts";
import type { Config } from "../config.ts";
import type { Order } from "../mail/command.ts";
import type { SurveyView } from "../mail/explain.ts";
import type { AlertFigure, FiguresView, HealthFigures } from "../mail/figures.ts";
import type { UplinkView } from "../mail/query.ts";
import type { Figures } from "../report/figures.ts";
import { type Alert, alertsOf, statusOf } from "../report/health.ts";
import type { Health } from "../submit/door.ts";
import type { LookAtSites } from "./sites.ts";
import type { FiguresDesk } from "../submit/figures.ts";

/** What the queue thread says is good for so long, however many look. */
const SURVEY_FRESH_MS = 1500;

export interface FiguresDeskDeps {
  readonly figures: Figures;
  readonly clock: Pick<Clock, "now" | "monotonicMs">;
  readonly order: Order;
  readonly uplink: () => UplinkView;
  readonly health: () => Health;
  readonly config: () => Pick<
    Config,
    "hostname" | "memoryLimitBytes" | "diskReserveBytes" | "metrics"
  >;
  readonly residentBytes: () => number;
  readonly sites: LookAtSites;
  readonly version: string;
  readonly startedAt: EpochMs;
}

export function createFiguresDesk(deps: FiguresDeskDeps): FiguresDesk {
  const { figures, clock, version, startedAt } = deps;
  const survey = createSurvey(deps);
  const book = createAlertBook();
  return {
    async view(after) {
      const points = figures.points(after);
      const now = clock.now();
      return {
        object: "figures",
        version,
        hostname: deps.config().hostname,
        started_at: iso(startedAt),
        uptime_seconds: Math.max(0, Math.round((now - startedAt) / 1000)),
        measuring: deps.config().metrics,
        now: figures.points().at(-1) ?? null,
        history: points,
        totals: figures.totals(),
        queue: figures.queue(),
        health: healthOf(deps, await survey(), book, now),
      } satisfies FiguresView;
    },
    nextPoint: (signal) =>
      new Promise((resolve) => {
        const end = (more: boolean): void => {
          signal.removeEventListener("abort", leave);
          listening?.close();
          resolve(more);
        };
        const leave = (): void => end(false);
        const listening = figures.onPoint(end);
        signal.addEventListener("abort", leave);
        if (signal.aborted || listening === null) leave();
      }),
    sites: deps.sites,
  };
}

/** Null: the queue thread has not answered yet. */
function createSurvey({ order, clock }: FiguresDeskDeps): () => Promise<SurveyView | null> {
  let last: SurveyView | null = null;
  let asked: Promise<SurveyView | null> | undefined;
  let askedAtMs = 0;
  const ask = async (): Promise<SurveyView | null> => {
    const said = await order({ do: "queue.survey", sites: [] });
    // What was true a moment ago is better than nothing.
    if (said.kind === "done") last = said.value as SurveyView;
    return last;
  };
  return () => {
    const nowMs = clock.monotonicMs();
    if (asked !== undefined && nowMs - askedAtMs < SURVEY_FRESH_MS) return asked;
    askedAtMs = nowMs;
    return (asked = ask());
  };
}

function healthOf(
  deps: FiguresDeskDeps,
  survey: SurveyView | null,
  book: AlertBook,
  now: EpochMs,
): HealthFigures {
  const { figures, uplink, config } = deps;
  const { gauge } = figures;
  const standing = deps.health();
  const refusing =
    standing.kind === "accepting"
      ? null
      : { why: standing.why, retry_after_seconds: standing.retryAfterS };
  const threads = figures.threads();
  const alerts = book(
    alertsOf({
      ...{ now, survey, gauge, threads, uplink: uplink() },
      refusing: refusing?.why ?? null,
      measuring: config().metrics,
      oldest: figures.queue().oldest_age_seconds,
    }),
    now,
  );
  return {
    status: statusOf(alerts),
    uplink: uplink(),
    port25_blocked: uplink().state === "port25_blocked",
    refusing,
    disk: {
      free_bytes: gauge("postrider_disk_free_bytes"),
      reserve_bytes: config().diskReserveBytes,
      wal_bytes: gauge("postrider_db_wal_bytes"),
      history_bytes: gauge("postrider_history_bytes"),
    },
    memory: {
      resident_bytes: deps.residentBytes(),
      limit_bytes: config().memoryLimitBytes,
    },
    threads,
    paused: survey?.paused ?? [],
    search_lag_events: gauge("postrider_search_lag_events") ?? 0,
    webhook_pending_events: gauge("postrider_webhook_pending_events") ?? 0,
    alerts,
  };
}

type AlertBook = (alerts: readonly Alert[], now: EpochMs) => readonly AlertFigure[];

/** Remembers since when each alert stands; one that ends is forgotten. */
function createAlertBook(): AlertBook {
  let since = new Map<string, string>();
  return (alerts, now) => {
    const next = new Map<string, string>();
    const told = alerts.map((alert) => {
      const key = `${alert.code} ${alert.site}`;
      const at = alert.since ?? since.get(key) ?? iso(now);
      next.set(key, at);
      return { ...alert, since: at };
    });
    since = next;
    return told;
  };
}
