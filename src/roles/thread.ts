// What every thread that is not the door does alike: tells its log lines, its metrics and how late its timers fire.
import { type MessagePort, parentPort } from "node:worker_threads";
import { type Clock, systemClock } from "../base/clock.ts";
import { type Log, type LogLevel, logLevels } from "../base/log.ts";
import { type Meter, createMeter } from "../base/meter.ts";
import { boundsOf } from "../mail/metrics.ts";
import type { Common } from "./protocol.ts";

/** How often a thread posts what its meter gathered. */
const REPORT_EVERY_MS = 1000;

export interface Thread<Out, In> {
  readonly log: Log;
  /** Lines below it are not told from now on. */
  logFrom(level: LogLevel): void;
  readonly meter: Meter;
  say(message: Out | Common, transfer?: (ArrayBuffer | MessagePort)[]): void;
  hear(handle: (message: In) => void): void;
  /** Says that all is done and lets the thread end by itself. */
  stopped(): void;
}

export interface ThreadOptions {
  readonly name: string;
  readonly level: LogLevel;
  /** Gauges that are cheaper to read now and then than to keep. */
  readonly beforeReport?: () => void;
}

export function createThread<Out, In>(options: ThreadOptions): Thread<Out, In> {
  const port = parentPort;
  if (port === null) throw new Error("a role runs in a worker thread");
  const meter = createMeter(boundsOf);
  const say: Thread<Out, In>["say"] = (message, transfer = []) =>
    port.postMessage(message, transfer);
  let threshold = logLevels.indexOf(options.level);
  const log: Log = (level, event, fields = {}) => {
    if (logLevels.indexOf(level) >= threshold) say({ say: "log", level, event, fields });
  };
  const stopReports = reportEachSecond(systemClock, meter, options.name, () => {
    options.beforeReport?.();
    const samples = meter.drain();
    if (samples.length > 0) say({ say: "samples", samples });
  });
  return {
    log,
    logFrom: (level) => void (threshold = logLevels.indexOf(level)),
    meter,
    say,
    hear: (handle) => void port.on("message", handle),
    stopped() {
      stopReports();
      say({ say: "stopped" });
      port.close();
    },
  };
}

/** Calls `report` each second and keeps how late that was as the thread's lag; returns what stops it. */
export function reportEachSecond(
  clock: Clock,
  meter: Meter,
  thread: string,
  report: () => void,
): () => void {
  const lag = meter.gauge("postrider_thread_lag_seconds", { thread });
  let dueAtMs = clock.monotonicMs() + REPORT_EVERY_MS;
  const tick = (): void => {
    lag.set(Math.max(0, clock.monotonicMs() - dueAtMs) / 1000);
    report();
    dueAtMs = clock.monotonicMs() + REPORT_EVERY_MS;
    timer = clock.after(REPORT_EVERY_MS, tick);
  };
  let timer = clock.after(REPORT_EVERY_MS, tick);
  return () => timer.cancel();
}
