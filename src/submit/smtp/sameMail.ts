// Which messages by SMTP are the same one. A program that sends again composes again: Date, Message-ID and the boundaries between parts
// are new each time, and the message is not. So those are left out of what an idempotency key is compared by.
import { createHash, type Hash } from "node:crypto";
import type { RawHeader } from "../../mail/raw/readHeader.ts";
import { createGathered } from "../gathered.ts";
import { createRawDigest, type RawDigest, readIdempotencyKey, shortHash } from "../once.ts";
import { ok } from "../problem.ts";

/** Fields that are new whenever a message is composed. */
const NEW_EACH_TIME = /^(?:date|message-id)[ \t]*:/i;
const BOUNDARY = /\bboundary=(?:"([^"]*)"|([^\s;]+))/gi;
const CONTENT_TYPE = /^content-type[ \t]*:/i;
/** Parts of parts have boundaries of their own. */
const BOUNDARIES_MAX = 100;

/** `part`: of a message to so many recipients that it is several submissions, each with a key of its own. */
export function createMailDigest(part = 0): RawDigest {
  /** What came before the header was whole. */
  const held = createGathered();
  let lines: Lines | undefined;
  let unwanted = false;
  return {
    add(piece, header) {
      if (unwanted) return;
      if (header === null) return held.add(piece);
      unwanted = header.idempotencyKey === null;
      const before = held.take();
      if (unwanted) return;
      lines ??= createLines();
      lines.add(before);
      lines.add(piece);
    },
    known(header: RawHeader, envelope, caller) {
      if (header.idempotencyKey === null) return ok(undefined);
      const key = readIdempotencyKey(header.idempotencyKey, caller);
      if (key.kind === "problem") return key;
      // A message without a body has its header only at its end.
      lines ??= createLines();
      lines.add(held.take());
      const request = shortHash(`${lines.end()} ${JSON.stringify(envelope)}`);
      return ok({ key: part === 0 ? key.value : shortHash(`${key.value} ${part}`), request });
    },
  };
}

/**
 * `sendmail` gives each message a key, known as `given`, so that what waits in the pickup folder is sent once. A key that the message
 * itself carries says more: its program may run `sendmail` again.
 */
export function createSendmailDigest(given: string, part: number): RawDigest {
  const [whole, mail] = [createRawDigest(given), createMailDigest(part)];
  return {
    add(piece, header) {
      whole.add(piece, header);
      mail.add(piece, header);
    },
    known: (header, envelope, caller) =>
      (header.idempotencyKey === null ? whole : mail).known(header, envelope, caller),
  };
}

interface Lines {
  add(piece: Uint8Array): void;
  /** Base64url. */
  end(): string;
}

function createLines(): Lines {
  const sum: Hash = createHash("sha256");
  let rest = "";
  let inHeader = true;
  let isWholeHeader = true;
  let skipping = false;
  let isContentType = false;
  /** Those that a Content-Type has named so far: a line of text that merely looks like one says something. */
  const boundaries = new Set<string>();
  const unnamed = (line: string): string =>
    line.replace(BOUNDARY, (all: string, quoted: string | undefined, bare: string | undefined) => {
      if (boundaries.size >= BOUNDARIES_MAX) return all;
      boundaries.add(quoted ?? bare ?? "");
      return "boundary=";
    });
  /** RFC 2046 5.1.1: white space may follow. */
  const isBetweenParts = (line: string): boolean => {
    if (boundaries.size === 0 || !line.startsWith("--")) return false;
    const word = line.slice(2).trimEnd();
    return boundaries.has(word) || (word.endsWith("--") && boundaries.has(word.slice(0, -2)));
  };
  const take = (line: string): void => {
    if (isBetweenParts(line)) {
      // What follows is the header of a part.
      [inHeader, isWholeHeader] = [true, false];
      sum.update("--\n");
      return;
    }
    let same = line;
    if (inHeader) {
      const folded = line.startsWith(" ") || line.startsWith("\t");
      if (!folded) {
        skipping = isWholeHeader && NEW_EACH_TIME.test(line);
        isContentType = CONTENT_TYPE.test(line);
      }
      inHeader = line !== "";
      if (skipping && inHeader) return;
      if (isContentType) same = unnamed(line);
    }
    sum.update(`${same}\n`, "latin1");
  };
  return {
    add(piece) {
      const text =
        rest + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString("latin1");
      const found = text.split("\r\n");
      rest = found.pop() ?? "";
      for (const line of found) take(line);
    },
    end() {
      if (rest !== "") take(rest);
      return sum.digest("base64url");
    },
  };
}
