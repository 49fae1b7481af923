// The bounds of a message while it comes in: its size, counted on the stream, and its line ends.
import type { ContentReader } from "../../smtp/server/content.ts";
import { tooLarge } from "../../smtp/server/mail.ts";
import { type Said, said } from "../../smtp/server/said.ts";
import type { Taker } from "./connection.ts";

/** Of a message that is already refused, so much is thrown away while its end is awaited; then the connection ends. */
const THROWN_AWAY_MAX_BYTES = 16_000_000;

export interface Took {
  readonly next: number;
  readonly written: Promise<void> | undefined;
  readonly whole: boolean;
  /** It is not taken, and the end of it has come or is not waited for. */
  readonly refusal: Said | undefined;
}

/** Keeps a message's bounds while it comes: what is refused is no longer kept, and thrown away up to its end. */
export function createIncoming(reader: ContentReader, taker: Taker, messageBytes: number) {
  let bytes = 0;
  let dropped = false;
  const refusal = (): Said | undefined => {
    if (bytes > messageBytes) return tooLarge(messageBytes);
    return reader.bare ? bareLineEnd : undefined;
  };
  return {
    read(chunk: Uint8Array, from: number): Took {
      const { step, bytes: came, next } = reader.read(chunk, from);
      bytes += came.length;
      const why = refusal();
      if (step === "torn")
        return { next, written: undefined, whole: false, refusal: { ...bareLineEnd, close: true } };
      if (why === undefined)
        return { next, written: taker.write(came), whole: step === "end", refusal: undefined };
      const written = dropped ? undefined : taker.discard();
      dropped = true;
      if (step === "end") return { next, written, whole: false, refusal: why };
      const patient = bytes <= messageBytes + THROWN_AWAY_MAX_BYTES;
      return {
        next,
        written,
        whole: false,
        refusal: patient ? undefined : { ...why, close: true },
      };
    },
  };
}

const bareLineEnd = said(
  550,
  "5.6.0",
  "A CR or LF stands alone: lines end with CR LF (RFC 5321 2.3.8)",
  "smtp_bare_line_end",
);
