// Our own sink as a process: says on each line its port and how many different messages it has
// taken.
import { sinkPhases } from "../../src/sink/scenarios.ts";
import { startSink } from "../../src/sink/server.ts";

const TELL_EVERY_MS = 10;

const [, , host = "127.0.0.1", port = "0", tls = "clear", delay = "0"] = process.argv;
/** Every reply takes so long. */
const delayMs = Number(delay);
const delaysMs = Object.fromEntries(sinkPhases.map((phase) => [phase, delayMs]));
const sink = await startSink({
  listen: { host, port: Number(port) },
  tls: tls === "starttls" ? tls : undefined,
  delaysMs: delayMs === 0 ? undefined : delaysMs,
});
let told = -1;
const timer = setInterval(() => {
  const { distinct, recipients: all } = sink.tally.summary();
  if (all === told) return;
  told = all;
  process.stdout.write(`${JSON.stringify({ port: sink.port, distinct, all })}\n`);
}, TELL_EVERY_MS);
process.on("SIGTERM", () => {
  clearInterval(timer);
  void sink.stop();
});
