// One request and its reply over an open connection (HTTP/1.1, RFC 9112).
import { createReplyReader, type ReplyHead, type ReplyStep } from "./reply.ts";
import type { Target } from "./target.ts";
import type { Wire } from "./wire.ts";

/** What a body goes into; true: nothing more of it is wanted. While its promise is open nothing more is read. */
export type Sink = (piece: Buffer, head: ReplyHead) => boolean | Promise<boolean>;

export interface Exchange {
  readonly request: readonly Uint8Array[];
  readonly sink: Sink;
  readonly signal: AbortSignal;
  /** Told once, when the head is there and the body is not. What it returns ends the wait for the body: the reply is as long as it is by
   * then, and as it is where the body breaks off. */
  readonly onHead?: () => AbortSignal;
}

export type Exchanged =
  | { readonly kind: "reply"; readonly head: ReplyHead; readonly reusable: boolean }
  | {
      readonly kind: "failed";
      readonly why: "connect" | "protocol" | "timeout";
      readonly text: string;
      /** Not one byte came back: a kept connection may simply have been closed meanwhile. */
      readonly silent: boolean;
    };

export function requestOf(
  target: Target,
  method: "GET" | "POST",
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | null,
): readonly Uint8Array[] {
  const lines = [`${method} ${target.path} HTTP/1.1`, `Host: ${target.authority}`];
  // What is packed would have to be unpacked, and a little of it can become very much.
  lines.push("Accept-Encoding: identity");
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (body !== null) lines.push(`Content-Length: ${body.length}`);
  if (lines.some((line) => /[\r\n\0]/.test(line))) throw new Error("a header holds a line end");
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  // In one piece, so that small requests leave in one packet.
  return body === null ? [head] : [Buffer.concat([head, body])];
}

/** Settles once the reply is complete, unwanted, broken, or given up. The wire is the caller's, before and after. */
export function runExchange(wire: Wire, exchange: Exchange): Promise<Exchanged> {
  const { request, sink, signal, onHead } = exchange;
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const reader = createReplyReader((piece) => void pieces.push(piece));
    let silent = true;
    let settled = false;
    let pouring = false;
    let last: ReplyStep = { kind: "more" };
    let impatience: AbortSignal | undefined;

    const settle = (result: Exchanged): void => {
      if (settled) return;
      settled = true;
      signal.removeEventListener("abort", giveUp);
      impatience?.removeEventListener("abort", cutShort);
      wire.listen(null);
      resolve(result);
    };
    const cutShort = (): void => {
      const head = reader.head();
      if (head !== undefined) settle({ kind: "reply", head, reusable: false });
    };
    const fail = (why: "connect" | "protocol" | "timeout", text: string): void => {
      // Whoever need not have the whole body has been told what matters.
      if (impatience !== undefined) cutShort();
      settle({ kind: "failed", why, text, silent });
    };
    const giveUp = (): void => fail("timeout", "The reply did not come in time.");

    const conclude = (): void => {
      const head = reader.head();
      if (last.kind === "bad")
        return fail(silent ? "connect" : "protocol", `The reply is broken: ${last.why}.`);
      if (last.kind === "done" && head !== undefined)
        settle({ kind: "reply", head, reusable: last.reusable });
    };

    /** Nothing more is read until the sink is ready. */
    const unhurried = async (enough: Promise<boolean>): Promise<boolean> => {
      wire.pause();
      const said = await enough;
      wire.resume();
      return said;
    };

    const pour = async (): Promise<void> => {
      if (pouring) return;
      pouring = true;
      for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
        const head = reader.head();
        if (settled || head === undefined) return;
        const said = sink(piece, head);
        const enough: boolean = typeof said === "boolean" ? said : await unhurried(said);
        if (enough) return settle({ kind: "reply", head, reusable: false });
      }
      pouring = false;
      conclude();
    };

    const step = (next: ReplyStep): void => {
      last = next;
      const waits = next.kind !== "done" && impatience === undefined;
      if (waits && onHead !== undefined && reader.head() !== undefined) {
        impatience = onHead();
        impatience.addEventListener("abort", cutShort, { once: true });
      }
      pour().catch((error: unknown) =>
        fail("protocol", `The body was not taken: ${String(error)}.`),
      );
    };

    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    wire.listen({
      data(bytes) {
        silent = false;
        step(reader.push(bytes));
      },
      ended(why) {
        if (why === null || pieces.length > 0) return step(reader.end());
        fail("connect", `The connection failed: ${why}.`);
      },
    });
    for (const bytes of request) wire.write(bytes);
  });
}
