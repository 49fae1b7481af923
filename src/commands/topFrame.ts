// The picture of `postrider top`: from figures, the present and a size to lines that fill it, and nothing else.
import { iso } from "../base/clock.ts";
import type { FigurePoint, FiguresView, SiteFigure } from "../mail/figures.ts";
import { lineName } from "../mail/query.ts";
import { briefDuration, briefNumber, fitted, sparkline } from "./cells.ts";
import type { Colors } from "./output.ts";
import { sortedSites, sorts, type TopModel } from "./topModel.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface Look {
  readonly size: Size;
  readonly now: number;
  readonly colors: Colors;
}

/** Below it nothing could be read. */
const COLUMNS_MIN = 40;
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

function widthOf({ size }: Look): number {
  return Math.max(COLUMNS_MIN, size.columns);
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

interface Column {
  readonly head: string;
  readonly width: number;
  /** The sort that it shows. */
  readonly sort: string;
  readonly text: (site: SiteFigure) => string;
}

const allColumns: readonly Column[] = [
  { head: "conn", width: 4, sort: "connections", text: (site) => String(site.connections.open) },
  { head: "works", width: 7, sort: "", text: worksText },
  { head: "wait", width: 7, sort: "waiting", text: waitText },
  { head: "oldest", width: 6, sort: "oldest", text: oldestText },
  {
    head: "msg/s",
    width: 6,
    sort: "delivered/s",
    text: rateText,
  },
  { head: "slowest", width: 13, sort: "slowest", text: slowestText },
];

/** What a narrow terminal does without, the first one first. */
const DISPENSABLE = ["works", "slowest", "oldest", "conn"];

function columnsFor(width: number): readonly Column[] {
  let columns = allColumns;
  for (const head of DISPENSABLE) {
    if (cellsFor(columns) + SITE_MIN <= width) break;
    columns = columns.filter((column) => column.head !== head);
  }
  return columns;
}

function cellsFor(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + column.width + 1, 0);
}

/** Connections that may work now, of the most that may ever. */
function worksText({ concurrency }: SiteFigure): string {
  return concurrency === null ? "-" : `${concurrency.now}/${concurrency.limit}`;
}

function waitText({ backlog }: SiteFigure): string {
  return `${briefNumber(backlog.waiting + backlog.sending)}${backlog.at_least ? "+" : ""}`;
}

function rateText({ rates }: SiteFigure): string {
  return rates === null ? "" : briefNumber(rates.delivered_per_second);
}

function oldestText({ backlog }: SiteFigure): string {
  return backlog.oldest_age_seconds === null
    ? ""
    : briefDuration(backlog.oldest_age_seconds * 1000);
}

function slowestText({ slowest }: SiteFigure): string {
  return slowest === null ? "" : `${slowest.phase} ${briefDuration(slowest.p95_ms)}`;
}

const SITE_MIN = 16;
const SITE_MAX = 40;

function siteLines(
  sites: readonly SiteFigure[],
  model: TopModel,
  look: Look,
  room: number,
): string[] {
  const { colors } = look;
  const width = widthOf(look);
  const columns = columnsFor(width);
  const fixed = cellsFor(columns);
  const siteWidth = Math.min(SITE_MAX, Math.max(SITE_MIN, Math.floor((width - fixed) / 2)));
  const whyWidth = Math.max(0, width - fixed - siteWidth - 2);
  const heads = columns.map(({ head, width: cells, sort }) => {
    const text = fitted(head, cells, "right");
    return sort === model.sort ? colors.underline(text) : text;
  });
  const title =
    [fitted("site", siteWidth), ...heads].join(" ") +
    (whyWidth < 6 ? "" : fitted("  why", whyWidth + 2));
  if (sites.length === 0) return [colors.dim(title), "nothing waits, and no connection is open"];
  const at = sites.findIndex(({ site }) => site === model.chosen);
  // The bar stays in sight.
  const from = Math.max(0, Math.min(at - Math.floor(room / 2), sites.length - room));
  const shown = sites.slice(from, from + room).map((site) => {
    const cells = columns.map((column) => fitted(column.text(site), column.width, "right"));
    const text =
      [fitted(lineName(site.site), siteWidth), ...cells].join(" ") + whyText(site, whyWidth);
    if (site.site === model.chosen) return colors.inverse(text);
    return site.cause === "none" ? text : paintCause(site, text, colors);
  });
  return [colors.dim(title), ...shown];
}

function whyText(site: SiteFigure, width: number): string {
  if (width < 6) return "";
  const text =
    site.cause === "none" ? "" : width < 30 ? site.cause.replaceAll("_", " ") : site.reason;
  return `  ${fitted(text, width)}`;
}

const STOPPED: readonly string[] = [
  "operator",
  "uplink",
  "port25",
  "no_route",
  "unreachable",
  "tls_broken",
];

function paintCause({ cause }: SiteFigure, text: string, colors: Colors): string {
  return STOPPED.includes(cause) ? colors.red(text) : colors.yellow(text);
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
