// What `postrider top` knows and what a key does to it: pure, so that every key is tried in a test.
import type { FiguresView, SiteFigure } from "../mail/figures.ts";

export interface TopData {
  readonly figures: FiguresView;
  readonly sites: readonly SiteFigure[];
}

/** By what sites are ordered: its key, its name, and a site's place (the greatest first). */
export const sorts = [
  { key: "w", name: "waiting", of: ({ backlog }) => backlog.waiting + backlog.sending },
  { key: "d", name: "delivered/s", of: ({ rates }) => rates?.delivered_per_second ?? -1 },
  { key: "c", name: "connections", of: ({ connections }) => connections.open },
  { key: "o", name: "oldest", of: ({ backlog }) => backlog.oldest_age_seconds ?? -1 },
  { key: "l", name: "slowest", of: ({ slowest }) => slowest?.p95_ms ?? -1 },
  { key: "e", name: "last error", of: ({ last_error: e }) => (e === null ? 0 : Date.parse(e.at)) },
  { key: "n", name: "name", of: (site) => site.site },
] as const satisfies readonly {
  readonly key: string;
  readonly name: string;
  readonly of: (site: SiteFigure) => number | string;
}[];

export type SortName = (typeof sorts)[number]["name"];

export interface TopModel {
  /** Null: nothing has come yet. */
  readonly data: TopData | null;
  readonly sort: SortName;
  readonly reversed: boolean;
  /** The site under the bar, by name: it stays under it wherever it moves. */
  readonly chosen: string | null;
  readonly help: boolean;
  /** Why there is nothing new; empty while there is. */
  readonly away: string;
}

export function firstModel(sort: SortName): TopModel {
  return { data: null, sort, reversed: false, chosen: null, help: false, away: "" };
}

export function sortedSites({ data, sort, reversed }: TopModel): readonly SiteFigure[] {
  const of = sorts.find(({ name }) => name === sort)?.of ?? sorts[0].of;
  const sites = [...(data?.sites ?? [])].sort((a, b) => {
    const [x, y] = [of(a), of(b)];
    const order = typeof x === "string" ? (x < String(y) ? -1 : 1) : Number(y) - x;
    return order === 0 ? (a.site < b.site ? -1 : 1) : order;
  });
  return reversed ? sites.reverse() : sites;
}

export type AfterKey = TopModel | "quit";

/** `key` is what the terminal sent. */
export function afterKey(model: TopModel, key: string): AfterKey {
  if (key === "q" || key === "\u0003") return "quit";
  if (model.help) return { ...model, help: false };
  const chosen = sorts.find((one) => one.key === key);
  if (chosen !== undefined) return { ...model, sort: chosen.name };
  switch (key) {
    case "?":
    case "h":
      return { ...model, help: true };
    case "r":
      return { ...model, reversed: !model.reversed };
    case "s": {
      const next = (sorts.findIndex(({ name }) => name === model.sort) + 1) % sorts.length;
      return { ...model, sort: sorts[next]?.name ?? model.sort };
    }
    case "\u001b[A":
    case "\u001bOA":
    case "k":
      return moved(model, -1);
    case "\u001b[B":
    case "\u001bOB":
    case "j":
      return moved(model, 1);
    case "\u001b":
      return { ...model, chosen: null };
    default:
      return model;
  }
}

function moved(model: TopModel, by: number): TopModel {
  const names = sortedSites(model).map(({ site }) => site);
  if (names.length === 0) return model;
  const at = model.chosen === null ? -1 : names.indexOf(model.chosen);
  const next = at < 0 ? 0 : Math.min(names.length - 1, Math.max(0, at + by));
  return { ...model, chosen: names[next] ?? null };
}
