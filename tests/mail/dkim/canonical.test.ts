// Canonical forms: the examples of RFC 6376 3.4.5, and any text beside a naive reading of the rules.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createHash, generateKeyPairSync } from "node:crypto";
import { bodyHashOf, createBodyHash, createRelaxedBody } from "../../../src/mail/dkim/body.ts";
import { placesOf, readHeader, select } from "../../../src/mail/dkim/header.ts";
import { createTemplate } from "../../../src/mail/dkim/signature.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const sha256 = (octets: Uint8Array): string => createHash("sha256").update(octets).digest("base64");

function relaxed(chunks: readonly Uint8Array[]): Buffer {
  const out: Buffer[] = [];
  const body = createRelaxedBody((octets) => out.push(Buffer.from(octets)));
  for (const chunk of chunks) body.push(chunk);
  body.end();
  return Buffer.concat(out);
}

/** RFC 6376 3.4.4, step by step on the whole text. */
function naiveBody(text: string): string {
  const lines = text.split("\r\n");
  // What stands behind the last CRLF is a line only if there is something.
  if (lines.at(-1) === "") lines.pop();
  const changed = lines.map((line) => line.replace(/[ \t]+$/, "").replace(/[ \t]+/g, " "));
  while (changed.at(-1) === "") changed.pop();
  return changed.map((line) => `${line}\r\n`).join("");
}

/** RFC 6376 3.4.2, the same way. */
function naiveField(name: string, value: string): string {
  const unfolded = value.replace(/\r\n(?=[ \t])/g, "").replace(/\r\n$/, "");
  const single = unfolded.replace(/[ \t]+/g, " ");
  return `${name.toLowerCase()}:${single.replace(/^ /, "").replace(/ $/, "")}`;
}

/** The canonical fields of a header, each without its CRLF. */
function fieldsOf(header: string): string[] {
  const bytes = Buffer.from(header, "latin1");
  const { octets, starts } = readHeader(bytes, bytes.length);
  return starts
    .slice(1)
    .map((end, i) => octets.toString("latin1", starts[i], end))
    .map((field) => field.slice(0, -2));
}

function shapeOf(header: string): string {
  return readHeader(Buffer.from(header), header.length).shape;
}

/** Text made of what the rules speak of. */
const pieces = fc.array(
  fc.constantFrom(" ", "\t", "\r\n", "\r", "\n", "a", "b.", "\r\n\r\n", "  ", "\u00a0", "é"),
  { maxLength: 40 },
);
const texts = pieces.map((list) => Buffer.from(list.join("")).toString("latin1"));

describe("the body", () => {
  test("of RFC 6376 3.4.5 is as printed", () => {
    const text = " C \r\nD \t E\r\n\r\n\r\n";
    expect(relaxed([Buffer.from(text)]).toString()).toBe(" C\r\nD E\r\n");
  });

  test("that is empty hashes to what RFC 6376 3.4.4 prints", () => {
    expect(bodyHashOf(Buffer.from("A: b\r\n\r\n"), 8)).toBe(
      "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    );
  });

  test("is what the rules say, wherever it is cut", () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(60), { maxLength: 5 }), (text, cuts) => {
        const bytes = Buffer.from(text, "latin1");
        const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length];
        at.sort((a, b) => a - b);
        const chunks = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        expect(relaxed(chunks).toString("latin1")).toBe(naiveBody(text));
      }),
      { numRuns: 2000 },
    );
  });

  test("hashes to the same in one piece as in many, behind any header", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const head = "From: a@b.example\r\n\r\n";
        const bytes = Buffer.from(head + text, "latin1");
        const hash = createBodyHash();
        for (const octet of bytes.subarray(head.length)) hash.add(Uint8Array.of(octet));
        const whole = bodyHashOf(bytes, head.length);
        expect(whole).toBe(hash.digest());
        expect(whole).toBe(sha256(Buffer.from(naiveBody(text), "latin1")));
      }),
      { numRuns: 1000 },
    );
  });

  test("may hold more empty lines than are kept at once", () => {
    const gap = "\r\n".repeat(5000);
    const text = `a\r\n${gap}b\r\n${gap}`;
    const bytes = Buffer.from(text);
    expect(relaxed([bytes]).equals(Buffer.from(naiveBody(text)))).toBe(true);
    const halves = [bytes.subarray(0, 4001), bytes.subarray(4001, 10_010), bytes.subarray(10_010)];
    expect(relaxed(halves).equals(Buffer.from(naiveBody(text)))).toBe(true);
  });
});

