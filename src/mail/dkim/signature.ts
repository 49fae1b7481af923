// The DKIM-Signature field: its text as it is sent, folded once and never again, and the octets that are signed.
import type { EpochMs } from "../../base/clock.ts";
import type { SignApart } from "./apart.ts";
import { signatureLength, signOctets, type SigningKey } from "./key.ts";

/** A key's signatures on headers of one shape: all but the time and the body's hash is the same each time. */
export interface Template {
  /** The field up to `b=`, as it is sent. */
  unsigned(at: EpochMs, bodyHash: string): string;
  /** The same in relaxed canonical form, without CRLF (RFC 6376 3.7). */
  canonical(at: EpochMs, bodyHash: string): string;
  /** The whole field with its CRLF. `signed` is what is hashed. A promise where it is signed apart. */
  sign(unsigned: string, signed: Buffer): string | Promise<string>;
  /** Of the whole field, before it is there. */
  octets(unsigned: string): number;
}

const FIELD_NAME = "DKIM-Signature:";
const LINE_MAX = 76;
/** Base64 in one line, behind ` b=`. */
const SIGNATURE_LINE = 72;

/**
 * No `l=`: what lies behind it could be anybody's (RFC 6376 8.2). `apart` gets what takes as long as many deliveries, which is RSA; with
 * Ed25519 the way to another thread would cost as much as the signature.
 */
export function createTemplate(
  key: SigningKey,
  names: readonly string[],
  apart: SignApart | null = null,
): Template {
  const { domain, selector } = key;
  const whose =
    domain.length + selector.length + " d=; s=;".length <= LINE_MAX
      ? ` d=${domain}; s=${selector};`
      : ` d=${domain};\r\n s=${selector};`;
  const front = ` v=1; a=${key.algorithm}; c=relaxed/relaxed; t=`;
  const middle = `;\r\n${whose}\r\n${nameLines(names)};\r\n bh=`;
  const back = ";\r\n b=";
  // Every fold is a CRLF before a single space, so that this is all that canonical form takes away.
  const unfolded = (text: string): string => text.replaceAll("\r\n", "");
  const canonicalFront = FIELD_NAME.toLowerCase() + front.slice(1);
  const canonicalMiddle = unfolded(middle);
  const canonicalBack = unfolded(back);
  const length = signatureLength(key);
  const signatureOctets = length + FOLD.length * (Math.ceil(length / SIGNATURE_LINE) - 1) + 2;
  const seconds = (at: EpochMs): number => Math.floor(at / 1000);
  return {
    unsigned: (at, bodyHash) => `${FIELD_NAME}${front}${seconds(at)}${middle}${bodyHash}${back}`,
    canonical: (at, bodyHash) =>
      `${canonicalFront}${seconds(at)}${canonicalMiddle}${bodyHash}${canonicalBack}`,
    sign: (unsigned, signed) =>
      apart === null || key.algorithm !== "rsa-sha256"
        ? field(unsigned, signOctets(key, signed))
        : apart(key, signed).then((base64) => field(unsigned, base64)),
    octets: (unsigned) => unsigned.length + signatureOctets,
  };
}

/** `h=`, folded behind a colon, where white space means nothing (RFC 6376 3.5). */
function nameLines(names: readonly string[]): string {
  let text = " h=";
  let column = text.length;
  names.forEach((name, i) => {
    const word = i === 0 ? name : `:${name}`;
    if (column + word.length + 1 > LINE_MAX) {
      text += `:\r\n ${name}`;
      column = 1 + name.length;
    } else {
      text += word;
      column += word.length;
    }
  });
  return text;
}

const FOLD = "\r\n ";

function field(unsigned: string, base64: string): string {
  return `${unsigned}${folded(base64)}\r\n`;
}

function folded(base64: string): string {
  let text = base64.slice(0, SIGNATURE_LINE);
  for (let at = SIGNATURE_LINE; at < base64.length; at += SIGNATURE_LINE)
    text += `${FOLD}${base64.slice(at, at + SIGNATURE_LINE)}`;
  return text;
}
