// One connection of the load: a request, its answer, the next request. It is opened when it is first needed and again when it was closed.
import { unreachable } from "../base/unreachable.ts";
import { createReplyReader, type Reply } from "./reply.ts";
import type { Writer } from "./request.ts";
import type { Dial, Line } from "./socket.ts";

export type Outcome =
  | { readonly kind: "answered"; readonly reply: Reply }
  /** It was sent, and nobody knows whether it was taken. */
  | { readonly kind: "lost"; readonly why: string }
  /** It was not sent. */
  | { readonly kind: "unreachable"; readonly why: string };

export interface Client {
  /** One at a time; `ended` is told when it is over. */
  send(n: number, atMs: number): void;
  /** Gives up a request that was sent before that instant. */
  giveUp(sentBeforeMs: number): void;
  close(): void;
}

export interface ClientDeps {
  readonly dial: Dial;
  readonly write: Writer;
  readonly ended: (client: Client, outcome: Outcome) => void;
}

export function createClient({ dial, write, ended }: ClientDeps): Client {
  let line: Line | undefined;
  let isOpen = false;
  let asked: { readonly n: number; readonly atMs: number } | undefined;
  let read = createReplyReader();

  const end = (outcome: Outcome): void => {
    asked = undefined;
    ended(client, outcome);
  };
  const drop = (): void => {
    line?.close();
    line = undefined;
    isOpen = false;
  };
  const lose = (why: string): void => {
    const wasOpen = isOpen;
    drop();
    if (asked !== undefined) end({ kind: wasOpen ? "lost" : "unreachable", why });
  };
  const say = (): void => {
    if (asked === undefined || line === undefined) return;
    for (const piece of write(asked.n)) line.write(piece);
  };

  const hear = (chunk: Uint8Array): void => {
    // Nothing was asked: what comes now is no answer of ours.
    if (asked === undefined) return drop();
    const heard = read(chunk);
    switch (heard.kind) {
      case "more":
        return;
      case "garbage":
        return lose("not HTTP");
      case "reply":
        if (heard.reply.closes) drop();
        return end({ kind: "answered", reply: heard.reply });
      default:
        return unreachable(heard);
    }
  };

  const open = (): Line => {
    read = createReplyReader();
    return dial({
      opened() {
        isOpen = true;
        say();
      },
      heard: hear,
      closed: (why) => lose(why === "" ? "closed" : why),
    });
  };

  const client: Client = {
    send(n, atMs) {
      asked = { n, atMs };
      if (isOpen) say();
      else line ??= open();
    },
    giveUp(sentBeforeMs) {
      if (asked !== undefined && asked.atMs < sentBeforeMs) lose("no answer");
    },
    close: drop,
  };
  return client;
}
