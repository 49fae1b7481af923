// The last minutes as columns for a plot.
import { type FigurePoint, POINT_MS } from "../../mail/figures.ts";

/** Points in the order of their ids, each once, the last `max` of them. A daemon that was started anew may begin with lower ones. */
export function joined(
  before: readonly FigurePoint[],
  fresh: readonly FigurePoint[],
  max: number,
): FigurePoint[] {
  const [first] = fresh;
  if (first === undefined) return before.slice(-max);
  const older = before.filter(({ id, at }) => id < first.id && at < first.at);
  return [...older, ...fresh].slice(-max);
}

export type FigureName = Exclude<keyof FigurePoint, "id" | "at">;

/** Seconds since 1970, then one column a name. A gap, as while the page was not in sight, is a hole in the line and not a slope. */
export function columns(
  points: readonly FigurePoint[],
  names: readonly FigureName[],
): (number | null)[][] {
  const times: number[] = [];
  const lines: (number | null)[][] = names.map(() => []);
  let last = NaN;
  for (const point of points) {
    const at = Date.parse(point.at);
    if (at - last > GAP_MS) {
      times.push((last + POINT_MS) / 1000);
      for (const line of lines) line.push(null);
    }
    last = at;
    times.push(at / 1000);
    names.forEach((name, i) => lines[i]?.push(point[name]));
  }
  return [times, ...lines];
}

/** Places of values that no line can be drawn to: without a dot they would not be seen. */
export function lonely(line: readonly (number | null | undefined)[]): number[] {
  const isThere = (i: number): boolean => line[i] != null;
  return line.flatMap((_, i) => (isThere(i) && !isThere(i - 1) && !isThere(i + 1) ? [i] : []));
}

const GAP_MS = 2.5 * POINT_MS;

/** Whole powers of ten around the values: on a logarithmic axis the lines have names that one knows. */
export function decades(min: number, max: number): [number, number] {
  const [low, high] = [Math.max(0.1, min), Math.max(1, max)];
  const bottom = 10 ** Math.floor(Math.log10(low));
  return [bottom, Math.max(bottom * 10, 10 ** Math.ceil(Math.log10(high)))];
}

/** The top of an axis that rarely moves: 1, 2 or 5 times a power of ten. */
export function roundTop(max: number): number {
  if (!(max > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(max));
  const step = [1, 2, 5, 10].find((one) => one * power >= max * 1.05) ?? 20;
  return Math.max(1, step * power);
}
