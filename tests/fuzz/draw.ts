// Drawing from a seed: what the generator of hostile bodies decides by.
import type { Random } from "../../src/base/random.ts";
import { seededRandom } from "../../src/base/random.ts";

export interface Draw {
  /** Below `limit`. */
  int(limit: number): number;
  pick<T>(list: readonly T[]): T;
  /** True in one of `of` cases. */
  once(of: number): boolean;
  bytes(length: number): Uint8Array;
}

/** Each body of a run has a seed of its own, so that one can be had again without the others. */
export function drawFor(seed: number, index: number): Draw {
  const random: Random = seededRandom(seed * 0x1_0000_0000 + index);
  const int = (limit: number): number => Math.floor(random.roll() * limit);
  return {
    int,
    pick: (list) => {
      if (list.length === 0) throw new Error("nothing to pick from");
      return list[int(list.length)] as (typeof list)[number];
    },
    once: (of) => int(of) === 0,
    bytes: (length) => random.bytes(length),
  };
}

/** What has broken mail software: line ends, controls, halves of characters, things that look like syntax. */
const shards = [
  ...["\r\n", "\r", "\n", "\0", "\x01", "\x08", "\x0b", "\x1b[31m", "\x7f", "\u0085", "\u2028"],
  ...["\ud800", "\udfff", "\udc00\ud800", "\ufeff", "\ufffd", "\u202egpj.exe", "\u200b", "\u00ad"],
  ...["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\r\n\r\nX-Evil: 1", "\r\n X-Evil: 1"],
  ...[
    "\u2028X-Evil: 1",
    "\u010aX-Evil: 1",
    "=?utf-8?q?=0d=0aX-Evil:_1?=",
    "=?utf-8?b?DQpYLUV2aWw6IDE=?=",
  ],
  ...["=?", "?=", "=?x?q?", "=0D=0A", "%0d%0aX-Evil: 1", "\r\n.\r\n", "\n.\n", "\n..", "\nFrom me"],
  ...[
    "--=_",
    "\r\n--b",
    "--b--",
    "=_0",
    "<",
    ">",
    ",",
    ";",
    ":",
    '"',
    "\\",
    '\\"',
    "(c)",
    "@",
    " ",
    "\t",
  ],
  ...["../../x", "..\\x", "/", "CON", "aux.txt", ".", "..", "a;b=c", "*", "%", "'", "utf-8''%0a"],
  ...["é", "ü", "日本", "العربية", "עברית", "हिन्दी", "ไทย", "e\u0301", "👩‍👩‍👧", "🏳️‍🌈", "\u{10ffff}"],
  ...[
    "a",
    "B",
    "0",
    "word ",
    "x@y.example",
    "Ada ",
    "true",
    "null",
    "[",
    "]",
    "{",
    "}",
    "__proto__",
  ],
];

/** Mostly short; now and then longer than any line or field may be. */
export function hostileText(draw: Draw): string {
  if (draw.once(60)) return draw.pick(shards).repeat(draw.int(1200));
  let text = "";
  for (let left = draw.int(draw.once(4) ? 24 : 5); left > 0; left--) text += draw.pick(shards);
  return text;
}

const words = ["Your", "order", "17", "is", "on", "its", "way", "Grüße", "你好", "naïve", "→"];

export function gentleText(draw: Draw): string {
  return Array.from({ length: draw.int(8) }, () => draw.pick(words)).join(" ");
}

/** Some octets changed, dropped, doubled or put in. */
export function mutate(draw: Draw, bytes: Uint8Array): Uint8Array {
  let out = Buffer.from(bytes);
  for (let left = 1 + draw.int(4); left > 0 && out.length > 0; left--) {
    const at = draw.int(out.length);
    const kind = draw.int(5);
    const some = draw.bytes(1 + draw.int(3));
    if (kind === 0) out[at] = some[0] ?? 0;
    else if (kind === 1) out = Buffer.concat([out.subarray(0, at), some, out.subarray(at)]);
    else if (kind === 2)
      out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + draw.int(8))]);
    else if (kind === 3) out = out.subarray(0, at);
    else {
      const shard = Buffer.from(draw.pick(shards));
      out = Buffer.concat([out.subarray(0, at), shard, out.subarray(at)]);
    }
  }
  return new Uint8Array(out);
}
