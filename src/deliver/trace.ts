// Dialogues told live to whoever listens. A dialogue is wrapped when it begins, and only while somebody listens, so that mail pays
// nothing for it otherwise. What opened a connection is kept for a moment, since only its first job tells whether it is wanted.
import type { Clock } from "../base/clock.ts";
import type { Job } from "../mail/job.ts";
import { isTraced, type TraceLine, type TraceWish } from "../mail/trace.ts";
import type { Dialogue, Happened, Want } from "../smtp/dialogue.ts";
import type { Phase } from "../smtp/phases.ts";
import type { Reply } from "../smtp/reply.ts";

export interface Peer {
  readonly host: string;
  readonly address: string;
}

export interface Tracer {
  watch(number: number, wish: TraceWish): void;
  unwatch(number: number): void;
  opening<T>(session: string, peer: Peer, dialogue: Dialogue<T>): Dialogue<T>;
  job<T>(session: string, peer: Peer, job: Job, dialogue: Dialogue<T>): Dialogue<T>;
  /** None of these came to be a connection that is ready for mail. */
  unopened(job: Job, tried: readonly { readonly session: string; readonly target: Peer }[]): void;
}

type Batch = { lines: TraceLine[]; dropped: number };

/** How long lines wait for company, and how many of one trace may wait; what comes beyond is counted. */
const GATHER_MS = 100;
const GATHER_MAX = 500;
/** Openings that are kept until a job comes: connections, and lines of each. */
const OPENINGS_MAX = 500;
const OPENING_LINES_MAX = 100;
const TEXT_MAX = 1000;

export function createTracer(deps: {
  readonly clock: Clock;
  tell(number: number, lines: readonly TraceLine[], dropped: number): void;
}): Tracer {
  const { clock } = deps;
  const wishes = new Map<number, TraceWish>();
  const batches = new Map<number, Batch>();
  const openings = new Map<string, TraceLine[]>();
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

  const keep = (session: string, line: TraceLine): void => {
    const lines = openings.get(session) ?? [];
    if (lines.length < OPENING_LINES_MAX) lines.push(line);
    openings.set(session, lines);
    const [oldest] = openings.keys();
    if (openings.size > OPENINGS_MAX && oldest !== undefined) openings.delete(oldest);
  };

  /** Told once: the next job on this connection finds it open. */
  const tellOpening = (session: string, numbers: readonly number[]): void => {
    for (const line of openings.get(session) ?? []) for (const one of numbers) tell(one, line);
    openings.delete(session);
  };

  return {
    watch: (number, wish) => void wishes.set(number, wish),
    unwatch(number) {
      wishes.delete(number);
      batches.delete(number);
      if (wishes.size === 0) openings.clear();
    },
    opening(session, peer, dialogue) {
      if (wishes.size === 0) return dialogue;
      const { host, address } = peer;
      const write = (line: Said): void =>
        keep(session, { ...line, at: clock.now(), session, host, address });
      write({ who: "note", text: `connected to ${host} [${address}]` });
      return told(dialogue, clock, write);
    },
    job(session, peer, job, dialogue) {
      if (wishes.size === 0) return dialogue;
      const numbers = listeners(job);
      if (numbers.length === 0) return dialogue;
      tellOpening(session, numbers);
      const { host, address } = peer;
      const write = (line: Said): void => {
        const whole = { ...line, at: clock.now(), session, host, address };
        for (const one of numbers) tell(one, whole);
      };
      return told(dialogue, clock, write);
    },
    unopened(job, tried) {
      if (wishes.size === 0) return;
      const numbers = listeners(job);
      for (const { session, target } of tried) {
        tellOpening(session, numbers);
        const { host, address } = target;
        const text = `no session with ${host} [${address}]`;
        for (const one of numbers)
          tell(one, { at: clock.now(), session, host, address, who: "note", text });
      }
    },
  };
}

type Said = Pick<TraceLine, "who" | "text"> & { readonly ms?: number };

/** The same dialogue, overheard. */
function* told<T>(
  dialogue: Dialogue<T>,
  clock: Pick<Clock, "monotonicMs">,
  write: (line: Said) => void,
): Dialogue<T> {
  let step = dialogue.next();
  while (step.done !== true) {
    tellWant(step.value, write);
    const askedMs = clock.monotonicMs();
    const happened = yield step.value;
    tellHappened(happened, Math.round(clock.monotonicMs() - askedMs), write);
    step = dialogue.next(happened);
  }
  return step.value;
}

function tellWant(want: Want, write: (line: Said) => void): void {
  const us = (text: string): void => write({ who: "us", text: cut(text) });
  if (want.want === "body") return us("(the message)");
  if (want.want === "tls") return us("(the handshake)");
  if (want.want === "replies") return want.send.forEach(us);
  if (want.send !== null) us(masked(want.phase, want.send));
}

/** Whatever a login sends is a secret, but for the name of its mechanism. */
function masked(phase: Phase, line: string): string {
  if (phase !== "auth") return line;
  const mechanism = /^AUTH [A-Z0-9_-]+/i.exec(line)?.[0];
  return mechanism === undefined ? "***" : `${mechanism} ***`;
}

function tellHappened(happened: Happened, ms: number, write: (line: Said) => void): void {
  const heard = (reply: Reply): void => write({ who: "them", text: textOf(reply), ms });
  switch (happened.got) {
    case "reply":
    case "early":
      return heard(happened.reply);
    case "replies":
      happened.replies.forEach(heard);
      if (happened.lost !== null)
        write({ who: "note", text: `lost: ${cut(happened.lost.text)}`, ms });
      return;
    case "done":
      return write({ who: "note", text: "done", ms });
    default:
      return write({ who: "note", text: `${happened.got}: ${cut(happened.text)}`, ms });
  }
}

function textOf({ code, enhanced, lines }: Reply): string {
  return cut([String(code), enhanced, lines.join(" | ")].filter((part) => part !== "").join(" "));
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}...` : text;
}
