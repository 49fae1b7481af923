// Forms taken apart: what a part is, wherever the chunks are cut, and what is refused. A reader that we did not write is the judge
// of what is right.
import { describe, expect, test } from "bun:test";
import { Busboy } from "@fastify/busboy";
import fc from "fast-check";
import { boundaryOf, createFormParser } from "../../src/submit/multipart.ts";

interface Part {
  readonly name: string;
  readonly filename: string | null;
  readonly type: string | null;
  readonly body: Buffer;
}

function parts(boundary: string, chunks: readonly Uint8Array[]): Part[] | string {
  const parser = createFormParser(boundary);
  const found: Part[] = [];
  let pieces: Buffer[] = [];
  let header: { name: string; filename: string | null; contentType: string | null } | undefined;
  for (const chunk of chunks) {
    const events = parser.push(chunk);
    for (;;) {
      const event = events.next();
      if (event.done) {
        if (event.value !== undefined) return event.value.why;
        break;
      }
      if (event.value.kind === "part") [header, pieces] = [event.value.header, []];
      else if (event.value.kind === "data") pieces.push(Buffer.from(event.value.bytes));
      else {
        const { name = "", filename = null, contentType: type = null } = header ?? {};
        found.push({ name, filename, type, body: Buffer.concat(pieces) });
      }
    }
  }
  return parser.end()?.why ?? found;
}

const whole = (text: string, boundary = "b"): Part[] | string =>
  parts(boundary, [Buffer.from(text)]);
