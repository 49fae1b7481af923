// What waits, as rows: by state and priority, and by age.
import type { AgeFigure, QueueFigures } from "../../mail/figures.ts";
import { age } from "./format.ts";

export interface AgeRow {
  readonly label: string;
  readonly messages: number;
  /** Of the largest row, 0 to 1: how long its bar is. */
  readonly share: number;
}

export function ageRows(ages: readonly AgeFigure[]): AgeRow[] {
  const most = Math.max(1, ...ages.map(({ messages }) => messages));
  return ages.map(({ up_to_seconds: upTo, messages }, i) => ({
    label: labelOf(ages[i - 1]?.up_to_seconds ?? 0, upTo),
    messages,
    share: messages / most,
  }));
}

function labelOf(from: number, upTo: number | null): string {
  if (upTo === null) return `over ${age(from)}`;
  return from === 0 ? `up to ${age(upTo)}` : `${age(from)} to ${age(upTo)}`;
}

export function oldestSeconds({ oldest_age_seconds: oldest }: QueueFigures): number | null {
  const ages = Object.values(oldest).filter((one) => one !== null);
  return ages.length === 0 ? null : Math.max(...ages);
}
