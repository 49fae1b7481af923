// The files of the built-in inbox, for whoever wants a message's source or is done with it.
import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { INBOX_FACTS_BYTES_MAX, inboxFile, inboxId, isInboxId } from "../mail/inbox.ts";
import { firstLine, isMissing, openIfThere, streamOf } from "./fileReading.ts";

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
      const file = await openIfThere(join(folder, inboxFile(id)));
      if (file === undefined) return undefined;
      const line = await firstLine(file, INBOX_FACTS_BYTES_MAX);
      const { size } = await file.stat();
      if (line !== undefined) {
        const start = line.length + 1;
        return { sizeBytes: size - start, bytes: streamOf(file, start) };
      }
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