const field = (name: string, body: string): string =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${body}\r\n`;

describe("a form", () => {
  test("gives its fields and files in order", () => {
    const file =
      '--b\r\nContent-Type: image/png\r\ncontent-disposition: form-data; name="attachments"; filename="a b.png"\r\n\r\n\x89PNG\r\n';
    expect(whole(`${field("to", "a@b.example")}${file}--b--\r\n`)).toEqual([
      { name: "to", filename: null, type: null, body: Buffer.from("a@b.example") },
      { name: "attachments", filename: "a b.png", type: "image/png", body: Buffer.from("\x89PNG") },
    ]);
  });

  test("may have empty parts, blanks before it and behind it, and parts that look like boundaries", () => {
    const near = "\r\n--\r\n--a\r\n-b--b\r--b\n--b";
    const text = `\r\n${field("a", "")}${field("b", near)}--b--\r\n\r\n`;
    expect(whole(text)).toMatchObject([
      { name: "a", body: Buffer.alloc(0) },
      { body: Buffer.from(near) },
    ]);
    // RFC 2046: the header's blank line may end in the delimiter's line end.
    const tight = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n--b--';
    expect(whole(tight)).toMatchObject([{ name: "a", body: Buffer.alloc(0) }]);
  });

  const disposition = (text: string) =>
    whole(`--b\r\nContent-Disposition: ${text}\r\n\r\nx\r\n--b--`);
  test.each([
    ["form-data; name=to", "to", null],
    ['form-data; name="to"; filename="C:\\docs\\a.txt"', "to", "C:\\docs\\a.txt"],
    ['form-data; name="to"; filename="say \\"hi\\".txt"', "to", 'say "hi".txt'],
    ['form-data; filename="日本.txt"; name="to";', "to", "日本.txt"],
    ["form-data; name=to; filename=a; filename*=utf-8''na%C3%AFve.txt", "to", "naïve.txt"],
  ])("with the disposition %s names its field and its file", (text, name, filename) => {
    expect(disposition(text)).toMatchObject([{ name, filename }]);
  });

  test.each([
    ['form-data; name="a"; name="b"', "two parameters name"],
    ['form-data; name="a"; filename="a"; filename="b"', "two parameters filename"],
    ['form-data; name="a"; handler="b"', "unknown parameter"],
    ['form-data; name="a', "cannot be read"],
    ["form-data", "no name"],
    ['attachment; name="a"', "no form-data"],
    ["form-data; name=a; filename*=utf-8''%ff", "filename* of a part"],
    ["form-data; name=a; filename*=latin1''a", "filename* of a part"],
    ['form-data; name="a\nb"', "control character"],
    ['form-data; name="a\0b"', "control character"],
    ['form-data; name="a"\r\nContent-Disposition: form-data; name="b"', "more than one"],
    ['form-data; name="a"\r\n folded', "no field"],
    ['form-data; name="a"\r\nContent-Transfer-Encoding: base64', "transfer encoding"],
  ])("with the disposition %j is refused, and never read in part", (text, why) => {
    expect(disposition(text)).toContain(why);
  });

  test.each([
    ["", "boundary never comes"],
    ["--c\r\n", "before its first boundary"],
    [`x\r\n${field("a", "x")}--b--`, "before its first boundary"],
    [`${field("a", "x\r\n--b--")}${field("b", "y")}--b--`, "behind its closing boundary"],
    ["--b\r\n", "closing boundary"],
    [field("a", "x"), "closing boundary"],
    ["--b\r\n\r\nx\r\n--b--", "no Content-Disposition"],
    ["--b\r\nnothing\r\n\r\nx\r\n--b--", "no field"],
    [`${field("a", "x")}--bb\r\n`, "Behind a boundary"],
  ])("that is %j is refused", (text, why) => {
    expect(whole(text)).toContain(why);
  });

  test("whose parts have endless headers is refused", () => {
    expect(whole(`--b\r\n${"X-A: y\r\n".repeat(2000)}`)).toContain("larger than 8192");
  });

  test("of no part at all is whole", () => expect(whole("--b--")).toEqual([]));

  test("whose header is no UTF-8 is refused", () => {
    const head = Buffer.from(
      '--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n--b--',
      "latin1",
    );
    expect(parts("b", [head])).toContain("not UTF-8");
  });
});

test.each([
  ["multipart/form-data; boundary=abc", "abc"],
  ['multipart/form-data; charset=utf-8; boundary="a b:c"', "a b:c"],
  ["multipart/form-data; boundary=abc; x=y", "abc"],
  ["multipart/form-data", null],
  ["multipart/form-data; boundary=", null],
  ['multipart/form-data; boundary="a "', null],
  [`multipart/form-data; boundary=${"a".repeat(71)}`, null],
  ['multipart/form-data; boundary="a\u00e9"', null],
])("the boundary of %j is %p", (type, boundary) => {
  const found = boundaryOf(type);
  expect(found.kind === "ok" ? found.value : null).toBe(boundary);
});

/** What the other reader finds; it knows only what is well-formed. */
function byBusboy(boundary: string, bytes: Buffer): Promise<Part[]> {
  return new Promise((resolve, reject) => {
    const found: Part[] = [];
    const form = new Busboy({
      headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
      preservePath: true,
      isPartAFile: () => true,
    });
    form.on("file", (name, stream, filename, _encoding, type) => {
      const pieces: Buffer[] = [];
      stream.on("data", (piece: Buffer) => void pieces.push(piece));
      stream.on("end", () => {
        const body = Buffer.concat(pieces);
        found.push({ name, filename: (filename as string | undefined) ?? null, type, body });
      });
    });
    form.on("finish", () => resolve(found));
    form.on("error", reject);
    form.end(bytes);
  });
}

const piece = fc.constantFrom("\r", "\n", "\r\n", "-", "--", "--b0undary", "b0undary", "x", "\0");
const content = fc.oneof(
  fc.array(piece, { maxLength: 30 }).map((all) => Buffer.from(all.join(""))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
);
const word = fc.string({
  unit: fc.constantFrom(...[..."abc éü日😀.-_()"]),
  minLength: 1,
  maxLength: 20,
});

test("whatever the parts hold and wherever the chunks are cut, both readers find the same", async () => {
  const part = fc.record({ name: word, filename: fc.option(word), body: content });
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 6 }),
      fc.array(fc.nat(60), { minLength: 1, maxLength: 8 }),
      async (list, cuts) => {
        const kept = list.filter(
          ({ body }) => !`\r\n${body.toString("latin1")}`.includes("\r\n--b0undary"),
        );
        const bytes = Buffer.concat([
          ...kept.flatMap(({ name, filename, body }) => [
            Buffer.from(
              `--b0undary\r\nContent-Disposition: form-data; name="${name}"` +
                `${filename === null ? "" : `; filename="${filename}"`}\r\n` +
                "Content-Type: text/x-a\r\n\r\n",
            ),
            body,
            Buffer.from("\r\n"),
          ]),
          Buffer.from("--b0undary--\r\n"),
        ]);
        const chunks: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const step = (cuts[i % cuts.length] ?? 0) + 1;
          chunks.push(bytes.subarray(at, (at += step)));
        }
        const ours = parts("b0undary", chunks);
        expect(ours).toEqual(kept.map((one) => ({ ...one, type: "text/x-a" })));
        if (kept.length > 0) expect(ours).toEqual(await byBusboy("b0undary", bytes));
      },
    ),
    { numRuns: 300 },
  );
});
