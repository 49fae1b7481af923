// A message from standard input, whole and repeatable: the daemon may refuse it, and then it goes into the pickup folder instead. A
// small one stays in memory, a large one in a file that is gone with the process.
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";

/** Beyond it the message lies in a file. */
const MEMORY_MAX_BYTES = 1024 * 1024;
const PIECE_BYTES = 65_536;

export interface Collected {
  readonly sizeBytes: number;
  pieces(): Generator<Uint8Array>;
  stream(): ReadableStream<Uint8Array>;
  close(): void;
}

export interface Collector {
  add(bytes: Uint8Array): void;
  done(): Collected;
}

export function createCollector(tempDir: string, uniqueName: string): Collector {
  let held: Uint8Array[] = [];
  let sizeBytes = 0;
  let file: number | undefined;

  const write = (fd: number, bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
  };
  const spill = (): number => {
    const path = join(tempDir, `postrider-${uniqueName}`);
    const fd = openSync(path, "wx+", 0o600);
    // Without a name nobody else finds it, and a kill leaves nothing.
    unlinkSync(path);
    for (const one of held) write(fd, one);
    held = [];
    return fd;
  };
  return {
    add(bytes) {
      if (bytes.length === 0) return;
      sizeBytes += bytes.length;
      if (file !== undefined) return write(file, bytes);
      // Copied: what is read from a pipe may be a view of a buffer that is used again.
      held.push(new Uint8Array(bytes));
      if (sizeBytes > MEMORY_MAX_BYTES) file = spill();
    },
    done() {
      const fd = file;
      const whole = held;
      const pieces = function* (): Generator<Uint8Array> {
        if (fd === undefined) return void (yield* whole);
        for (let at = 0; at < sizeBytes;) {
          const piece = new Uint8Array(PIECE_BYTES);
          const count = readSync(fd, piece, 0, PIECE_BYTES, at);
          if (count === 0) throw new Error("the collected message is shorter than it was");
          at += count;
          yield piece.subarray(0, count);
        }
      };
      return {
        sizeBytes,
        pieces,
        stream: () => streamOf(pieces()),
        close: () => {
          if (fd !== undefined) closeSync(fd);
        },
      };
    },
  };
}

function streamOf(pieces: Generator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
}
