// Text from a stranger, made fit for a log, a terminal, an event and a web page: no control characters, nothing that turns the
// direction of what is read, and valid Unicode.

/** `latin1` holds one octet a character; UTF-8 in it is read as such (RFC 6531 3.7.4), anything else stays latin1. */
export function harmless(latin1: string): string {
  for (let i = 0; i < latin1.length; i++) {
    const code = latin1.charCodeAt(i);
    if (code < 32 || code > 126) return escaped(decoded(latin1));
  }
  return latin1;
}

function decoded(latin1: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(latin1, "latin1"));
  } catch {
    // Not UTF-8: each octet stands for itself.
    return latin1;
  }
}

/** Controls, format characters (bidi marks among them), line separators, private use, and halves of surrogate pairs. */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}]/gu;

function escaped(text: string): string {
  return text.replace(unsafe, (found) => {
    const code = found.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}
