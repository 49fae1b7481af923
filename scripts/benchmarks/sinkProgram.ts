// Our own sink as a process: says on each line its port and how many different messages it has
// taken.
import { startSink } from "../../src/sink/server.ts";

const TELL_EVERY_MS = 10;

const [, , host = "127.0.0.1", port = "0", tls = "clear"] = process.argv;
const sink = await startSink({
  listen: { host, port: Number(port) },
  tls: tls === "starttls" ? tls : undefined,
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
