// Large messages lie in files of their own, synced with their folder before anybody is told of them (DESIGN 3). Written under their
// final name: a file that no row names is an orphan, whatever is in it, and is swept at start.
import { type FileHandle, open, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Random } from "../base/random.ts";
import { openIfThere, streamOf } from "./fileReading.ts";
import { type Result, ok, problem } from "./problem.ts";

export interface SpoolFile {
  /** Name within the spool folder. */
  readonly name: string;
  write(chunk: Uint8Array): Promise<void>;
  /** Everything written is on stable storage, and so is the name. */
  seal(): Promise<void>;
  /** Nobody owns the message: the file goes, if it is still there. Also after `seal`. */
  discard(): Promise<void>;
}

/** A file without a name: whatever becomes of the process, nothing of it is left. */
export interface Scratch {
  /** Behind all that was written before. */
  write(chunk: Uint8Array): Promise<void>;
  /** Octets so far. */
  readonly length: number;
  /** In pieces; each is only good until the next is asked for. */
  read(start: number, end: number): AsyncGenerator<Uint8Array, void, void>;
  /** Also when it is closed already. */
  close(): Promise<void>;
}

export interface Spool {
  create(): Promise<SpoolFile>;
  /** For the parts of a message that is not composed yet. */
  scratch(): Promise<Scratch>;
  /** Piece by piece; undefined when it is gone. A file that is removed meanwhile is read to its end. */
  read(name: string): Promise<ReadableStream<Uint8Array> | undefined>;
}

const NAME_BYTES = 16;
const PIECE_BYTES = 65_536;

export function createSpool(folder: string, random: Random): Spool {
  return {
    async read(name) {
      const file = await openIfThere(join(folder, name));
      return file === undefined ? undefined : streamOf(file);
    },
    async create() {
      const name = newName(random, "eml");
      const path = join(folder, name);
      const file = await open(path, "wx", 0o600);
      let isOpen = true;
      const close = async (): Promise<void> => {
        if (!isOpen) return;
        isOpen = false;
        await file.close();
      };
      return {
        name,
        write: (chunk) => writeAll(file, chunk),
        async seal() {
          await file.sync();
          await close();
          await syncFolder(folder);
        },
        async discard() {
          await close();
          // The queue removes the files of what it refuses, too.
          await unlink(path).catch((error: NodeJS.ErrnoException) => {
            if (error.code !== "ENOENT") throw error;
          });
        },
      };
    },
    async scratch() {
      const path = join(folder, newName(random, "part"));
      const file = await open(path, "wx+", 0o600);
      // Its name goes at once. What a crash leaves between these two lines is swept at start like any other orphan.
      await unlink(path);
      return scratchOf(file);
    },
  };
}

function newName(random: Random, ending: string): string {
  return `${Buffer.from(random.bytes(NAME_BYTES)).toString("hex")}.${ending}`;
}

/** A short write is not an error to the system, so it is repeated until all is taken. */
async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length;)
    done += (await file.write(chunk, done, chunk.length - done)).bytesWritten;
}

function scratchOf(file: FileHandle): Scratch {
  let length = 0;
  let isOpen = true;
  return {
    get length() {
      return length;
    },
    async write(chunk) {
      await writeAll(file, chunk);
      length += chunk.length;
    },
    async *read(start, end) {
      const piece = new Uint8Array(Math.min(PIECE_BYTES, end - start));
      for (let at = start; at < end;) {
        const wanted = Math.min(piece.length, end - at);
        const { bytesRead } = await file.read(piece, 0, wanted, at);
        if (bytesRead === 0) throw new Error("a scratch file is shorter than what was written");
        at += bytesRead;
        yield piece.subarray(0, bytesRead);
      }
    },
    async close() {
      if (!isOpen) return;
      isOpen = false;
      await file.close();
    },
  };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** No room: a bound of the disk or of a quota. Anything else that a disk says is not expected here. */
const FULL = new Set(["ENOSPC", "EDQUOT"]);
const FULL_RETRY_S = 30;

/** A full disk as an answer; whatever else failed is thrown on. */
export async function diskProblem<T>(work: Promise<T>): Promise<Result<T>> {
  try {
    return ok(await work);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!FULL.has(code)) throw error;
    const detail = "The disk is full: the message was not stored. Try again later.";
    return problem({ name: "disk_low", detail, retryAfterS: FULL_RETRY_S });
  }
}
