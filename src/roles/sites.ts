// GET /sites asks all threads, as `explain` does, but of every site at one time: the reader for what waits, the senders for what they do
// and may do there, the queue for each site's health. However many look, it is asked once, and the seldomer the longer it takes.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { CommandAnswer, Order, SenderCommand } from "../mail/command.ts";
import type { SenderSiteView, SiteHealthView, SurveyView } from "../mail/explain.ts";
import type { SiteFigure } from "../mail/figures.ts";
import type { Answer, PauseView, Query, SiteBacklog, UplinkView } from "../mail/query.ts";
import { isWell, limitOf, whySlow } from "../mail/slow.ts";
import type { SiteRates } from "../report/siteWindow.ts";

export interface SitesDeps {
  readonly order: Order;
  readonly askSenders: (command: SenderCommand) => Promise<readonly CommandAnswer[]>;
  readonly ask: (query: Query) => Promise<Answer>;
  readonly uplink: () => UplinkView;
  readonly rates: (site: string) => SiteRates | null;
  readonly clock: Pick<Clock, "now" | "monotonicMs">;
}

/** Null: some thread did not answer in time. */
export type LookAtSites = () => Promise<readonly SiteFigure[] | null>;

/** An answer is good for so long, and for several times as long as it took. */
const FRESH_MS = 900;
const FRESH_SHARE = 10;
/** Sites that are shown; those that wait longest stand first. */
const SITES_MAX = 300;

interface Named extends SenderSiteView {
  readonly site: string;
}

export function createSites(deps: SitesDeps): LookAtSites {
  const { clock } = deps;
  let last: Promise<readonly SiteFigure[] | null> | undefined;
  let freshUntilMs = 0;
  return () => {
    if (last !== undefined && clock.monotonicMs() < freshUntilMs) return last;
    const beganMs = clock.monotonicMs();
    const asked = look(deps);
    last = asked;
    freshUntilMs = Infinity;
    const answered = (sites: readonly SiteFigure[] | null): void => {
      const nowMs = clock.monotonicMs();
      // What failed is no answer for whoever asks next.
      const good = Math.max(FRESH_MS, FRESH_SHARE * (nowMs - beganMs));
      freshUntilMs = sites === null ? 0 : nowMs + good;
    };
    asked.then(answered, () => answered(null));
    return asked;
  };
}

async function look(deps: SitesDeps): Promise<readonly SiteFigure[] | null> {
  const { ask, askSenders, order, clock } = deps;
  const [backlog, told] = await Promise.all([
    ask({ ask: "backlog" }),
    askSenders({ do: "sender.sites", site: null }),
  ]);
  if (backlog.kind !== "found") return null;
  const depths = new Map((backlog.view as SiteBacklog[]).map((one) => [one.site, one]));
  const senders = mergedBySite(told);
  const names = [...new Set([...depths.keys(), ...senders.keys()])].slice(0, SITES_MAX);
  const surveyed = await order({ do: "queue.survey", sites: names });
  if (surveyed.kind !== "done") return null;
  const survey = surveyed.value as SurveyView;
  const healths = new Map(survey.sites.map((one) => [one.site, one]));
  const all = new Set([...names, ...healths.keys(), ...pausedSites(survey)]);
  return [...all]
    .map((site) => {
      const known = { site, depth: depths.get(site), sender: senders.get(site) };
      return figureOf(deps, { ...known, health: healths.get(site), survey, now: clock.now() });
    })
    .sort(byUrgency)
    .slice(0, SITES_MAX);
}

function pausedSites({ paused }: SurveyView): string[] {
  return paused.flatMap(({ kind, name }) => {
    if (kind === "all") return [];
    return [kind === "site" ? name : `domain:${name}`];
  });
}

/** A site belongs to one sender; while it moves to another one both may have something to say. */
function mergedBySite(told: readonly CommandAnswer[]): Map<string, Named> {
  const merged = new Map<string, Named>();
  for (const answer of told) {
    if (answer.kind !== "done") continue;
    for (const one of answer.value as Named[]) {
      const known = merged.get(one.site);
      merged.set(one.site, known === undefined || known.running <= one.running ? one : known);
    }
  }
  return merged;
}

interface Known {
  readonly site: string;
  readonly depth: SiteBacklog | undefined;
  readonly sender: Named | undefined;
  readonly health: SiteHealthView | undefined;
  readonly survey: SurveyView;
  readonly now: EpochMs;
}

function figureOf({ rates, uplink }: SitesDeps, known: Known): SiteFigure {
  const { site, depth, sender, health, survey, now } = known;
  const phases = sender?.phases ?? [];
  const paused = pauseOf(survey, site);
  const slow = whySlow({
    ...{ site, now, paused, phases },
    uplink: uplink(),
    waiting: depth?.waiting ?? 0,
    scheduled: statesOf(depth).scheduled,
    nextAttemptAt: depth?.next_attempt_at ?? null,
    lastError: depth?.last_error ?? null,
    health: health ?? null,
    sender: sender ?? null,
  });
  const last = health?.last_failure ?? null;
  return {
    object: "site",
    site,
    domains: survey.domains[site] || null,
    connections: {
      open: sender?.connections ?? 0,
      idle: sender?.idle ?? 0,
      opening: sender?.opening ?? 0,
    },
    concurrency: sender === undefined ? null : { now: sender.concurrency, limit: limitOf(sender) },
    backlog: {
      waiting: depth?.waiting ?? 0,
      at_least: depth?.at_least ?? false,
      ...statesOf(depth),
      sending: health?.leased ?? 0,
      oldest_age_seconds: depth?.oldest_age_seconds ?? null,
      next_attempt_at: depth?.next_attempt_at ?? null,
    },
    rates: rates(site),
    pause:
      paused === null
        ? restOf(health, now, slow.text)
        : { rule: "operator", text: slow.text, until: null },
    last_error: last,
    phases,
    slowest: phases[0] ?? null,
    cause: slow.cause,
    reason: slow.text,
  };
}

function statesOf(depth: SiteBacklog | undefined) {
  if (depth === undefined) return { queued: 0, scheduled: 0, deferred: 0 };
  return depth.states ?? { queued: null, scheduled: null, deferred: null };
}

/** What stops it, the widest first. */
function pauseOf({ paused }: SurveyView, site: string): PauseView | null {
  const everything = paused.find(({ kind }) => kind === "all");
  if (everything !== undefined) return everything;
  return (
    paused.find(({ kind, name }) =>
      kind === "site" ? name === site : kind === "domain" && `domain:${name}` === site,
    ) ?? null
  );
}

function restOf(
  health: SiteHealthView | undefined,
  now: EpochMs,
  text: string,
): SiteFigure["pause"] {
  const until = health?.paused_until ?? null;
  if (health === undefined || until === null || Date.parse(until) <= now) return null;
  return { rule: health.paused_by ?? "backoff", text, until };
}

/** What has most to send; of equals, what is in trouble. */
function byUrgency(a: SiteFigure, b: SiteFigure): number {
  const size = ({ backlog }: SiteFigure): number => backlog.waiting + backlog.sending;
  const trouble = ({ cause }: SiteFigure): number => (isWell(cause) ? 0 : 1);
  return size(b) - size(a) || trouble(b) - trouble(a) || (a.site < b.site ? -1 : 1);
}
