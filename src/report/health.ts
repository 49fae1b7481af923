// What a person should look at, as a pure function of what is known: each alert says what is wrong in one sentence, and what to do in another.
import { iso, type EpochMs } from "../base/clock.ts";
import type { SurveyView } from "../mail/explain.ts";
import type { AlertFigure } from "../mail/figures.ts";
import type { UplinkView } from "../mail/query.ts";

export interface HealthFacts {
  readonly now: EpochMs;
  /** False: the setting `metrics` is off, and figures stand still. */
  readonly measuring: boolean;
  readonly uplink: UplinkView;
  /** Why no mail is taken; null: it is. */
  readonly refusing: string | null;
  readonly survey: Pick<SurveyView, "alerts" | "paused"> | null;
  readonly gauge: (name: string) => number | null;
  readonly threads: readonly { readonly thread: string; readonly lag_ms: number }[];
  readonly oldest: Readonly<Record<"p0" | "p1" | "p2", number | null>>;
}

/** Without the time since when it stands, which only a book can know. */
export type Alert = Omit<AlertFigure, "since"> & { readonly since?: string };

const GB = 1_000_000_000;
/** Disk that is left above the reserve: less is told before mail is refused. */
const NEAR_RESERVE = 1.25;
/** A person waits for what has priority 0. */
const URGENT_AGE_S = 300;
const LAG_MS = 1000;
const SEARCH_LAG_EVENTS = 100_000;
const WEBHOOK_PENDING_EVENTS = 10_000;
const CERT_DAYS = 14;
const DAY_MS = 86_400_000;

export function alertsOf(facts: HealthFacts): readonly Alert[] {
  const found = [...stops(facts), ...limits(facts), ...ours(facts), ...delays(facts)];
  return [...found.filter(isBad), ...found.filter((alert) => !isBad(alert))];
}

export function statusOf(alerts: readonly Pick<Alert, "level">[]): "ok" | "warn" | "bad" {
  if (alerts.some(isBad)) return "bad";
  return alerts.length === 0 ? "ok" : "warn";
}

function isBad({ level }: Pick<Alert, "level">): boolean {
  return level === "bad";
}

function alert(level: Alert["level"], code: string, text: string, remedy: string): Alert {
  return { code, level, site: null, text, remedy };
}

/** Nothing is sent. */
function stops({ uplink, survey }: HealthFacts): Alert[] {
  const alerts: Alert[] = [];
  const since = uplink.since === null ? {} : { since: uplink.since };
  if (uplink.state === "down")
    alerts.push({
      ...alert("bad", "uplink_down", told("Our own line is down", uplink), uplinkRemedy),
      ...since,
    });
  if (uplink.state === "port25_blocked")
    alerts.push({
      ...alert("bad", "port25_blocked", told("Nobody is reached on port 25", uplink), portRemedy),
      ...since,
    });
  const everything = survey?.paused.find(({ kind }) => kind === "all");
  if (everything !== undefined)
    alerts.push({
      ...alert("warn", "paused", "An operator paused everything.", resume),
      since: everything.since,
    });
  return alerts;
}

const uplinkRemedy =
  "Look at this host's network and its resolvers; mail goes on by itself when they are back.";
const portRemedy =
  'Ask the provider to open port 25, or send through a relay: relay = "smtp://user:pass@host:587".';
const resume = "Resume it: postrider queue resume --all.";

function told(what: string, { detail }: UplinkView): string {
  return detail === null ? `${what}.` : `${what}: ${detail.replace(/\.$/, "")}.`;
}

/** No mail is taken, or soon will not be. */
function limits({ refusing, gauge }: HealthFacts): Alert[] {
  const [free, reserve] = [
    gauge("postrider_disk_free_bytes"),
    gauge("postrider_disk_reserve_bytes"),
  ];
  if (refusing !== null) {
    const [text, remedy] = refusals[refusing] ?? [
      `No mail is taken (${refusing}).`,
      "See the log.",
    ];
    return [alert("bad", refusing, text, remedy)];
  }
  if (free === null || reserve === null || free >= reserve * NEAR_RESERVE) return [];
  const text = `The disk has ${gb(free)} left; below ${gb(reserve)} no mail is taken.`;
  return [alert("warn", "disk_near_full", text, diskRemedy)];
}

