// `postrider sink`: the words of the command line become the options of the receiving server.
import type { SinkRequest, SinkStart } from "../commands/deps.ts";
import { parseDelay, parseFault } from "../sink/faults.ts";
import type { SinkPhase } from "../sink/scenarios.ts";
import { startSink } from "../sink/server.ts";

export async function startSinkCommand(request: SinkRequest): Promise<SinkStart> {
  const problems: string[] = [];
  const faults = request.faults.flatMap((text) => {
    const parsed = parseFault(text);
    if (parsed.ok) return [parsed.value];
    problems.push(`--fault: ${parsed.problem}`);
    return [];
  });
  const delaysMs: Partial<Record<SinkPhase, number>> = {};
  for (const text of request.delays) {
    const parsed = parseDelay(text);
    if (parsed.ok) delaysMs[parsed.value.phase] = parsed.value.ms;
    else problems.push(`--delay: ${parsed.problem}`);
  }
  if (problems.length > 0) return { kind: "bad", problems };
  try {
    const sink = await startSink({
      listen: request.listen,
      faults,
      delaysMs,
      ...(request.stats === null ? {} : { stats: request.stats }),
      ...(request.tls === null ? {} : { tls: request.tls }),
      ...(request.onTaken === null ? {} : { onTaken: request.onTaken, keepsContent: false }),
      ...(request.dumpDir === null ? {} : { dumpDir: request.dumpDir }),
    });
    return {
      kind: "started",
      port: sink.port,
      statsPort: sink.statsPort,
      summary: () => ({ ...sink.tally.summary() }),
      stop: sink.stop,
    };
  } catch (error) {
    return { kind: "bad", problems: [(error as Error).message] };
  }
}
