// Base64 in lines of 76 (RFC 2045 6.8). The runtime's own encoder does the work; what is ours is the lines, and the octets that
// are left over between the chunks of a stream.

/** Octets in a line of 76 characters. */
export const BASE64_LINE_BYTES = 57;
const LINE = 76;
const CRLF = "\r\n";

/** All of `bytes` in lines, each with its CRLF. Every call but the last of a stream takes a multiple of a line. */
export function base64Lines(bytes: Uint8Array): Uint8Array {
  const flat = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
  const out = Buffer.allocUnsafe(base64Length(bytes.length));
  let to = 0;
  for (let from = 0; from < flat.length; from += LINE) {
    to += out.write(flat.slice(from, from + LINE) + CRLF, to, "latin1");
  }
  return out;
}

export function base64Length(length: number): number {
  const flat = Math.ceil(length / 3) * 4;
  return flat + Math.ceil(flat / LINE) * CRLF.length;
}

/** Octets that are encoded at a time: some 78 KB of output, so that a large attachment needs no more than that. */
const STEP_BYTES = BASE64_LINE_BYTES * 1024;

/** Encodes chunks of any size; `end` gives the last, shorter line. */
export function createBase64Stream(): {
  push(chunk: Uint8Array): Generator<Uint8Array, void, void>;
  end(): Uint8Array;
} {
  let rest = new Uint8Array(0);
  return {
    *push(chunk) {
      let from = 0;
      if (rest.length > 0) {
        from = Math.min(chunk.length, BASE64_LINE_BYTES - rest.length);
        rest = Buffer.concat([rest, chunk.subarray(0, from)]);
        if (rest.length < BASE64_LINE_BYTES) return;
        yield base64Lines(rest);
      }
      const whole =
        from + Math.floor((chunk.length - from) / BASE64_LINE_BYTES) * BASE64_LINE_BYTES;
      for (; from < whole; from += STEP_BYTES)
        yield base64Lines(chunk.subarray(from, Math.min(whole, from + STEP_BYTES)));
      // Copied, since the chunk belongs to its source.
      rest = chunk.slice(whole);
    },
    end: () => base64Lines(rest),
  };
}
