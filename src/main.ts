// The one entry of the binary: which role is this thread? The main thread runs a command; `serve` is one of them.
import { isMainThread, workerData } from "node:worker_threads";
import { unreachable } from "./base/unreachable.ts";
import type { ThreadStart } from "./roles/protocol.ts";

async function runRole(start: ThreadStart): Promise<void> {
  switch (start.role) {
    case "queue":
      return (await import("./roles/queue.ts")).runQueue(start);
    case "sender":
      return (await import("./roles/sender.ts")).runSender(start);
    case "reader":
      return (await import("./roles/reader.ts")).runReader(start);
    default:
      return unreachable(start);
  }
}

if (isMainThread) {
  const { runCommand } = await import("./roles/command.ts");
  process.exitCode = await runCommand(process.argv.slice(2));
} else {
  await runRole(workerData as ThreadStart);
}
