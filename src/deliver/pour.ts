// A large body on its way: piece by piece, never further ahead of the server than one piece, so that no thread holds a whole message.
import type { Clock, Timer } from "../base/clock.ts";
import { NotSevenBit } from "../mail/downgrade.ts";
import type { BodyWant, Happened } from "../smtp/dialogue.ts";
import { bdatLine } from "../smtp/command.ts";
import { createDotStuffer, type DotStuffer } from "../smtp/dot.ts";
import { createChecker, type Body } from "./body.ts";

export interface PourOptions {
  readonly body: Body;
  readonly manner: BodyWant["manner"];
  readonly clock: Clock;
  write(octets: Uint8Array): boolean;
  /** A piece begins to wait: it has the time of one data block (RFC 5321 4.5.3.2.5). */
  block(): void;
  /** Called once. After `done` the end of the message has been written. */
  ended(happened: Happened): void;
}

export interface Pouring {
  drained(): void;
  /** Ends it without the dot. */
  cut(happened: Happened): void;
}

const PIECE_OCTETS = 65_536;

/** So long a dot that must be alone waits for what is before it to have left and to be taken in; Postfix waits as long and more. */
const APART_MS = 2_000;

export function pour(options: PourOptions): Pouring {
  let wake: (() => void) | null = null;
  let timer: Timer | null = null;
  let over = false;
  const end = (happened: Happened): void => {
    if (over) return;
    over = true;
    timer?.cancel();
    options.ended(happened);
  };
  const go = (): void => {
    const waiting = wake;
    wake = null;
    waiting?.();
  };
  const send = async (octets: Uint8Array): Promise<boolean> => {
    if (over) return false;
    if (octets.length === 0) return true;
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
  const finishApart = async (octets: Uint8Array): Promise<void> => {
    // The line end that the dot needs before it belongs to the text.
    const dotAt = octets.length - 3;
    if (!(await send(octets.subarray(0, dotAt)))) return;
    timer = options.clock.after(APART_MS, () => finish(octets.subarray(dotAt)));
  };
  run(options, send, options.manner === "apart" ? finishApart : finish).catch((error: unknown) =>
    end(
      error instanceof NotSevenBit
        ? { got: "spoiled", text: error.message, enhanced: error.enhanced }
        : { got: "spoiled", text: `the spool file cannot be read: ${String(error)}` },
    ),
  );
  return {
    drained: go,
    cut(happened) {
      end(happened);
      go();
    },
  };
}

type Send = (octets: Uint8Array) => Promise<boolean>;

async function run(
  { body, manner }: PourOptions,
  send: Send,
  finish: (octets: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const front = await frontOf(body);
  const wire = manner === "chunk" ? createChunk(chunkOf(body, front)) : createDotStuffer();
  if (manner === "chunk")
    if (!(await send(Buffer.from(`${bdatLine(chunkOf(body, front))}\r\n`)))) return;
  const give: Send = (octets) => send(wire.stuff(octets));
  if (!(await give(front))) return;
  if (!(await (body.kind === "bytes" ? giveBytes(body, give) : giveStream(body, give)))) return;
  await finish(wire.end());
}

const nothing = new Uint8Array(0);

async function frontOf(body: Body): Promise<Uint8Array> {
  if (body.kind === "stream") return (await body.front?.()) ?? nothing;
  return body.front === undefined ? nothing : Buffer.from(await body.front.header, "latin1");
}

function chunkOf(body: Body, front: Uint8Array): number {
  const octets = body.kind === "bytes" ? body.bytes.length : body.sizeBytes;
  if (octets === undefined) throw new Error("a chunk must know its size");
  return octets + front.length;
}

async function giveBytes({ bytes }: Extract<Body, { kind: "bytes" }>, give: Send) {
  for (let at = 0; at < bytes.length; at += PIECE_OCTETS)
    if (!(await give(bytes.subarray(at, at + PIECE_OCTETS)))) return false;
  return true;
}

async function giveStream(body: Extract<Body, { kind: "stream" }>, give: Send): Promise<boolean> {
  const checker = createChecker(body);
  for await (const piece of body.open()) {
    checker.add(piece);
    if (!(await give(piece))) return false;
  }
  const fault = checker.fault();
  if (fault !== undefined) throw new Error(fault);
  return true;
}

/**
 * Exactly so many octets: one more would be read as a command. The last piece is kept back until `end`, since with it the server has the
 * message, and what is found to be damaged must not get there.
 */
function createChunk(octets: number): DotStuffer {
  let given = 0;
  let held = nothing;
  return {
    stuff(piece) {
      given += piece.length;
      if (given > octets) throw new Error(`the message has more than its ${octets} octets`);
      if (piece.length === 0) return nothing;
      const out = held;
      // A copy, since the reader of a file may use its buffer again.
      held = new Uint8Array(piece);
      return out;
    },
    end() {
      if (given !== octets) throw new Error(`the message has ${given} octets, not ${octets}`);
      return held;
    },
  };
}
