// Counting and timing within one thread, cheap enough for the hot path: a series is looked up once and kept by its user, an
// observation is two array writes. Each thread posts what changed since its last report; report/metrics.ts adds the threads up.

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(n?: number): void;
}
export interface Gauge {
  set(value: number): void;
}
export interface Histogram {
  observe(value: number): void;
}

/** One series as it travels between threads. Counters and histograms are deltas, gauges are values. */
export type Sample =
  | {
      readonly kind: "counter";
      readonly name: string;
      readonly labels: Labels;
      readonly delta: number;
    }
  | {
      readonly kind: "gauge";
      readonly name: string;
      readonly labels: Labels;
      readonly value: number;
    }
  | {
      readonly kind: "histogram";
      readonly name: string;
      readonly labels: Labels;
      /** One count per bound, and one more for all above the last. */
      readonly counts: readonly number[];
      readonly sum: number;
    };

export interface Meter {
  counter(name: string, labels?: Labels): Counter;
  gauge(name: string, labels?: Labels): Gauge;
  histogram(name: string, labels?: Labels): Histogram;
  /** What changed since the last call; empty when nothing did. */
  drain(): Sample[];
}

/** Upper bounds in seconds, from 100 microseconds to 10 minutes: the SMTP dot may take that long (RFC 5321 4.5.3.2.6). */
export const secondsBounds: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
  5, 10, 30, 60, 120, 300, 600,
];

/** Upper bounds of a count, such as the messages in one commit. */
export const countBounds: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096];

interface Kept {
  take(): Sample | undefined;
}

/** `boundsOf` gives a histogram's bounds by its name: the table of metrics decides, not the caller. */
export function createMeter(boundsOf: (name: string) => readonly number[]): Meter {
  const series = new Map<string, Kept & Partial<Counter & Gauge & Histogram>>();
  const find = <T extends Kept>(kind: string, name: string, labels: Labels, make: () => T): T => {
    const key = `${kind} ${name} ${JSON.stringify(labels)}`;
    const found = series.get(key) as T | undefined;
    if (found !== undefined) return found;
    const made = make();
    series.set(key, made);
    return made;
  };
  return {
    counter: (name, labels = {}) =>
      find("counter", name, labels, () => createCounter(name, labels)),
    gauge: (name, labels = {}) => find("gauge", name, labels, () => createGauge(name, labels)),
    histogram: (name, labels = {}) =>
      find("histogram", name, labels, () => createHistogram(name, labels, boundsOf(name))),
    drain: () => [...series.values()].flatMap((one) => one.take() ?? []),
  };
}

function createCounter(name: string, labels: Labels): Counter & Kept {
  // The first report tells a series that exists and is still zero.
  let told = false;
  let delta = 0;
  return {
    add: (n = 1) => void (delta += n),
    take() {
      if (told && delta === 0) return undefined;
      const sample: Sample = { kind: "counter", name, labels, delta };
      told = true;
      delta = 0;
      return sample;
    },
  };
}

function createGauge(name: string, labels: Labels): Gauge & Kept {
  let value = 0;
  let changed = true;
  return {
    set(next) {
      changed ||= next !== value;
      value = next;
    },
    take() {
      if (!changed) return undefined;
      changed = false;
      return { kind: "gauge", name, labels, value };
    },
  };
}

function createHistogram(
  name: string,
  labels: Labels,
  bounds: readonly number[],
): Histogram & Kept {
  const counts = new Float64Array(bounds.length + 1);
  let sum = 0;
  let seen = 0;
  let told = false;
  return {
    observe(value) {
      let slot = 0;
      while (slot < bounds.length && value > (bounds[slot] as number)) slot++;
      counts[slot] = (counts[slot] as number) + 1;
      sum += value;
      seen++;
    },
    take() {
      if (told && seen === 0) return undefined;
      told = true;
      const sample: Sample = { kind: "histogram", name, labels, counts: [...counts], sum };
      counts.fill(0);
      sum = 0;
      seen = 0;
      return sample;
    },
  };
}
