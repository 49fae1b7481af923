// A plot of lines over time, by uPlot. The canvas is a picture to the ear, so the last values stand beside it as text; colours come from
// the style sheet, and are read anew when they change.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { FigurePoint } from "../../mail/figures.ts";
import { columns, decades, type FigureName, lonely, roundTop } from "../model/history.ts";
import { colours } from "../theme.ts";

export interface Line {
  readonly name: FigureName;
  readonly label: string;
  /** A class that gives the colour. */
  readonly colour: string;
  readonly isDashed?: boolean;
}

interface PlotProps {
  readonly title: string;
  readonly points: readonly FigurePoint[];
  readonly lines: readonly Line[];
  /** A value with its unit. */
  readonly format: (value: number) => string;
  readonly isLog?: boolean;
}

const HEIGHT_PX = 200;
const FONT = "12px system-ui, sans-serif";

export function Plot({ title, points, lines, format, isLog = false }: PlotProps) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const data = useMemo(
    () =>
      columns(
        points,
        lines.map(({ name }) => name),
      ) as uPlot.AlignedData,
    [points, lines],
  );
  const painted = colours.value;
  useEffect(() => {
    const { current } = frame;
    if (current === null) return;
    const made = new uPlot(
      optionsOf({ frame: current, lines, format, isLog, point: setCursor }),
      data,
      current,
    );
    plot.current = made;
    const observer = new ResizeObserver(() =>
      made.setSize({ width: current.clientWidth, height: HEIGHT_PX }),
    );
    observer.observe(current);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [lines, painted]);
  useEffect(() => plot.current?.setData(data), [data]);

  const shown = cursor === null ? points.length : cursor + 1;
  const at = cursor === null ? points.at(-1) : pointAt(points, data, cursor);
  const values = lines.map(({ name }) => at?.[name] ?? null);
  return (
    <section class="plot" aria-label={title}>
      <h2>{title}</h2>
      <ul class="legend">
        {lines.map(({ label, colour, isDashed = false }, i) => (
          <li key={label}>
            <span class={`key ${colour} ${isDashed ? "dashed" : ""}`} aria-hidden="true" />
            {label} <b>{valueText(values[i] ?? null, format)}</b>
          </li>
        ))}
      </ul>
      <div class="canvas" ref={frame} aria-hidden="true" data-shown={shown} />
    </section>
  );
}

function valueText(value: number | null, format: (value: number) => string): string {
  return value === null ? "–" : format(value);
}

/** The columns hold gaps that the points do not, so the time leads back. */
function pointAt(
  points: readonly FigurePoint[],
  data: uPlot.AlignedData,
  index: number,
): FigurePoint | undefined {
  const second = data[0][index];
  return points.find(({ at }) => Date.parse(at) / 1000 === second);
}

interface Drawing extends Pick<PlotProps, "lines" | "format"> {
  readonly frame: HTMLElement;
  readonly isLog: boolean;
  readonly point: (index: number | null) => void;
}

function optionsOf({ frame, lines, format, isLog, point }: Drawing): uPlot.Options {
  const colour = (name: string): string => colourOf(frame, name);
  const axis: uPlot.Axis = {
    stroke: colour("dim"),
    font: FONT,
    grid: { stroke: colour("grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: frame.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    padding: [8, 36, 0, 0],
    cursor: { y: false, drag: { setScale: false, x: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: {
      y: isLog
        ? { distr: 3, range: (_, min, max) => decades(min, max) }
        : { range: (_, _min, max) => [0, roundTop(max)] },
    },
    axes: [
      { ...axis, size: 26, space: 70, values: (_, times) => times.map(clockText) },
      { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => tickText(tick, format)) },
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 1.5,
        points: { show: true, size: 4, filter: (made, i) => lonely([...(made.data[i] ?? [])]) },
        ...(line.isDashed === true ? { dash: [5, 4] } : {}),
      })),
    ],
    hooks: { setCursor: [(made) => point(made.cursor.idx ?? null)] },
  };
}

/** On a logarithmic axis uPlot leaves most ticks without a word, as null. */
function tickText(tick: number | null, format: (value: number) => string): string {
  return tick === null ? "" : format(tick);
}

/** In UTC, as everything on the page. */
function clockText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 19);
}

/** A canvas knows no style sheets, so what a class gives is looked up. */
function colourOf(frame: HTMLElement, name: string): string {
  const probe = document.createElement("span");
  probe.className = name;
  frame.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
