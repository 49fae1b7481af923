// `*@postrider.test` is taken by the receiving server inside this process (INTERFACE 2): the sender's own session talks to the sink's
// own dialogue, only the socket between them is missing.
import type { Clock, Timer } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Connect, Connection, Listener } from "../deliver/connection.ts";
import { createDialogue, createSinkMemory, type SinkAction } from "../sink/dialogue.ts";

/** Only the headers are of use: the bodies of test mail are not kept here. */
const KEPT_BYTES = 4096;

/** A `Connect` that reaches the built-in sink, whatever the target. */
export function createBuiltinSink(deps: {
  readonly clock: Clock;
  readonly random: Random;
  readonly hostname: string;
}): Connect {
  const memory = createSinkMemory();
  return () => {
    const dialogue = createDialogue({ ...deps, memory, keptBytes: KEPT_BYTES });
    return Promise.resolve(connectionTo(dialogue, deps.clock));
  };
}

function connectionTo(dialogue: ReturnType<typeof createDialogue>, clock: Clock): Connection {
  let listener: Listener | undefined;
  let waiting: SinkAction[] = [...dialogue.greet()];
  let timer: Timer | undefined;
  let performing = false;
  let over = false;

  const end = (): void => {
    over = true;
    waiting = [];
    timer?.cancel();
  };
  /** Never within the caller's own `write`: a socket would not answer there either. */
  const wake = (): void => {
    if (performing || timer !== undefined || listener === undefined) return;
    performing = true;
    clock.soon(() => {
      performing = false;
      perform();
    });
  };
  const perform = (): void => {
    for (let action = waiting.shift(); action !== undefined && !over; action = waiting.shift()) {
      if (action.kind === "reply") listener?.data(Buffer.from(action.text, "latin1"));
      if (action.kind === "close") {
        end();
        listener?.closed("the built-in sink closed the connection");
      }
      if (action.kind === "delay") {
        timer = clock.after(action.delayMs, () => {
          timer = undefined;
          perform();
        });
        return;
      }
    }
  };

  return {
    kind: "connected",
    source: "",
    tls: null,
    listen(given) {
      listener = given;
      wake();
    },
    write(octets) {
      if (over) return true;
      // A copy, since the sink keeps parts of it; `slice` of a Buffer would be a view.
      const chunk = typeof octets === "string" ? Buffer.from(octets) : new Uint8Array(octets);
      waiting.push(...dialogue.receive(chunk));
      wake();
      return true;
    },
    startTls: () => Promise.resolve({ kind: "failed", text: "the built-in sink speaks no TLS" }),
    close: end,
  };
}
