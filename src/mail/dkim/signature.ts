// The DKIM-Signature field: its text as it is sent, folded once and never again, and the octets that are signed.
import type { EpochMs } from "../../base/clock.ts";
import { relaxedField } from "./header.ts";
import { signOctets, type SigningKey } from "./key.ts";

/** What all signatures of one message share. */
export interface Signed {
  /** The canonical fields, each with CRLF. */
  readonly fields: string;
  /** The names of the fields as `nameLines` has them. */
  readonly names: string;
  readonly bodyHash: string;
  readonly at: EpochMs;
}

export const FIELD_NAME = "DKIM-Signature";

const LINE_MAX = 76;
/** Base64 in one line, behind ` b=`. */
const SIGNATURE_LINE = 72;

/** Ends with CRLF. */
export function signatureField(key: SigningKey, signed: Signed): string {
  const unsigned = unsignedValue(key, signed);
  const signature = signOctets(key, signedOctets(signed.fields, unsigned));
  return `${FIELD_NAME}:${unsigned}${folded(signature)}\r\n`;
}

/** RFC 6376 3.7: the fields, then the signature's own with an empty `b=` and no CRLF. */
export function signedOctets(fields: string, unsigned: string): Buffer {
  const own = relaxedField(FIELD_NAME.toLowerCase(), unsigned);
  return Buffer.from(`${fields}${own}`, "latin1");
}

/** Everything up to `b=`. No `l=`: what lies behind it could be anybody's (RFC 6376 8.2). */
function unsignedValue(
  { algorithm, domain, selector }: SigningKey,
  { names, bodyHash, at }: Signed,
): string {
  const first = ` v=1; a=${algorithm}; c=relaxed/relaxed; t=${Math.floor(at / 1000)};`;
  const whose =
    domain.length + selector.length + " d=; s=;".length <= LINE_MAX
      ? ` d=${domain}; s=${selector};`
      : ` d=${domain};\r\n s=${selector};`;
  return `${first}\r\n${whose}\r\n${names};\r\n bh=${bodyHash};\r\n b=`;
}

/** `h=`, folded behind a colon, where white space means nothing (RFC 6376 3.5). */
export function nameLines(names: readonly string[]): string {
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

function folded(base64: string): string {
  let text = base64.slice(0, SIGNATURE_LINE);
  for (let at = SIGNATURE_LINE; at < base64.length; at += SIGNATURE_LINE)
    text += `\r\n ${base64.slice(at, at + SIGNATURE_LINE)}`;
  return text;
}
