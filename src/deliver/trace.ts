// Dialogues told live to whoever listens. What is said is written down anyway (record.ts); only while somebody listens does a recording
// have an ear, and whoever comes to a connection with its first job is told first how it was opened.
import type { Clock } from "../base/clock.ts";
import type { Job } from "../mail/job.ts";
import { isTraced, type TraceLine, type TraceWish } from "../mail/trace.ts";
import type { Recording, Said } from "./record.ts";
import { textOf } from "./tellings.ts";

export interface Tracer {
  watch(number: number, wish: TraceWish): void;
  unwatch(number: number): void;
  /** Somebody does. */
  listens(): boolean;
  /** From now on the recording is this job's: what it holds already is told at once. */
  job(recordings: readonly Recording[], job: Job): void;
  /** None of these came to be a connection that is ready for mail. */
  unopened(job: Job, tried: readonly Recording[]): void;
}

type Batch = { lines: TraceLine[]; dropped: number };

/** How long lines wait for company, and how many of one trace may wait; what comes beyond is counted. */
const GATHER_MS = 100;
const GATHER_MAX = 500;
const TEXT_MAX = 1000;

export function createTracer(deps: {
  readonly clock: Clock;
  tell(number: number, lines: readonly TraceLine[], dropped: number): void;
}): Tracer {
  const { clock } = deps;
  const wishes = new Map<number, TraceWish>();
  const batches = new Map<number, Batch>();
  let isGathering = false;

  const flush = (): void => {
    isGathering = false;
    for (const [number, { lines, dropped }] of batches) deps.tell(number, lines, dropped);
    batches.clear();
  };

  const tell = (number: number, line: TraceLine): void => {
    if (!wishes.has(number)) return;
    const batch = batches.get(number) ?? { lines: [], dropped: 0 };
    batches.set(number, batch);
    if (batch.lines.length < GATHER_MAX) batch.lines.push(line);
    else batch.dropped++;
    if (isGathering) return;
    isGathering = true;
    clock.after(GATHER_MS, flush);
  };

  const listeners = (job: Job): number[] =>
    [...wishes].filter(([, wish]) => isTraced(wish, job)).map(([number]) => number);

  const tellerFor = (numbers: readonly number[], { session, host, address }: Recording) => {
    return (line: Line, at = clock.now()): void => {
      const whole = { ...line, text: cut(line.text), at, session, host, address };
      for (const one of numbers) tell(one, whole);
    };
  };

  const tellPast = (numbers: readonly number[], recording: Recording): void => {
    const write = tellerFor(numbers, recording);
    const { at, beganAtMs } = recording;
    for (const said of recording.said) {
      const sentAt = at + Math.round(said.sentAtMs - beganAtMs);
      if (said.sent !== "") write({ who: "us", text: said.sent }, sentAt);
      write(heardLine(said), sentAt + Math.round(said.tookMs));
    }
  };

  /** What came before any connection; not known: it was in the cache, and nobody waited. */
  const tellLookup = (numbers: readonly number[], recording: Recording, { lookup }: Job): void => {
    if (lookup === undefined) return;
    const line: Line = { who: "note", text: "dns: its route was looked for", ms: lookup.tookMs };
    tellerFor(numbers, recording)(line, lookup.at + lookup.tookMs);
  };

  return {
    watch: (number, wish) => void wishes.set(number, wish),
    unwatch(number) {
      wishes.delete(number);
      batches.delete(number);
    },
    listens: () => wishes.size > 0,
    job(recordings, job) {
      const numbers = listeners(job);
      if (numbers.length === 0) return;
      const [first] = recordings;
      if (first !== undefined) tellLookup(numbers, first, job);
      for (const recording of recordings) tellPast(numbers, recording);
      const last = recordings.at(-1);
      if (last === undefined) return;
      const write = tellerFor(numbers, last);
      last.ear = {
        us: (text) => write({ who: "us", text }),
        heard: (said) => write(heardLine(said)),
      };
    },
    unopened(job, tried) {
      const numbers = listeners(job);
      if (numbers.length === 0) return;
      const [first] = tried;
      if (first !== undefined) tellLookup(numbers, first, job);
      for (const recording of tried) {
        tellPast(numbers, recording);
        const { host, address } = recording;
        const text = `no session with ${host} [${address}]`;
        tellerFor(numbers, recording)({ who: "note", text });
      }
    },
  };
}

type Line = Pick<TraceLine, "who" | "text" | "ms">;

function heardLine({ phase, reply, text, tookMs }: Said): Line {
  const ms = Math.round(tookMs);
  if (reply !== null) return { who: "them", text: `${reply.code} ${textOf(reply)}`.trimEnd(), ms };
  const what = phase === "connect" || phase === "tls" || phase === "body" ? `${phase}: ` : "";
  return { who: "note", text: `${what}${text === "" ? "done" : text}`, ms };
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX).toWellFormed()}...` : text;
}
