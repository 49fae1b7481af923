// Files with a line of facts before a message, and their octets as they are asked for.
import { type FileHandle, open } from "node:fs/promises";

const PIECE_BYTES = 65_536;
const LF = 0x0a;

/** For reading; undefined where there is none. */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

/** Without its LF; undefined when there is none within about so many bytes. */
export async function firstLine(file: FileHandle, bytesMax: number): Promise<Buffer | undefined> {
  let held: Buffer = Buffer.alloc(0);
  while (held.length < bytesMax) {
    const piece = Buffer.alloc(PIECE_BYTES);
    const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, held.length);
    if (bytesRead === 0) return undefined;
    held = Buffer.concat([held, piece.subarray(0, bytesRead)]);
    const end = held.indexOf(LF);
    if (end >= 0) return held.subarray(0, end);
  }
  return undefined;
}

/** `ended`: nothing more is read, whether or not all of it was; the file is closed unless it says otherwise. */
export function streamOf(
  file: FileHandle,
  from = 0,
  ended: () => Promise<void> = () => file.close(),
): ReadableStream<Uint8Array> {
  let at = from;
  const read = async (): Promise<Uint8Array> => {
    try {
      const piece = new Uint8Array(PIECE_BYTES);
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, at);
      at += bytesRead;
      return piece.subarray(0, bytesRead);
    } catch (error) {
      await ended();
      throw error;
    }
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await read();
      if (piece.length > 0) return controller.enqueue(piece);
      await ended();
      controller.close();
    },
    cancel: ended,
  });
}
