// The picture of `postrider top`: from figures, the present and a size to lines that fill it, and nothing else.
import { iso } from "../base/clock.ts";
import type { FigurePoint, FiguresView, SiteFigure } from "../mail/figures.ts";
import { lineName } from "../mail/query.ts";
import { briefDuration, briefNumber, fitted, sparkline } from "./cells.ts";
import type { Colors } from "./output.ts";
import { sortedSites, sorts, type TopModel } from "./topModel.ts";
import { type Look, siteLines, widthOf } from "./topSites.ts";

const HISTORY_WIDTH = 24;

/** As many lines as there are rows. */
export function frame(model: TopModel, look: Look): string[] {
  const { rows } = look.size;
  const body = model.help ? helpLines(look) : bodyLines(model, look);
  const lines = [...headLines(model, look), ...body].slice(0, Math.max(0, rows - 1));
  while (lines.length < rows - 1) lines.push("");
  lines.push(footLine(model, look));
  return lines.slice(0, rows);
}

/** All that there is, without a terminal's bounds. */
export function wholeFrame(model: TopModel, look: Look): string[] {
  const sites = sortedSites(model);
  return [...headLines(model, look), ...siteLines(sites, model, look, sites.length)];
}

function headLines(model: TopModel, look: Look): string[] {
  const width = widthOf(look);
  const { data } = model;
  if (data === null) return [fitted(model.away === "" ? "asking the daemon" : model.away, width)];
  const { figures } = data;
  return [
    titleLine(model, figures, look),
    alertLine(model, figures, look),
    ...rateLines(figures, width, look.colors),
    fitted(queueText(figures), width),
    "",
  ];
}

function titleLine(model: TopModel, figures: FiguresView, { now, colors, ...look }: Look): string {
  const width = widthOf({ now, colors, ...look });
  const up = briefDuration(figures.uptime_seconds * 1000);
  const time = `${iso(now).slice(11, 19)}Z`;
  const left = `postrider ${figures.version}  ${figures.hostname}  up ${up}`;
  const status = model.away === "" ? figures.health.status : "away";
  const right = `${time}  ${status.toUpperCase()}`;
  const paint = status === "ok" ? colors.green : status === "warn" ? colors.yellow : colors.red;
  return `${colors.bold(fitted(left, width - right.length - 1))} ${paint(right)}`;
}

/** What a person must know first: that the daemon is gone, else the worst of what is wrong. */
function alertLine(model: TopModel, { health, measuring }: FiguresView, look: Look): string {
  const width = widthOf(look);
  const { colors } = look;
  if (model.away !== "") return colors.red(fitted(model.away, width));
  const [worst, ...others] = health.alerts;
  const paused = health.paused.map(({ kind, name }) => (kind === "all" ? "everything" : name));
  if (worst !== undefined) {
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    const text = `${worst.text} ${worst.remedy}${more}`;
    return (worst.level === "bad" ? colors.red : colors.yellow)(fitted(text, width));
  }
  if (paused.length > 0)
    return colors.yellow(fitted(`paused by an operator: ${paused.join(", ")}`, width));
  return measuring ? "" : fitted("measuring is off (metrics = false): no rates", width);
}

type Rate = keyof Pick<
  FigurePoint,
  | "accepted_per_second"
  | "delivered_per_second"
  | "deferred_per_second"
  | "bounced_per_second"
  | "refused_per_second"
>;

function rateLines({ now, history }: FiguresView, width: number, colors: Colors): string[] {
  const rateOf = (key: Rate): string => `${briefNumber(now?.[key] ?? 0)}/s`;
  const line = (name: string, key: Rate, note: string): string => {
    const rate = `${name.padEnd(10)}${rateOf(key).padStart(9)} `;
    const room = Math.max(0, Math.min(HISTORY_WIDTH, width - 44));
    const spark = sparkline(
      history.map((point) => point[key]),
      room,
    );
    const rest = fitted(`  ${note}`, width - rate.length - room);
    return `${rate}${colors.cyan(spark)}${rest}`;
  };
  const took = (p50: number | null = null, p99: number | null = null): string =>
    p50 === null ? "" : `p50 ${ms(p50)}  p99 ${ms(p99)}`;
  const rest = `bounced ${rateOf("bounced_per_second")}  refused ${rateOf("refused_per_second")}`;
  return [
    line("accepted", "accepted_per_second", took(now?.accept_p50_ms, now?.accept_p99_ms)),
    line("delivered", "delivered_per_second", took(now?.delivery_p50_ms, now?.delivery_p99_ms)),
    line("deferred", "deferred_per_second", rest),
  ];
}