const diskRemedy = "Free some space, or lower history_days, history_max_bytes or disk_reserve.";
const refusals: Readonly<Record<string, readonly [string, string] | undefined>> = {
  disk_low: ["The disk is full: no mail is taken and none is sent.", diskRemedy],
  queue_full: [
    "The queue is full: no mail is taken.",
    "See which sites hold it up, or raise queue_max_messages or queue_max_bytes.",
  ],
  memory_low: [
    "Memory is short: no mail is taken.",
    "Fewer large messages at one time, or raise memory_limit.",
  ],
  draining: ["The daemon is stopping.", "Its successor takes mail again."],
};

function gb(bytes: number): string {
  return `${Math.round((bytes / GB) * 10) / 10} GB`;
}

/** What is ours to mend. */
function ours({ survey, gauge, now }: HealthFacts): Alert[] {
  const alerts: Alert[] = (survey?.alerts ?? []).map(({ site, rule, text, at }) => ({
    ...{ code: rule, level: "warn", site, text: `${site} says: ${text}`, since: at },
    remedy: remedyOf(rule),
  }));
  if ((gauge("postrider_config_last_reload_successful") ?? 1) === 0)
    alerts.push(
      alert(
        "warn",
        "reload_failed",
        "The settings could not be read anew; the old ones hold.",
        check,
      ),
    );
  const unusable = gauge("postrider_dkim_keys_unusable") ?? 0;
  if (unusable > 0)
    alerts.push(
      alert(
        "warn",
        "dkim_unusable",
        `${unusable} DKIM keys cannot be read: mail leaves without their signatures.`,
        keys,
      ),
    );
  if ((gauge("postrider_clock_doubted") ?? 0) > 0)
    alerts.push(
      alert(
        "warn",
        "clock_doubted",
        "Most certificates look out of time: this clock may be wrong.",
        ntp,
      ),
    );
  const ends = gauge("postrider_tls_cert_expiry_timestamp_seconds");
  if (ends !== null && ends * 1000 - now < CERT_DAYS * DAY_MS)
    alerts.push(
      alert(
        "warn",
        "certificate_ends",
        `The certificate of this daemon ends at ${iso(ends * 1000)}.`,
        renew,
      ),
    );
  return alerts;
}

const check = "Run postrider config check; the log names the setting.";
const keys = "See the log for the file; its owner and mode must let the daemon read it.";
const ntp = "Compare it: timedatectl status.";
const renew = "Put a new one in tls_cert and tls_key, then postrider reload.";

const turnOn = "Set metrics = true, then postrider reload.";

function remedyOf(rule: string): string {
  if (rule === "relay.login") return "Look at the user and password of relay.";
  if (rule === "relay.no_mail") return "Ask who runs the relay, or name another in relay.";
  if (rule.startsWith("source")) return "Look at [[source]]: this host has no such address.";
  return "See what the provider's words point to, and run postrider domain check for each domain.";
}

function delays({ threads, oldest, gauge, measuring }: HealthFacts): Alert[] {
  const alerts: Alert[] = [];
  if (!measuring)
    return [
      alert("warn", "metrics_off", "Nothing is counted, so rates and plots stand still.", turnOn),
    ];
  if ((oldest.p0 ?? 0) > URGENT_AGE_S) {
    const text = `Urgent mail (p0) waits for ${Math.round((oldest.p0 ?? 0) / 60)} minutes.`;
    alerts.push(alert("warn", "urgent_waits", text, "See which site holds it up."));
  }
  for (const { thread, lag_ms: lagMs } of threads)
    if (lagMs > LAG_MS) {
      const text = `The thread ${thread} is ${Math.round(lagMs / 100) / 10} s late.`;
      alerts.push(alert("warn", "thread_late", text, "This host has too little CPU for its load."));
    }
  if ((gauge("postrider_search_lag_events") ?? 0) > SEARCH_LAG_EVENTS)
    alerts.push(
      alert(
        "warn",
        "search_lags",
        "Lists and searches lag behind.",
        "They catch up by themselves.",
      ),
    );
  if ((gauge("postrider_webhook_pending_events") ?? 0) > WEBHOOK_PENDING_EVENTS)
    alerts.push(
      alert(
        "warn",
        "webhooks_lag",
        "Webhooks have many events to take.",
        "See which endpoint fails.",
      ),
    );
  return alerts;
}
