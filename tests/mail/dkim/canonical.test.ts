// Canonical forms: the examples of RFC 6376 3.4.5, and any text beside a naive reading of the rules.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { bodyHashOf, createBodyHash, createRelaxedBody } from "../../../src/mail/dkim/body.ts";
import {
  cutFields,
  placesOf,
  relaxedField,
  signedFields,
  signedNames,
} from "../../../src/mail/dkim/header.ts";

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
    const fields = cutFields("A: X\r\nB : Y\t\r\n\tZ  \r\n");
    expect(fields.map(({ name, value }) => relaxedField(name, value))).toEqual(["a:X", "b:Y Z"]);
  });

  test("is what the rules say", () => {
    const values = fc
      .array(fc.constantFrom(" ", "\t", "\r\n ", "\r\n\t", "a", "b:", "\u00a0", "\v"), {
        maxLength: 20,
      })
      .map((list) => `${list.join("")}\r\n`);
    fc.assert(
      fc.property(values, (value) => {
        const [field, ...more] = cutFields(`Name:${value}`);
        expect(more).toEqual([]);
        expect(relaxedField("name", field?.value ?? "")).toBe(naiveField("name", value));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("what is signed", () => {
  test("names what matters once more than it is there", () => {
    const fields = cutFields("From: a@b.example\r\nCc: c@d.example\r\nX-Other: 1\r\n");
    expect(signedNames(fields).join(" ")).toBe(
      "from from to subject date message-id cc cc reply-to mime-version content-type",
    );
  });

  test("covers one-click unsubscription where it stands, and demands no more", () => {
    const fields = cutFields("List-Unsubscribe: <https://x>\r\nList-Unsubscribe-Post: y\r\n");
    const names = signedNames(fields);
    expect(names.filter((name) => name.startsWith("list-"))).toEqual([
      "list-unsubscribe",
      "list-unsubscribe-post",
    ]);
  });

  test("takes fields of one name from the last one upwards", () => {
    const fields = cutFields("A: 1\r\nB: x\r\nA: 2\r\nA: 3\r\n");
    const places = placesOf(fields, ["a", "a", "b", "a", "a", "b"]);
    expect(signedFields(fields, places)).toBe("a:3\r\na:2\r\nb:x\r\na:1\r\n");
  });
});