function ms(value: number | null): string {
  return value === null ? "-" : briefDuration(value);
}

function queueText({ queue }: FiguresView): string {
  const states = queue.states.map(
    ({ state, p0, p1, p2 }) => `${state} ${briefNumber(p0 + p1 + p2)}`,
  );
  const ages = Object.entries(queue.oldest_age_seconds).flatMap(([priority, age]) =>
    age === null ? [] : [`${priority} ${briefDuration(age * 1000)}`],
  );
  const oldest = ages.length === 0 ? "" : `  oldest ${ages.join(" ")}`;
  return `queue ${briefNumber(queue.recipients)}  ${states.join("  ")}${oldest}`;
}

/** Lines below the table for the site under the bar, or for the one that is worst off. */
const DETAIL_LINES = 4;

function bodyLines(model: TopModel, look: Look): string[] {
  if (model.data === null) return [];
  const sites = sortedSites(model);
  const head = headLines(model, look).length;
  const room = Math.max(1, look.size.rows - head - 2 - DETAIL_LINES);
  const table = siteLines(sites, model, look, room);
  while (table.length < room + 1) table.push("");
  const chosen = sites.find(({ site }) => site === model.chosen);
  const shown = chosen ?? sites.find(({ cause }) => cause !== "none");
  return [...table, ...(shown === undefined ? [] : detailLines(shown, look))];
}

function detailLines(site: SiteFigure, look: Look): string[] {
  const width = widthOf(look);
  const { last_error: error, pause, backlog } = site;
  const next =
    backlog.next_attempt_at === null ? "" : ` Next attempt ${timeOf(backlog.next_attempt_at)}.`;
  const until = pause === null || pause.until === null ? "" : `, until ${timeOf(pause.until)}`;
  const rest = pause === null ? "" : `paused by ${pause.rule}${until}: ${pause.text}`;
  const phases = site.phases
    .slice(0, 5)
    .map(
      ({ phase, p50_ms: p50, p95_ms: p95 }) =>
        `${phase} ${briefDuration(p50)}/${briefDuration(p95)}`,
    );
  const said =
    error === null
      ? ""
      : `last error ${timeOf(error.at)} ${error.host} ${error.phase}: ${error.code || error.class} ${error.text}`;
  const lines = [
    `${lineName(site.site)}: ${site.reason}${next}`,
    rest,
    said,
    phases.length === 0 ? "" : `p50/p95 of ${phases.join("  ")}`,
  ];
  const told = lines.filter((line) => line !== "");
  return told.map((line, i) =>
    i === 0 ? look.colors.bold(fitted(line, width)) : fitted(line, width),
  );
}

function timeOf(at: string): string {
  return `${at.slice(11, 19)}Z`;
}

function footLine({ sort, reversed }: TopModel, look: Look): string {
  const text = `q quit  ? help  s sort: ${sort}${reversed ? " (reversed)" : ""}  r reverse  up/down a site`;
  return look.colors.dim(fitted(text, widthOf(look) - 1));
}

function helpLines(look: Look): string[] {
  const width = widthOf(look);
  const keys = sorts.map(({ key, name }) => `  ${key}        sort by ${name}`);
  return [
    "keys",
    ...keys,
    "  s        the next way to sort",
    "  r        turn it round",
    "  up down  a site, and all about it below; Esc: none",
    "  q        quit, as Ctrl-C does",
    "",
    "conn: open connections; works: how many may work now / ever; slowest: phase and p95",
  ].map((line) => fitted(line, width));
}
