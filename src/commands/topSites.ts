// The table of sites in the picture of `postrider top`: as many columns as the terminal is wide.
import type { SiteFigure } from "../mail/figures.ts";
import { lineName } from "../mail/query.ts";
import { isWell } from "../mail/slow.ts";
import { briefDuration, briefNumber, fitted } from "./cells.ts";
import type { Colors } from "./output.ts";
import type { TopModel } from "./topModel.ts";

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

export function widthOf({ size }: Look): number {
  return Math.max(COLUMNS_MIN, size.columns);
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

/** A title and one line for each site, `room` of them at most. */
export function siteLines(
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
    return isWell(site.cause) ? text : paintCause(site, text, colors);
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
