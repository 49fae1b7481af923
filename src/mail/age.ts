// How old what waits is, in a few steps that metrics, the dashboard and the commands share.
import { ageBoundsS } from "./figures.ts";

export interface QueueAge {
  /** As a label: its upper bound. */
  readonly name: string;
  /** Whatever is older than the one before it, and up to this; Infinity: the last. */
  readonly upToS: number;
}

const units = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
] as const;

function nameOf(seconds: number): string {
  const unit = units.find(([, length]) => seconds % length === 0);
  return unit === undefined ? `${seconds}s` : `${seconds / unit[1]}${unit[0]}`;
}

export const queueAges: readonly QueueAge[] = [
  ...ageBoundsS.map((upToS) => ({ name: nameOf(upToS), upToS })),
  { name: "older", upToS: Infinity },
];
