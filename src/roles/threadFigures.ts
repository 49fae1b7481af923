// What a thread says of itself each second: how late its timers fire, and what it takes of the machine.
import type { Clock } from "../base/clock.ts";
import type { Meter } from "../base/meter.ts";

/** Told, when a timer should have fired by now, how late it is. */
export function createThreadFigures(
  meter: Meter,
  clock: Pick<Clock, "monotonicMs">,
  thread: string,
): (dueAtMs: number) => void {
  const lag = meter.gauge("postrider_thread_lag_seconds", { thread });
  const cpu = meter.counter("postrider_thread_cpu_seconds_total", { thread });
  const heap = meter.gauge("postrider_thread_heap_bytes", { thread });
  let toldUs = 0;
  return (dueAtMs) => {
    lag.set(Math.max(0, clock.monotonicMs() - dueAtMs) / 1000);
    if (!meter.isOn()) return;
    const { user, system } = process.threadCpuUsage();
    cpu.add((user + system - toldUs) / 1_000_000);
    toldUs = user + system;
    heap.set(process.memoryUsage().heapUsed);
  };
}
