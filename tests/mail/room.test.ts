import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { plainLines, withCrlf, writeLines } from "../../src/mail/compose/lines.ts";
import { roomFor, type Room } from "../../src/mail/compose/room.ts";

describe("room for a message", () => {
  const addressOf = ({ bytes }: Room): string => `${bytes.byteOffset}`;

  test("what is taken keeps its octets, whatever is freed and taken beside it", () => {
    const step = fc.record({ sizeBytes: fc.integer({ min: 1, max: 20_000 }), frees: fc.nat(9) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const taken: { readonly room: Room; readonly mark: number }[] = [];
        for (const [i, { sizeBytes, frees }] of steps.entries()) {
          const room = roomFor(sizeBytes);
          expect(room.bytes.length).toBe(sizeBytes);
          room.bytes.fill(i % 256);
          taken.push({ room, mark: i % 256 });
          if (frees < 5) taken.splice((i * 7) % taken.length, 1)[0]?.room.free();
          // Told twice, as told once.
          if (frees === 0) for (const { room: one } of taken.splice(0, 3)) (one.free(), one.free());
        }
        for (const { room, mark } of taken)
          expect(room.bytes.every((byte) => byte === mark)).toBe(true);
        for (const { room } of taken) room.free();
      }),
    );
  });

  test("what was freed is used again", () => {
    const first = roomFor(1000);
    first.free();
    const all = Array.from({ length: 1000 }, () => {
      const room = roomFor(16_000);
      room.free();
      return room.bytes.buffer;
    });
    expect(new Set(all).size).toBeLessThan(5);
    const kept = roomFor(1000);
    const beside = roomFor(1000);
    expect(addressOf(kept)).not.toBe(addressOf(beside));
  });
});

describe("lines of a text", () => {
  const texts = fc
    .array(fc.constantFrom("", "a", "\n", ".", "x".repeat(998), "x".repeat(999), "long line"), {
      maxLength: 30,
    })
    .map((pieces) => pieces.join(""));

  test("are written with CRLF, to the last octet of their place", () => {
    fc.assert(
      fc.property(texts, fc.nat(10), (text, start) => {
        const lines = plainLines(text);
        const isLong = text.split("\n").some((line) => line.length > 998);
        expect(lines === undefined).toBe(isLong);
        if (lines === undefined) return;
        const into = Buffer.alloc(start + text.length + lines.breaks + 3, "#");
        const end = writeLines(into, start, lines);
        expect(end).toBe(into.length - 3);
        const around = "#".repeat(start);
        expect(into.toString("latin1")).toBe(`${around}${withCrlf(text)}###`);
      }),
    );
  });

  test("are plain only in ASCII without NUL", () => {
    expect(plainLines("a\0b")).toBeUndefined();
    expect(plainLines("é")).toBeUndefined();
    expect(plainLines("€\n")).toBeUndefined();
    expect(plainLines("\x7f\t\n")).toEqual({ kind: "lines", text: "\x7f\t\n", breaks: 1 });
  });
});
