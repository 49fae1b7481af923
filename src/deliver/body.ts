// The octets of a message on their way out, and the proof that they are those that were accepted.
import { createHash } from "node:crypto";

export type Body =
  | {
      readonly kind: "bytes";
      readonly bytes: Uint8Array;
      /** What is sent in front of them; it is no part of what was accepted. */
      readonly front?: Front;
    }
  /** `sha256` is checked while the chunks pass, and before the dot. */
  | {
      readonly kind: "stream";
      readonly open: () => AsyncIterable<Uint8Array>;
      /** What is sent in front of it; it is no part of what was accepted. */
      readonly front?: () => Promise<Uint8Array | null>;
      /** Undefined when it is made as it is read, and so checked before: then it is not known. */
      readonly sizeBytes: number | undefined;
      readonly sha256: string | undefined;
    };

/** Whole lines in ASCII, none of which begins with a dot; a promise while they are made. */
export interface Front {
  readonly header: string | Promise<string>;
  readonly octets: number;
}

/** With what is in front; undefined where that is known only once it has been read. */
export function octetsOf(body: Body): number | undefined {
  return body.kind === "bytes" ? body.bytes.length + (body.front?.octets ?? 0) : body.sizeBytes;
}

/** SHA-256 as a message head has it: base64url without padding. */
export function matches(bytes: Uint8Array, sha256: string): boolean {
  return createHash("sha256").update(bytes).digest("base64url") === sha256;
}

export interface Checker {
  add(chunk: Uint8Array): void;
  /** What is wrong with all that was added; undefined when nothing is. */
  fault(): string | undefined;
}

export function createChecker(body: Extract<Body, { kind: "stream" }>): Checker {
  const hash = body.sha256 === undefined ? null : createHash("sha256");
  let sizeBytes = 0;
  return {
    add(chunk) {
      hash?.update(chunk);
      sizeBytes += chunk.length;
    },
    fault() {
      if (body.sizeBytes !== undefined && sizeBytes !== body.sizeBytes)
        return `the spool file has ${sizeBytes} octets, the message had ${body.sizeBytes}`;
      if (hash !== null && hash.digest("base64url") !== body.sha256)
        return "the spool file is not what was accepted (SHA-256)";
      return undefined;
    },
  };
}
