// Who writes to whom, and what that makes of the commands of a transaction with this server; or why it cannot take the message, found
// before a word is said.
import { DATA, mailLine, rcptLine, type Line } from "./command.ts";
import type { BodyWant } from "./dialogue.ts";
import type { DsnWish } from "./dsn.ts";
import type { Offer } from "./extensions.ts";

export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
  /** Undefined when it is known only once the message has been written. */
  readonly sizeBytes: number | undefined;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly dsn?: DsnWish | undefined;
}

/** From here on a chunk pays: smaller messages leave in one write with what follows them, and DATA can be sent ahead. */
export const CHUNK_MIN_OCTETS = 65_537;

/** This server cannot take this message. */
export interface Misfit {
  readonly fate: "unfit";
  /** RFC 3463. */
  readonly enhanced: string;
  readonly text: string;
}

/** What will be said, all of it known beforehand. */
export interface Commands {
  /** MAIL, a RCPT for each recipient, and DATA unless the message is a chunk. */
  readonly lines: readonly Line[];
  readonly body: BodyWant;
}

/** The ways a message is written, made once. */
const dotted: BodyWant = { want: "body", manner: "dotted" };
const apart: BodyWant = { want: "body", manner: "apart" };
export const chunk: BodyWant = { want: "body", manner: "chunk" };

function bodyWant({ sizeBytes }: Envelope, { chunking, dotApart }: Offer): BodyWant {
  if (chunking && sizeBytes !== undefined && sizeBytes >= CHUNK_MIN_OCTETS) return chunk;
  return dotApart ? apart : dotted;
}

export function commandsOf(envelope: Envelope, offer: Offer): Commands | Misfit {
  const misfit = misfitOf(envelope, offer);
  if (misfit !== undefined) return misfit;
  const dsn = offer.dsn ? envelope.dsn : undefined;
  const mail = mailLine(envelope.from, {
    sizeOctets: offer.size ? envelope.sizeBytes : undefined,
    eightBit: (envelope.eightBit || envelope.utf8) && offer.eightBitMime,
    utf8: envelope.utf8,
    dsn,
  });
  if (mail === undefined) return unfit("5.1.7", "the sender's address cannot be written in SMTP");
  const lines = [mail];
  for (const to of envelope.to) {
    const made = rcptLine(to, dsn);
    if (made === undefined) return unfit("5.1.3", "an address cannot be written in SMTP");
    lines.push(made);
  }
  const body = bodyWant(envelope, offer);
  if (body !== chunk) lines.push(DATA);
  return { lines, body };
}

function misfitOf({ sizeBytes, eightBit, utf8 }: Envelope, offer: Offer): Misfit | undefined {
  if (offer.sizeMax > 0 && sizeBytes !== undefined && sizeBytes > offer.sizeMax)
    return unfit(
      "5.3.4",
      `the message has ${sizeBytes} octets, the server takes at most ${offer.sizeMax}`,
    );
  if (utf8 && !offer.smtpUtf8)
    return unfit(
      "5.6.7",
      "the message has non-ASCII addresses or headers and the server does not offer SMTPUTF8",
    );
  if (eightBit && !offer.eightBitMime)
    return unfit("5.6.3", "the message has 8-bit octets and the server does not offer 8BITMIME");
  return undefined;
}

export const unfit = (enhanced: string, text: string): Misfit => ({
  fate: "unfit",
  enhanced,
  text,
});
