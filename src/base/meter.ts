// Counting and timing within one thread, cheap enough for the hot path: a series is looked up once and kept by its user, an
// observation is a few array writes and makes nothing. Each thread posts what changed since its last report; report/metrics.ts adds
// the threads up. While the meter is off an observation is one comparison.

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(n?: number): void;
}
export interface Gauge {
  set(value: number): void;
}
export interface Histogram {
  /** `message` and `trace` (as stored: mail/traceContext.ts) lead from a bucket to an example of it, where the table of metrics keeps some. */
  observe(value: number, message?: number, trace?: string): void;
}

/** One observation of a bucket, to look closer at. */
export interface Exemplar {
  /** The bucket, by its place among the bounds. */
  readonly slot: number;
  readonly value: number;
  /** The message's number; 0 for none. */
  readonly message: number;
  /** Its trace, where that is not the message's own. */
  readonly trace?: string;
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
      readonly exemplars?: readonly Exemplar[];
    };

/** Gives series by name and labels. */
export interface SeriesMaker {
  counter(name: string, labels?: Labels): Counter;
  gauge(name: string, labels?: Labels): Gauge;
  histogram(name: string, labels?: Labels): Histogram;
}

/** Its own series are remembered for ever, so their labels must be few. */
export interface Meter extends SeriesMaker {
  /** Series that only their user remembers: for labels that grow with the world, such as sites. */
  readonly apart: SeriesMaker;
  isOn(): boolean;
  /** Off, nothing is counted; gauges are kept, and told once it is on again. */
  turn(on: boolean): void;
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

/** What the table of metrics says of a histogram, and not its caller. */
export type BoundsOf = (name: string) => readonly number[];

export interface MeterOptions {
  readonly on?: boolean;
  /** Whether exemplars of it are kept. */
  readonly hasExemplars?: (name: string) => boolean;
}

interface Kept {
  take(): Sample;
}

interface State {
  on: boolean;
  /** Series with something to tell. */
  changed: Kept[];
}

export function createMeter(
  boundsOf: BoundsOf,
  { on = true, hasExemplars = () => false }: MeterOptions = {},
): Meter {
  const state: State = { on, changed: [] };
  const apart: SeriesMaker = {
    counter: (name, labels = {}) => createCounter(state, name, labels),
    gauge: (name, labels = {}) => createGauge(state, name, labels),
    histogram: (name, labels = {}) => {
      const slots = boundsOf(name).length + 1;
      const examples = hasExemplars(name) ? createExamples(slots) : null;
      return createHistogram(state, { name, labels, bounds: boundsOf(name) }, examples);
    },
  };
  const series = new Map<string, Counter | Gauge | Histogram>();
  const find = <T extends Counter | Gauge | Histogram>(
    make: (name: string, labels: Labels) => T,
    name: string,
    labels: Labels,
  ): T => {
    const key = `${name} ${JSON.stringify(labels)}`;
    // A name is of one kind, by the table of metrics.
    const found = series.get(key) as T | undefined;
    if (found !== undefined) return found;
    const made = make(name, labels);
    series.set(key, made);
    return made;
  };
  return {
    apart,
    counter: (name, labels = {}) => find(apart.counter, name, labels),
    gauge: (name, labels = {}) => find(apart.gauge, name, labels),
    histogram: (name, labels = {}) => find(apart.histogram, name, labels),
    isOn: () => state.on,
    turn: (next) => void (state.on = next),
    drain() {
      const { changed } = state;
      if (changed.length === 0) return [];
      // Off, what is, is told all the same: a gauge that stood still would say what was.
      state.changed = [];
      return changed.map((one) => one.take());
    },
  };
}

/** Told once as it is made, so that a series is there before anything is counted. */
function createCounter(state: State, name: string, labels: Labels): Counter {
  let waits = true;
  let delta = 0;
  const kept: Kept = {
    take() {
      const sample: Sample = { kind: "counter", name, labels, delta };
      waits = false;
      delta = 0;
      return sample;
    },
  };
  state.changed.push(kept);
  return {
    add(n = 1) {
      if (!state.on) return;
      delta += n;
      if (waits) return;
      waits = true;
      state.changed.push(kept);
    },
  };
}

function createGauge(state: State, name: string, labels: Labels): Gauge {
  let waits = true;
  let value = 0;
  const kept: Kept = {
    take() {
      waits = false;
      return { kind: "gauge", name, labels, value };
    },
  };
  state.changed.push(kept);
  return {
    set(next) {
      if (next === value) return;
      value = next;
      if (waits) return;
      waits = true;
      state.changed.push(kept);
    },
  };
}

interface HistogramFacts {
  readonly name: string;
  readonly labels: Labels;
  readonly bounds: readonly number[];
}

function createHistogram(
  state: State,
  { name, labels, bounds }: HistogramFacts,
  examples: Examples | null,
): Histogram {
  const counts = new Float64Array(bounds.length + 1);
  let waits = true;
  let sum = 0;
  const kept: Kept = {
    take() {
      const told = examples?.take();
      const base = { kind: "histogram", name, labels, counts: [...counts], sum } as const;
      counts.fill(0);
      sum = 0;
      waits = false;
      return told === undefined ? base : { ...base, exemplars: told };
    },
  };
  state.changed.push(kept);
  return {
    observe(value, message = 0, trace) {
      if (!state.on) return;
      let slot = 0;
      while (slot < bounds.length && value > (bounds[slot] as number)) slot++;
      counts[slot] = (counts[slot] as number) + 1;
      sum += value;
      if (examples !== null && message !== 0) examples.put(slot, value, message, trace);
      if (waits) return;
      waits = true;
      state.changed.push(kept);
    },
  };
}

type Examples = ReturnType<typeof createExamples>;

/** One place a bucket, in which the last observation of an interval stays. */
function createExamples(slots: number) {
  const values = new Float64Array(slots);
  const messages = new Float64Array(slots);
  const traces = new Array<string | undefined>(slots).fill(undefined);
  return {
    put(slot: number, value: number, message: number, trace: string | undefined): void {
      values[slot] = value;
      messages[slot] = message;
      traces[slot] = trace;
    },
    take(): Exemplar[] | undefined {
      const told: Exemplar[] = [];
      for (let slot = 0; slot < slots; slot++) {
        const message = messages[slot] as number;
        if (message === 0) continue;
        const trace = traces[slot];
        const base = { slot, value: values[slot] as number, message };
        told.push(trace === undefined ? base : { ...base, trace });
      }
      messages.fill(0);
      return told.length === 0 ? undefined : told;
    },
  };
}
