// One socket of the receiving server: carries bytes into a dialogue and performs what comes out, in
// order. While a delay runs nothing is read, so a client cannot make the server's memory grow.
import type { Socket } from "node:net";
import { TLSSocket, type SecureContext } from "node:tls";
import type { Clock, Timer } from "../base/clock.ts";
import type { Dialogue, SinkAction, Taken } from "./dialogue.ts";

export interface ConnectionDeps {
  readonly clock: Clock;
  readonly dialogue: Dialogue;
  readonly secureContext: SecureContext | null;
  readonly take: (taken: Taken) => void;
  readonly closed: () => void;
}

export interface Connection {
  destroy(): void;
}

export function serve(plain: Socket, deps: ConnectionDeps): Connection {
  const { clock, dialogue } = deps;
  let socket: Socket = plain;
  let waiting: SinkAction[] = [];
  let timer: Timer | null = null;
  let over = false;

  const finish = (): void => {
    if (over) return;
    over = true;
    timer?.cancel();
    waiting = [];
    deps.closed();
  };

  const listen = (to: Socket): void => {
    to.on("data", (chunk: Buffer) => {
      const actions = dialogue.receive(chunk);
      if (waiting.length > 0) waiting.push(...actions);
      else perform(actions);
    });
    // A broken connection is an ordinary end here; `close` follows.
    to.on("error", () => to.destroy());
    to.on("close", finish);
  };

  const upgrade = (): void => {
    if (deps.secureContext === null) throw new Error("STARTTLS was offered without a certificate");
    socket.removeAllListeners("data");
    const secure = new TLSSocket(socket, { isServer: true, secureContext: deps.secureContext });
    socket = secure;
    dialogue.secured();
    listen(secure);
  };

  const perform = (actions: readonly SinkAction[]): void => {
    let text = "";
    for (const [i, action] of actions.entries()) {
      if (over) return;
      if (action.kind === "reply") {
        text += action.text;
        continue;
      }
      if (action.kind === "take") {
        deps.take(action.taken);
        continue;
      }
      if (text !== "") socket.write(text, "latin1");
      text = "";
      if (action.kind === "close") return void socket.end(() => socket.destroy());
      if (action.kind === "hang") return;
      if (action.kind === "starttls") upgrade();
      if (action.kind === "delay") return postpone(action.delayMs, actions.slice(i + 1));
    }
    if (text !== "") socket.write(text, "latin1");
  };

  const postpone = (delayMs: number, rest: readonly SinkAction[]): void => {
    socket.pause();
    // Never empty while the delay runs: what arrives meanwhile must queue behind it.
    waiting = [...rest, { kind: "reply", text: "" }];
    timer = clock.after(delayMs, () => {
      const due = waiting;
      waiting = [];
      socket.resume();
      perform(due);
    });
  };

  plain.setNoDelay(true);
  listen(plain);
  perform(dialogue.greet());
  return { destroy: () => socket.destroy() };
}
