// Which messages by SMTP are the same one. A program that sends again composes again: Date, Message-ID and the boundaries between parts
// are new each time, and the message is not. So those are left out of what an idempotency key is compared by.
import { createHash, type Hash } from "node:crypto";
import type { RawHeader } from "../../mail/raw/readHeader.ts";
import { type RawDigest, readIdempotencyKey, shortHash } from "../once.ts";
import { ok } from "../problem.ts";

/** Fields that are new whenever a message is composed. */
const NEW_EACH_TIME = /^(?:date|message-id)[ \t]*:/i;
const BOUNDARY = /\bboundary=(?:"[^"]*"|[^\s;]+)/gi;
/** A line between parts: two hyphens and a word of some length (RFC 2046 5.1.1); the `-- ` above a signature is none. */
const BETWEEN_PARTS = /^--\S{8,}$/;

export function createMailDigest(): RawDigest {
  /** What came before the header was whole. */
  let held: Uint8Array[] = [];
  let lines: Lines | undefined;
  let unwanted = false;
  return {
    add(piece, header) {
      if (unwanted) return;
      if (header === null) return void held.push(new Uint8Array(piece));
      unwanted = header.idempotencyKey === null;
      if (!unwanted) {
        lines ??= createLines();
        for (const one of held) lines.add(one);
        lines.add(piece);
      }
      held = [];
    },
    known(header: RawHeader, envelope, caller) {
      if (header.idempotencyKey === null) return ok(undefined);
      const key = readIdempotencyKey(header.idempotencyKey, caller);
      if (key.kind === "problem") return key;
      // A message without a body has its header only at its end.
      lines ??= createLines();
      for (const one of held) lines.add(one);
      const request = shortHash(`${lines.end()} ${JSON.stringify(envelope)}`);
      return ok({ key: key.value, request });
    },
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
  let skipping = false;
  const take = (line: string): void => {
    if (inHeader) {
      const folded = line.startsWith(" ") || line.startsWith("\t");
      if (!folded) skipping = NEW_EACH_TIME.test(line);
      inHeader = line !== "";
      if (skipping && inHeader) return;
    }
    const same = BETWEEN_PARTS.test(line) ? "--" : line.replace(BOUNDARY, "boundary=");
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
