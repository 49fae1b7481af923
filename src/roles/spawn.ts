// Threads are few, fixed and long-lived (worker churn has crashed the runtime). All of them enter by main.ts, which finds its role in
// the data it is started with: so the binary has one entry and nothing can be forgotten in the build line.
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from "node:worker_threads";
import type { Common, Levels, ThreadStart } from "./protocol.ts";

export interface Spawned<In, Out> {
  say(message: In | Levels, transfer?: (ArrayBuffer | MessagePort)[]): void;
  hear(handle: (message: Out | Common) => void): void;
  /** Once, when the thread is gone: with the reason when it died, without after it said `stopped`. */
  gone(handle: (why: string | undefined) => void): void;
  /** Ends it in the middle of whatever it does. */
  kill(): void;
}

/** `transfer`: the ports in `start`. */
export function spawn<In, Out>(
  start: ThreadStart,
  transfer: readonly MessagePort[] = [],
): Spawned<In, Out> {
  const name = start.role === "sender" ? `sender-${start.index}` : start.role;
  const worker = new Worker(new URL(Bun.main, "file:///"), {
    workerData: start,
    name,
    transferList: [...transfer],
  });
  let whenGone: ((why: string | undefined) => void) | undefined;
  let stopped = false;
  const end = (why: string | undefined): void => {
    const tell = whenGone;
    whenGone = undefined;
    tell?.(why);
  };
  worker.on("message", (message: Common | { readonly say: string }) => {
    if (message.say === "stopped") stopped = true;
  });
  // Without this listener an error in a thread would end the process without a word.
  worker.on("error", (error: Error) => end(`${name}: ${error.stack ?? error.message}`));
  worker.on("exit", (code) => end(stopped ? undefined : `${name}: ended with code ${code}`));
  return {
    say: (message, transfer = []) => worker.postMessage(message, transfer),
    hear: (handle) => void worker.on("message", handle),
    gone: (handle) => void (whenGone = handle),
    kill: () => void worker.terminate(),
  };
}

/** Two ends of a channel that goes past the door. */
export function channel(): { readonly one: MessagePort; readonly other: MessagePort } {
  const { port1, port2 } = new MessageChannel();
  return { one: port1, other: port2 };
}

/** A channel into this thread that can be looked into without waiting for the event loop's next turn. */
export interface Inlet {
  /** The other thread's end. */
  readonly port: MessagePort;
  /** Hears now what has come. */
  look(): void;
  close(): void;
}

export function inlet<Message>(hear: (message: Message) => void): Inlet {
  const { one, other } = channel();
  one.on("message", hear);
  return {
    port: other,
    look() {
      for (;;) {
        const come = receiveMessageOnPort(one) as { readonly message: Message } | undefined;
        if (come === undefined) return;
        hear(come.message);
      }
    },
    close: () => one.close(),
  };
}
