// A large body piece by piece: what is written, in which order, and what is never written.
import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Body } from "../../src/deliver/body.ts";
import { pour } from "../../src/deliver/pour.ts";
import { NotSevenBit } from "../../src/mail/downgrade.ts";
import type { BodyWant, Happened } from "../../src/smtp/dialogue.ts";

interface Poured {
  readonly written: string[];
  readonly end: Happened;
}

/** A network that takes in one piece a turn. */
function run(body: Body, manner: BodyWant["manner"]): Promise<Poured> {
  const written: string[] = [];
  return new Promise((resolve) => {
    const pouring = pour({
      body,
      manner,
      clock: { ...systemClock, after: (_, then) => systemClock.after(1, then) },
      write(octets) {
        written.push(Buffer.from(octets).toString("latin1"));
        queueMicrotask(() => pouring.drained());
        return false;
      },
      block() {},
      ended: (end) => resolve({ written, end }),
    });
  });
}

const text = "Subject: x\r\n\r\n.dot\r\nend\r\n";

function stream(
  pieces: readonly string[],
  change: Partial<Extract<Body, { kind: "stream" }>> = {},
) {
  const open = async function* (): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield Buffer.from(piece);
  };
  return { kind: "stream", open, sizeBytes: text.length, sha256: undefined, ...change } as const;
}

const halves = [text.slice(0, 10), text.slice(10)];

test("what is put in front of a stream counts in its chunk", async () => {
  const front = async () => Buffer.from("DKIM-Signature: x\r\n");
  const { written, end } = await run(stream(halves, { front }), "chunk");
  expect(written[0]).toBe(`BDAT ${text.length + 19} LAST\r\n`);
  expect(written.slice(1).join("")).toBe(`DKIM-Signature: x\r\n${text}`);
  expect(end).toEqual({ got: "done" });
});

test("in front of dotted text it is dotted too", async () => {
  const front = async () => Buffer.from("X: y\r\n");
  const { written } = await run(stream(halves, { front }), "dotted");
  expect(written.join("")).toBe(`X: y\r\n${text.replace(".dot", "..dot")}.\r\n`);
});

for (const [what, pieces, change] of [
  ["longer", [...halves, "more\r\n"], {}],
  ["shorter", halves.slice(1), {}],
  ["not what was accepted", halves, { sha256: "x" }],
] as const)
  for (const manner of ["dotted", "chunk", "apart"] as const)
    test(`a file that is ${what} never ends: ${manner}`, async () => {
      const { written, end } = await run(stream(pieces, change), manner);
      expect(end).toMatchObject({ got: "spoiled" });
      const all = written.join("");
      if (manner === "chunk") {
        const octets = all.length - (written[0]?.length ?? 0);
        expect(octets).toBeLessThan(text.length);
      } else expect(all).not.toContain("\r\n.\r\n");
    });

test("the lone dot is the last write, also where the text lacks its last line end", async () => {
  const bytes = Buffer.from("Subject: x\r\n\r\nno end");
  const { written } = await run({ kind: "bytes", bytes }, "apart");
  expect(written.slice(-2)).toEqual(["\r\n", ".\r\n"]);
});

test("what cannot be made 7-bit on the way is no fault of the file", async () => {
  const open = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from("x");
    throw new NotSevenBit("it is signed");
  };
  const { end } = await run(stream([], { open, sizeBytes: undefined }), "dotted");
  expect(end).toEqual({ got: "spoiled", text: "it is signed", enhanced: "5.6.3" });
});
