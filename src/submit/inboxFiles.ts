// The files of the built-in inbox, for whoever wants a message's source or is done with it.
import { type FileHandle, open, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { INBOX_FACTS_BYTES_MAX, inboxFile, inboxId, isInboxId } from "../mail/inbox.ts";

export interface InboxSource {
  readonly sizeBytes: number;
  readonly bytes: ReadableStream<Uint8Array>;
}

export interface InboxFiles {
  /** The message to the octet; undefined when there is none. */
  source(id: string): Promise<InboxSource | undefined>;
  /** False when there was none. */
  remove(id: string): Promise<boolean>;
  /** How many went. */
  clear(): Promise<number>;
}

const PIECE_BYTES = 65_536;
const LF = 0x0a;

export function createInboxFiles(folder: string): InboxFiles {
  const remove = (file: string): Promise<boolean> =>
    unlink(join(folder, file)).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw error;
      },
    );
  return {
    async source(id) {
      if (!isInboxId(id)) return undefined;
      const file = await open(join(folder, inboxFile(id)), "r").catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      });
      if (file === undefined) return undefined;
      const start = await messageStart(file);
      const { size } = await file.stat();
      if (start !== undefined) return { sizeBytes: size - start, bytes: streamOf(file, start) };
      await file.close();
      return undefined;
    },
    remove: (id) => (isInboxId(id) ? remove(inboxFile(id)) : Promise.resolve(false)),
    async clear() {
      const names = await readdir(folder).catch((error: unknown) => {
        if (isMissing(error)) return [];
        throw error;
      });
      let count = 0;
      for (const name of names) if (inboxId(name) !== undefined && (await remove(name))) count++;
      return count;
    },
  };
}

/** Behind the line of facts; undefined when a power cut has left none. */
async function messageStart(file: FileHandle): Promise<number | undefined> {
  const piece = new Uint8Array(PIECE_BYTES);
  for (let at = 0; at <= INBOX_FACTS_BYTES_MAX;) {
    const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at);
    const end = piece.subarray(0, bytesRead).indexOf(LF);
    if (end >= 0) return at + end + 1;
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return undefined;
}

function streamOf(file: FileHandle, from: number): ReadableStream<Uint8Array> {
  let at = from;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = new Uint8Array(PIECE_BYTES);
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at);
      at += bytesRead;
      if (bytesRead > 0) return controller.enqueue(piece.subarray(0, bytesRead));
      await file.close();
      controller.close();
    },
    cancel: () => file.close(),
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