describe("a field", () => {
  test("of RFC 6376 3.4.5 is as printed", () => {
    expect(fieldsOf("A: X\r\nB : Y\t\r\n\tZ  \r\n")).toEqual(["a:X", "b:Y Z"]);
  });

  const values = fc
    .array(fc.constantFrom(" ", "\t", "\r\n ", "\r\n\t", "a", "b:", "\u00a0", "\v", "\r", "a\n"), {
      maxLength: 20,
    })
    .map((list) => list.join(""));

  test("is what the rules say, among others", () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        const header = `Name:${one}\r\nSECOND\t :${other}\r\n`;
        expect(fieldsOf(header)).toEqual([
          naiveField("name", `${one}\r\n`),
          naiveField("second", `${other}\r\n`),
        ]);
      }),
      { numRuns: 2000 },
    );
  });

  test("without a line end has one, and what is no field is passed over", () => {
    expect(fieldsOf("A: 1\r\nno field\r\n of two lines\r\n: 2\r\nB: 3")).toEqual(["a:1", "b:3"]);
    expect(fieldsOf("")).toEqual([]);
  });

  test("may be longer than the room that there is", () => {
    const long = `a${" b".repeat(20_000)}`;
    expect(fieldsOf(`X: ${long}\r\nY: 1\r\n`)).toEqual([`x:${long}`, "y:1"]);
  });
});

describe("what is signed", () => {
  test("names what matters once more than it is there", () => {
    const { names, from } = select(shapeOf("X-Other: 1\r\nFrom: a@b.example\r\nCc: c\r\n"));
    expect(names.join(" ")).toBe(
      "from from to subject date message-id cc cc reply-to mime-version content-type",
    );
    expect(from).toBe(1);
  });

  test("covers one-click unsubscription where it stands, and demands no more", () => {
    const { names } = select(
      shapeOf("List-Unsubscribe: <https://x>\r\nList-Unsubscribe-Post: y\r\n"),
    );
    expect(names.filter((name) => name.startsWith("list-"))).toEqual([
      "list-unsubscribe",
      "list-unsubscribe-post",
    ]);
  });

  test("takes fields of one name from the last one upwards", () => {
    expect(placesOf(["a", "b", "a", "a"], ["a", "a", "b", "a", "a", "b"])).toEqual([3, 2, 1, 0]);
  });

  test("of the signature's own field is its canonical form, whatever its names", () => {
    const label = fc.stringMatching(/^[a-z0-9]{1,40}$/);
    const fields = fc.array(fc.constantFrom("from", "cc", "list-unsubscribe-post", "references"));
    fc.assert(
      fc.property(label, label, fields, (domain, selector, list) => {
        const key = { algorithm: "rsa-sha256", domain: `${domain}.example`, selector } as const;
        const { names } = select(`${list.join(":")}:`);
        const template = createTemplate({ ...key, bits: 2048, key: privateKey }, names);
        const unsigned = template.unsigned(1e12, "hash");
        expect(fieldsOf(unsigned)).toEqual([template.canonical(1e12, "hash")]);
        for (const line of unsigned.split("\r\n")) expect(line.length).toBeLessThanOrEqual(92);
      }),
      { numRuns: 300 },
    );
  });
});
