// The thread that writes the log of postrider.db back beside the writer: copying a thousand pages and syncing them takes 4 to 8 ms, in
// which all clients of the door would wait for their answers.
import { parentPort } from "node:worker_threads";
import { unreachable } from "../base/unreachable.ts";
import { openWriteAheadLog } from "../queue/sqlite-log.ts";
import type { QueueToWriteBack, ThreadStart, WriteBackToQueue } from "./protocol.ts";

export function runWriteBack({ dataDir }: Extract<ThreadStart, { role: "writeBack" }>): void {
  const port = parentPort;
  if (port === null) throw new Error("a role runs in a worker thread");
  const log = openWriteAheadLog(dataDir);
  const say = (message: WriteBackToQueue): void => port.postMessage(message);
  port.on("message", (message: QueueToWriteBack) => {
    switch (message.say) {
      case "writeBack":
        return say({ say: "wroteBack", failed: log.writeBack() });
      case "stop":
        log.close();
        say({ say: "stopped" });
        return port.close();
      default:
        return unreachable(message);
    }
  });
}
