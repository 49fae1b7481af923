// A large body on its way: piece by piece, never further ahead of the server than one piece, so that no thread holds a whole message.
import { createDotStuffer } from "../smtp/dot.ts";
import type { Happened } from "../smtp/session.ts";
import { createChecker, type Body } from "./body.ts";

export interface PourOptions {
  readonly body: Body;
  write(octets: Uint8Array): boolean;
  /** A piece begins to wait: it has the time of one data block (RFC 5321 4.5.3.2.5). */
  block(): void;
  /** Called once. After `done` the dot has been written. */
  ended(happened: Happened): void;
}

export interface Pouring {
  drained(): void;
  /** Ends it without the dot. */
  cut(happened: Happened): void;
}

const PIECE_OCTETS = 65_536;

export function pour(options: PourOptions): Pouring {
  let wake: (() => void) | null = null;
  let over = false;
  const end = (happened: Happened): void => {
    if (over) return;
    over = true;
    options.ended(happened);
  };
  const go = (): void => {
    const waiting = wake;
    wake = null;
    waiting?.();
  };
  const send = async (octets: Uint8Array): Promise<boolean> => {
    if (over) return false;
    options.block();
    if (!options.write(octets)) await new Promise<void>((resolve) => void (wake = resolve));
    return !over;
  };
  const finish = (octets: Uint8Array): void => {
    if (over) return;
    // In one turn: once the dot may have left, a loss is one with doubt, which begins with `done`.
    options.write(octets);
    end({ got: "done" });
  };
  run(options.body, send, finish).catch((error: unknown) =>
    end({ got: "spoiled", text: `the spool file cannot be read: ${String(error)}` }),
  );
  return {
    drained: go,
    cut(happened) {
      end(happened);
      go();
    },
  };
}

async function run(
  body: Body,
  send: (octets: Uint8Array) => Promise<boolean>,
  finish: (octets: Uint8Array) => void,
): Promise<void> {
  const stuffer = createDotStuffer();
  if (body.kind === "bytes") {
    for (let at = 0; at < body.bytes.length; at += PIECE_OCTETS)
      if (!(await send(stuffer.stuff(body.bytes.subarray(at, at + PIECE_OCTETS))))) return;
    return finish(stuffer.end());
  }
  const front = (await body.front?.()) ?? null;
  if (front !== null && !(await send(stuffer.stuff(front)))) return;
  const checker = createChecker(body);
  for await (const chunk of body.open()) {
    checker.add(chunk);
    if (!(await send(stuffer.stuff(chunk)))) return;
  }
  const fault = checker.fault();
  if (fault !== undefined) throw new Error(fault);
  finish(stuffer.end());
}
