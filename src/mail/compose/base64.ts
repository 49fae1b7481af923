// Base64 in lines of 76 (RFC 2045 6.8). The runtime's own encoder does the work; what is ours is the lines, and the octets that
// are left over between the chunks of a stream.

/** Octets in a line of 76 characters. */
const BASE64_LINE_BYTES = 57;
const LINE = 76;
const CR = 0x0d;
const LF = 0x0a;

/** All of `bytes` in lines, each with its CRLF. Every call but the last of a stream takes a multiple of a line. */
export function base64Lines(bytes: Uint8Array): Uint8Array {
  const flat = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
  const length = base64Length(bytes.length);
  const out = Buffer.allocUnsafe(length);
  // Written to the end at once, then moved line by line to the front: the gap between is what the line ends need.
  const start = length - flat.length;
  out.write(flat, start, "latin1");
  let to = 0;
  for (let from = start; from < length; from += LINE) {
    const end = Math.min(from + LINE, length);
    out.copyWithin(to, from, end);
    to += end - from;
    out[to++] = CR;
    out[to++] = LF;
  }
  return out;
}

export function base64Length(length: number): number {
  const flat = Math.ceil(length / 3) * 4;
  return flat + Math.ceil(flat / LINE) * 2;
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
      // Copied, since the chunk belongs to its source; `slice` of a Buffer would be a view.
      rest = new Uint8Array(chunk.subarray(whole));
    },
    end: () => base64Lines(rest),
  };
}
