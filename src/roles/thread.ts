// What every thread that is not the door does alike: tells its log lines, its metrics and how late its timers fire.
import { type MessagePort, parentPort } from "node:worker_threads";
import { type Clock, systemClock } from "../base/clock.ts";
import { createMakingGate, type Log, type LogGate, type LogLevels } from "../base/log.ts";
import { limitLog } from "../base/logLimit.ts";
import { type Meter, createMeter } from "../base/meter.ts";
import { boundsOf, hasExemplars } from "../mail/metrics.ts";
import type { Common, Levels } from "./protocol.ts";
import { createThreadFigures } from "./threadFigures.ts";

/** How often a thread posts what its meter gathered. */
const REPORT_EVERY_MS = 1000;

export interface Thread<Out, In> {
  readonly log: Log;
  /** Lines below these are not told from now on. */
  logFrom(levels: LogLevels): void;
  /** Whether such a line would be told: for those that cost something to make. */
  readonly logs: LogGate;
  readonly meter: Meter;
  say(message: Out | Common, transfer?: (ArrayBuffer | MessagePort)[]): void;
  hear(handle: (message: In) => void): void;
  /** Says that all is done and lets the thread end by itself. */
  stopped(): void;
}

export interface ThreadOptions {
  readonly name: string;
  readonly levels: LogLevels;
  /** The setting `metrics`. */
  readonly measures: boolean;
  /** Gauges that are cheaper to read now and then than to keep. */
  readonly beforeReport?: () => void;
}

export function createThread<Out, In>(options: ThreadOptions): Thread<Out, In> {
  const port = parentPort;
  if (port === null) throw new Error("a role runs in a worker thread");
  const meter = createMeter(boundsOf, { on: options.measures, hasExemplars });
  const say: Thread<Out, In>["say"] = (message, transfer = []) =>
    port.postMessage(message, transfer);
  let isWanted = createMakingGate(options.levels);
  const limited = limitLog(
    (level, event, fields = {}) => say({ say: "log", level, event, fields }),
    systemClock,
  );
  const log: Log = (level, event, fields) => {
    if (isWanted(level, event)) limited.log(level, event, fields);
  };
  const report = (): void => {
    const samples = meter.drain();
    if (samples.length > 0) say({ say: "samples", samples });
  };
  const stopReports = reportEachSecond(systemClock, meter, options.name, () => {
    options.beforeReport?.();
    report();
  });
  return {
    log,
    logFrom: (levels) => void (isWanted = createMakingGate(levels)),
    logs: (level, event) => isWanted(level, event),
    meter,
    say,
    hear(handle) {
      port.on("message", (message: In | Levels) => {
        if (isLevels(message)) isWanted = createMakingGate(message.levels);
        else handle(message);
      });
    },
    stopped() {
      stopReports();
      report();
      limited.flush();
      say({ say: "stopped" });
      port.close();
    },
  };
}

function isLevels(message: unknown): message is Levels {
  return (message as Levels).say === "levels";
}

/** Calls `report` each second and keeps how late that was as the thread's lag; returns what stops it. */
export function reportEachSecond(
  clock: Clock,
  meter: Meter,
  thread: string,
  report: () => void,
): () => void {
  const tell = createThreadFigures(meter, clock, thread);
  let dueAtMs = clock.monotonicMs() + REPORT_EVERY_MS;
  const tick = (): void => {
    tell(dueAtMs);
    report();
    dueAtMs = clock.monotonicMs() + REPORT_EVERY_MS;
    timer = clock.after(REPORT_EVERY_MS, tick);
  };
  let timer = clock.after(REPORT_EVERY_MS, tick);
  return () => timer.cancel();
}
