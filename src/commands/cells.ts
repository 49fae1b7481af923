// Text in the cells of a terminal: as wide as it is shown, never wider than there is room, and steering nothing.
import { grouped } from "../base/human.ts";
import { printable } from "./output.ts";

/**
 * Code points that surely take one cell, beyond those of Europe and its neighbours: punctuation, arrows, lines and blocks. Of all others
 * some take two (Unicode's East Asian Width, and what fonts make of pictures): they are given room for two, since too much never spoils
 * a line.
 */
const ONE: readonly (readonly [number, number])[] = [
  [0x2000, 0x2319],
  [0x2400, 0x25ff],
  [0x27c0, 0x2aff],
];
const TWO_FROM = 0x1100;
/** Such as take none: they stand on the one before, or steer. */
const NONE = /[\p{Mn}\p{Me}\p{Cf}]/u;

function cellsOf(char: string): number {
  if (char <= "\u007e") return 1;
  if (NONE.test(char)) return 0;
  const code = char.codePointAt(0) ?? 0;
  return code < TWO_FROM || ONE.some(([from, to]) => code >= from && code <= to) ? 1 : 2;
}

/** Exactly so many cells: cut with an ellipsis, or filled up. */
export function fitted(text: string, width: number, align: "left" | "right" = "left"): string {
  if (width <= 0) return "";
  let shown = "";
  let cells = 0;
  const whole = [...printable(text).toWellFormed()];
  for (const [i, char] of whole.entries()) {
    const more = cellsOf(char);
    if (more === 0) continue;
    const isLast = i === whole.length - 1;
    if (cells + more > (isLast ? width : width - 1)) {
      shown += "…";
      cells++;
      break;
    }
    shown += char;
    cells += more;
  }
  const gap = " ".repeat(Math.max(0, width - cells));
  return align === "left" ? shown + gap : gap + shown;
}

const BARS = "▁▂▃▄▅▆▇█";

/** The last values, from nothing to the greatest of them, as many as there is room for. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = width > 0 ? values.slice(-width) : [];
  const most = Math.max(...shown, 0);
  const line = shown
    .map((value) => {
      if (!(value > 0) || most === 0) return BARS[0];
      return BARS[Math.min(BARS.length - 1, Math.ceil((value / most) * (BARS.length - 1)))];
    })
    .join("");
  return line.padStart(width);
}

/** Such as `0.4`, `12`, `1,204`, `14.2k`: six cells at most. */
export function briefNumber(value: number): string {
  if (value === 0) return "0";
  if (value < 0.05) return "<0.1";
  if (value < 9.95) return value.toFixed(1).replace(/\.0$/, "");
  if (value < 9999.5) return grouped(Math.round(value));
  if (value < 999_500) return `${(value / 1e3).toFixed(value < 99_950 ? 1 : 0)}k`;
  return `${(value / 1e6).toFixed(value < 99.95e6 ? 1 : 0)}M`;
}

/** Such as `17ms`, `4.2s`, `12m`, `3h`, `5d`: the greatest unit alone. */
export function briefDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 9950) return `${(durationMs / 1000).toFixed(1)}s`;
  for (const [unit, unitMs] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
  ] as const)
    if (durationMs >= unitMs) return `${Math.floor(durationMs / unitMs)}${unit}`;
  return `${Math.round(durationMs / 1000)}s`;
}
