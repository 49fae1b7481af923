// What a command sends besides JSON, piece by piece: a file as it is, or a form with files in it. Opened anew for each try.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { basename, extname } from "node:path";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure } from "./failure.ts";

const PIECE_BYTES = 65_536;

/** A file that is open until it was read; a missing one ends the command. */
export interface Upload {
  readonly path: string;
  readonly sizeBytes: number;
  pieces(): Generator<Uint8Array>;
}

/** Looked at now, so that a slip in a name is told before anything is sent. */
export function uploadOf(path: string): Upload {
  const sizeBytes = opened(path, (fd) => {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw new CommandFailure(exitCodes.failed, `${path} is no file`);
    return facts.size;
  });
  return {
    path,
    sizeBytes,
    *pieces() {
      const fd = openSync(path, "r");
      try {
        for (;;) {
          const piece = new Uint8Array(PIECE_BYTES);
          const count = readSync(fd, piece, 0, PIECE_BYTES, null);
          if (count === 0) return;
          yield piece.subarray(0, count);
        }
      } finally {
        closeSync(fd);
      }
    },
  };
}

function opened<T>(path: string, look: (fd: number) => T): T {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const text = code === "ENOENT" ? `${path} is not there` : message;
    throw new CommandFailure(exitCodes.failed, text);
  }
  try {
    return look(fd);
  } finally {
    closeSync(fd);
  }
}

export function streamOf(pieces: Generator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const { done, value } = pieces.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel: () => void pieces.return(undefined),
  });
}

export interface Form {
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly files: readonly Upload[];
  /** In no part of it. */
  readonly boundary: string;
}

/** RFC 7578. */
export function* formPieces({ fields, files, boundary }: Form): Generator<Uint8Array> {
  const part = (head: string): Uint8Array => Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`);
  for (const [name, value] of fields) {
    yield part(`Content-Disposition: form-data; name="${name}"`);
    yield Buffer.from(`${value}\r\n`);
  }
  for (const file of files) {
    const name = escaped(basename(file.path));
    const disposition = `Content-Disposition: form-data; name="attachments"; filename="${name}"`;
    yield part(`${disposition}\r\nContent-Type: ${typeOfFile(file.path)}`);
    yield* file.pieces();
    yield Buffer.from("\r\n");
  }
  yield Buffer.from(`--${boundary}--\r\n`);
}

/** As curl writes it; line ends, which no reader would bear, as browsers do. */
function escaped(name: string): string {
  const quoted = name.replace(/["\\]/g, "\\$&");
  return quoted.replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** The few that people send; all else is octets. */
const types: Readonly<Record<string, string>> = {
  ".csv": "text/csv",
  ".gif": "image/gif",
  ".htm": "text/html",
  ".html": "text/html",
  ".ics": "text/calendar",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".json": "application/json",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain",
  ".webp": "image/webp",
  ".xml": "application/xml",
  ".zip": "application/zip",
};

function typeOfFile(path: string): string {
  return types[extname(path).toLowerCase()] ?? "application/octet-stream";
}
