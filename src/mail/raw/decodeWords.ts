// Encoded words back into text (RFC 2047 6), for what people are shown: subjects and names of mail that others composed.

/** Charset (a language of RFC 2231 5 behind it is dropped), encoding, content. */
const WORD = /=\?([^?*\s]{1,40})(?:\*[^?\s]*)?\?([bq])\?([^?\s]*)\?=/gi;

/** What cannot be decoded stays as it is. White space between two encoded words is not shown. */
export function decodeWords(text: string): string {
  if (!text.includes("=?")) return text;
  let shown = "";
  let end = 0;
  /** Octets that wait for the next word: some writers cut characters in two. */
  let held: { readonly charset: string; readonly bytes: Uint8Array } | null = null;
  for (const match of text.matchAll(WORD)) {
    const [word, charset = "", encoding = "", content = ""] = match;
    const between = text.slice(end, match.index);
    const bytes = encoding.toLowerCase() === "b" ? Buffer.from(content, "base64") : fromQ(content);
    if (held !== null && held.charset === charset.toLowerCase() && between.trim() === "") {
      held = { charset: held.charset, bytes: Buffer.concat([held.bytes, bytes]) };
    } else {
      shown += held === null ? between : decode(held) + (between.trim() === "" ? "" : between);
      held = { charset: charset.toLowerCase(), bytes };
    }
    end = match.index + word.length;
  }
  return shown + (held === null ? "" : decode(held)) + text.slice(end);
}

function fromQ(content: string): Uint8Array {
  const plain = content.replaceAll("_", " ").replace(/=([0-9a-f]{2})/gi, (_, hex: string) => {
    return String.fromCharCode(parseInt(hex, 16));
  });
  return Buffer.from(plain, "latin1");
}

function decode(held: { readonly charset: string; readonly bytes: Uint8Array }): string {
  return decoderFor(held.charset).decode(held.bytes);
}

function decoderFor(charset: string): TextDecoder {
  try {
    // The type names only some of the charsets that the runtimes know.
    return new TextDecoder(charset as "utf-8");
  } catch {
    // A charset that the runtime does not know: the ASCII part of it is better than nothing.
    return new TextDecoder("utf-8");
  }
}
