// What Grafana wants to read of a dashboard, made from what a person wants to say of it: rows of panels, each with its questions.

export interface Question {
  readonly expr: string;
  readonly legend: string;
}

export type Unit =
  "short" | "ops" | "reqps" | "s" | "bytes" | "percentunit" | "percent" | "dtdurations";

export interface Panel {
  readonly title: string;
  /** What an operator reads from it. */
  readonly about: string;
  readonly kind: "timeseries" | "stat" | "table";
  readonly unit: Unit;
  /** Of 24 columns. */
  readonly width: number;
  readonly questions: readonly Question[];
  /** Dots that lead to a trace; histograms only. */
  readonly exemplars?: true;
  readonly stacked?: true;
  /** From here on a figure is red. */
  readonly redFrom?: number;
  /** Words for 0 and 1, where the figure is a yes or a no; `good` is the one that is green. */
  readonly words?: { readonly 0: string; readonly 1: string; readonly good: 0 | 1 };
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface Variable {
  readonly name: string;
  readonly label: string;
  /** The values of a label, of these series. */
  readonly of: { readonly series: string; readonly label: string };
}

export interface Dashboard {
  readonly title: string;
  readonly uid: string;
  readonly variables: readonly Variable[];
  /** Moments to be marked in all panels. */
  readonly marks: readonly { readonly name: string; readonly expr: string }[];
  readonly rows: readonly Row[];
}

const SOURCE = { type: "prometheus", uid: "${datasource}" } as const;
const COLUMNS = 24;
const HEIGHTS: Readonly<Record<Panel["kind"], number>> = { stat: 4, timeseries: 8, table: 8 };

type Json = Readonly<Record<string, unknown>>;

export function grafanaJson(dashboard: Dashboard): Json {
  return {
    title: dashboard.title,
    uid: dashboard.uid,
    tags: ["postrider", "mail"],
    schemaVersion: 38,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: { list: [sourceVariable, ...dashboard.variables.map(variable)] },
    annotations: { list: dashboard.marks.map(mark) },
    panels: placed(dashboard.rows),
  };
}

const sourceVariable: Json = {
  name: "datasource",
  label: "Prometheus",
  type: "datasource",
  query: "prometheus",
};

function variable({ name, label, of }: Variable): Json {
  const query = `label_values(${of.series}, ${of.label})`;
  return {
    ...{ name, label, type: "query", datasource: SOURCE },
    ...{ query: { query, refId: name }, definition: query },
    ...{ refresh: 2, sort: 1, multi: true, includeAll: true, allValue: ".*" },
    current: { text: "All", value: "$__all" },
  };
}

function mark({ name, expr }: Dashboard["marks"][number]): Json {
  return { name, expr, datasource: SOURCE, enable: true, iconColor: "blue", step: "30s" };
}

/** From the left to the right, and below where the row is full. */
function placed(rows: readonly Row[]): Json[] {
  const panels: Json[] = [];
  let y = 0;
  for (const { title, panels: inRow } of rows) {
    panels.push({
      ...{ id: panels.length + 1, type: "row", title, collapsed: false, panels: [] },
      gridPos: { h: 1, w: COLUMNS, x: 0, y: y++ },
    });
    let x = 0;
    let lineHeight = 0;
    for (const panel of inRow) {
      if (x + panel.width > COLUMNS) {
        y += lineHeight;
        x = lineHeight = 0;
      }
      const h = HEIGHTS[panel.kind];
      panels.push(panelJson(panel, panels.length + 1, { h, w: panel.width, x, y }));
      x += panel.width;
      lineHeight = Math.max(lineHeight, h);
    }
    y += lineHeight;
  }
  return panels;
}

function panelJson(panel: Panel, id: number, gridPos: Json): Json {
  const { title, about, kind, questions } = panel;
  return {
    ...{ id, type: kind, title, description: about, datasource: SOURCE, gridPos },
    targets: questions.map(({ expr, legend }, i) => ({
      ...{ refId: letter(i), datasource: SOURCE, expr, legendFormat: legend },
      ...(kind === "timeseries" ? { range: true } : { instant: true, range: false }),
      ...(kind === "table" ? { format: "table" } : {}),
      ...(panel.exemplars === true ? { exemplar: true } : {}),
    })),
    fieldConfig: { defaults: defaultsOf(panel), overrides: [] },
    options: optionsOf(panel),
    ...(kind === "table" ? { transformations: joined(questions) } : {}),
  };
}

/** Questions of a table are joined by their labels, one row for each set of them, one column for each question. */
function joined(questions: readonly Question[]): Json[] {
  const columns = questions.map(({ legend }, i) => [`Value #${letter(i)}`, legend] as const);
  const renameByName = columns.length === 1 ? {} : Object.fromEntries(columns);
  const excludeByName = {
    Time: true,
    __name__: true,
    job: true,
    ...(columns.length === 1 ? { Value: true } : {}),
  };
  return [
    { id: "merge", options: {} },
    { id: "organize", options: { excludeByName, renameByName } },
  ];
}

function letter(i: number): string {
  return String.fromCharCode(65 + i);
}

function defaultsOf({ kind, unit, redFrom, words, stacked }: Panel): Json {
  const steps =
    redFrom === undefined
      ? [{ color: words === undefined ? "blue" : "red", value: null }]
      : [
          { color: "green", value: null },
          { color: "red", value: redFrom },
        ];
  const stacking = { mode: stacked === true ? "normal" : "none", group: "A" };
  return {
    unit,
    ...(kind === "timeseries" ? { min: 0 } : {}),
    color: { mode: kind === "timeseries" ? "palette-classic" : "thresholds" },
    thresholds: { mode: "absolute", steps },
    ...(words === undefined ? {} : { mappings: [mapping(words)] }),
    ...(kind === "timeseries"
      ? { custom: { lineWidth: 1, fillOpacity: stacked === true ? 30 : 10, stacking } }
      : {}),
  };
}

function mapping(words: NonNullable<Panel["words"]>): Json {
  const colour = (value: 0 | 1): string => (value === words.good ? "green" : "red");
  const options = {
    "0": { index: 0, text: words[0], color: colour(0) },
    "1": { index: 1, text: words[1], color: colour(1) },
  };
  return { type: "value", options };
}

function optionsOf({ kind }: Panel): Json {
  switch (kind) {
    case "stat":
      return {
        ...{ colorMode: "background", graphMode: "area", textMode: "value_and_name" },
        reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
      };
    case "table":
      return { showHeader: true };
    default:
      return {
        legend: { displayMode: "list", placement: "bottom", showLegend: true },
        tooltip: { mode: "multi", sort: "desc" },
      };
  }
}
