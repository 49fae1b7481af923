// What a thread says of itself each second: how late its timers fire, and what it takes of the machine.
import type { Clock } from "../base/clock.ts";
import type { Meter } from "../base/meter.ts";

/** Whoever looks each fifteen seconds, as Prometheus does, still sees a stall. */
const LAGS_KEPT = 15;

/** What the thread had of a core since it was asked last. */
export function createCpuShare(clock: Pick<Clock, "monotonicMs">): () => number {
  let lastUs = 0;
  let lastMs = clock.monotonicMs();
  return () => {
    const { user, system } = process.threadCpuUsage();
    const nowMs = clock.monotonicMs();
    const share = (user + system - lastUs) / 1000 / Math.max(1, nowMs - lastMs);
    lastUs = user + system;
    lastMs = nowMs;
    return share;
  };
}

/** Told, when a timer should have fired by now, how late it is. */
export function createThreadFigures(
  meter: Meter,
  clock: Pick<Clock, "monotonicMs">,
  thread: string,
): (dueAtMs: number) => void {
  const lag = meter.gauge("postrider_thread_lag_seconds", { thread });
  const cpu = meter.counter("postrider_thread_cpu_seconds_total", { thread });
  const heap = meter.gauge("postrider_thread_heap_bytes", { thread });
  const lagsMs = new Float64Array(LAGS_KEPT);
  let place = 0;
  let toldUs = 0;
  return (dueAtMs) => {
    lagsMs[place] = Math.max(0, clock.monotonicMs() - dueAtMs);
    place = (place + 1) % LAGS_KEPT;
    lag.set(Math.max(...lagsMs) / 1000);
    if (!meter.isOn()) return;
    const { user, system } = process.threadCpuUsage();
    cpu.add((user + system - toldUs) / 1_000_000);
    toldUs = user + system;
    heap.set(process.memoryUsage().heapUsed);
  };
}
