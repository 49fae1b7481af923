// The rows of hostile input, A1 to A20, each with its checks: those that the door decides by itself stand here; those that need a
// socket, a queue or another room are named, and have to be where they are said to be.
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeCbor } from "../../src/submit/cbor.ts";
import { message } from "./doorFixture.ts";
import { fixture, last, post, raw, refusedAs, send } from "./hostileStage.ts";
import { doubtful, ends, file, strings } from "./hostileTexts.ts";

afterAll(() => fixture.close());

type Check = () => Promise<void>;
type Elsewhere = readonly [file: string, name: string];

const rows: Readonly<
  Record<string, { readonly what: string; readonly checks: readonly (Check | Elsewhere)[] }>
> = {
  A1: {
    what: "line ends in every string that can reach a header or a command are told at their place",
    checks: [
      ...strings.flatMap(([pointer, body]) =>
        ends.map(
          (end): Check =>
            () =>
              refusedAs(send(body(end)), pointer),
        ),
      ),
      () => refusedAs(raw("From: a@b.example\r\n\r\nx", "/send?to=a%0d%0aRCPT@b.example"), "?to"),
      () =>
        refusedAs(
          raw("From: a@b.example\r\n\r\nx", "/send?to=a@b.example&envid=a%0d%0ab"),
          "?envid",
        ),
      ["tests/submit/multipart.test.ts", "is refused, and never read in part"],
    ],
  },
  A2: {
    what: "NUL, controls and text that is no UTF-8 are refused, also in bodies",
    checks: [
      () => refusedAs(send({ text: "a\0b" }), "/text"),
      () => refusedAs(send({ html: "a\ud800b" }), "/html"),
      async () =>
        expect((await raw("From: a@b.example\r\nTo: c@d.example\r\n\r\na\0b")).errors).toEqual([
          " nul_octet",
        ]),
      ...[[0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xff]].map(
        (octets): Check =>
          async () => {
            const [head = "", tail = ""] = JSON.stringify({ ...message, text: "@" }).split('@"');
            const body = Buffer.concat([
              Buffer.from(head),
              Buffer.from(octets),
              Buffer.from(`"${tail}`),
            ]);
            expect((await post(body)).status).toBe(400);
            expect((await post(body, { "content-length": String(body.length) })).status).toBe(400);
          },
      ),
    ],
  },
  A3: {
    what: "bare line ends of bodies become CRLF before anything is signed",
    checks: [
      async () => {
        expect((await send({ text: "a\rb\nc\r\nd\n.\n\r.\r" })).status).toBe(202);
        expect(last().body.replaceAll("\r\n", "|")).toBe("a|b|c|d|.||.|");
        expect((await raw("From: a@b.example\rTo: c@d.example\n\na\rb\n.\n")).status).toBe(202);
        expect(last().body).toBe("a\r\nb\r\n.\r\n");
      },
      ["tests/mail/raw.test.ts", "line end"],
    ],
  },
  A4: {
    what: "a line that is too long is encoded, and in raw mail refused",
    checks: [
      async () => {
        expect(
          (await send({ text: "x".repeat(5000), headers: { "X-A": "y".repeat(2000) } })).status,
        ).toBe(202);
        const { header, body } = last();
        for (const line of `${header}\r\n${body}`.split("\r\n"))
          expect(line.length).toBeLessThan(999);
        const long = `From: a@b.example\r\nTo: c@d.example\r\n\r\n${"x".repeat(999)}`;
        expect((await raw(long)).errors).toEqual([" line_too_long"]);
      },
    ],
  },
  A5: {
    what: "a body is not larger than it says, nor than it may be",
    checks: [
      async () => expect((await post("{}", { "content-length": "41000000" })).status).toBe(413),
      ...["application/json", "application/cbor", "message/rfc822", "multipart/form-data"].map(
        (type): Check =>
          async () => {
            const packed = { "content-type": type, "content-encoding": "gzip" };
            const accept = { accept: "application/json" };
            expect((await post("x", { ...packed, ...accept })).status).toBe(415);
          },
      ),
      ["tests/integration/hostileHttp.test.ts", "two readings of where a body ends are refused"],
      ["tests/integration/hostileHttp.test.ts", "a body that is packed is refused"],
      ["tests/integration/faultsInput.test.ts", "is 413 with the limit, whole and in chunks"],
      ["tests/submit/form.test.ts", "with a bad field is refused at its place"],
    ],
  },
  A6: {
    what: "there is a bound to every list and depth, and no name has a meaning of its own",
    checks: [
      () => refusedAs(send({ to: Array(50_000).fill("a@b.example") }), "/to"),
      async () => {
        const all = Array.from({ length: 151 }, (_, i) => `a${i}@b.example`).join(",\r\n ");
        expect((await raw(`From: a@b.example\r\nTo: ${all}\r\n\r\nx`)).errors).toEqual([
          " too_many",
        ]);
      },
      async () => {
        const part = '--b\r\nContent-Disposition: form-data; name="to"\r\n\r\na@b.example\r\n';
        const type = { "content-type": "multipart/form-data; boundary=b" };
        const { errors } = await post(Buffer.from(`${part.repeat(5001)}--b--`), type);
        expect(errors).toEqual(["/to too_many"]);
      },
      () =>
        refusedAs(
          send({
            headers: Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`X-${i}`, "a"])),
          }),
          "/headers",
        ),
      () => refusedAs(post(`${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`), "/a"),
      () =>
        refusedAs(
          post(`{"__proto__":{"to":"a@b.example"},${JSON.stringify(message).slice(1)}`),
          "/__proto__",
        ),
      () =>
        refusedAs(
          post(`{"headers":{"__proto__":"x"},${JSON.stringify(message).slice(1)}`),
          "/headers/__proto__",
        ),
      ...["constructor", "toString", "hasOwnProperty"].map(
        (name): Check =>
          () =>
            refusedAs(post(`{"${name}":{},${JSON.stringify(message).slice(1)}`), `/${name}`),
      ),
      // RFC 8259 4 leaves open which of them counts.
      () => refusedAs(post(`{"to":"first@example.org",${JSON.stringify(message).slice(1)}`), "/to"),
      async () => {
        const nested = Buffer.concat([Buffer.alloc(10_000, 0x81), Buffer.of(1)]);
        const cbor = { "content-type": "application/cbor", accept: "application/json" };
        expect((await post(nested, cbor)).status).toBe(400);
      },
    ],
  },
  A7: {
    what: "who is slow is given up",
    checks: [
      ["tests/submit/limits.test.ts", "is given up, and held no share of the budget"],
      [
        "tests/integration/hostileHttp.test.ts",
        "a connection that never ends its headers is ended",
      ],
      ["tests/integration/memory.test.ts", "while large ones stand still in the middle"],
    ],
  },
  A8: {
    what: "a client that goes away has sent its message or not",
    checks: [
      ["tests/integration/hostileHttp.test.ts", "before the answer has sent its message or not"],
      ["tests/integration/once.test.ts", "an answer that was lost with the process is given again"],
    ],
  },
  A9: {
    what: "a request that comes again is the same one",
    checks: [
      ["tests/submit/once.test.ts", "is answered as the first time and stored once"],
      ["tests/submit/once.test.ts", "the key of another request is 409"],
      ["tests/integration/once.test.ts", "of many at once with one key one is stored"],
    ],
  },
  A10: {
    what: "without a key the same request is another message",
    checks: [
      async () => {
        const before = fixture.taken.length;
        await send({});
        await send({});
        expect(fixture.taken.length).toBe(before + 2);
      },
    ],
  },
  A11: {
    what: "keys are not guessed",
    checks: [
      ["tests/submit/gate.test.ts", "a flood of guesses from everywhere takes a bounded memory"],
    ],
  },
  A12: {
    what: "an attachment is fetched from where it may come, or not at all",
    checks: [
      () =>
        refusedAs(
          send(file({ content: undefined, path: "file:///etc/passwd" })),
          "/attachments/0/path",
        ),
      () =>
        refusedAs(
          send(file({ content: undefined, path: "http://169.254.169.254/" })),
          "/attachments/0/path",
        ),
      ["tests/submit/remote.test.ts", "is refused before anything is fetched"],
      [
        "tests/web/client.test.ts",
        "a closed address is not connected to, whatever name leads to it",
      ],
      ["tests/web/client.test.ts", "a redirect is an answer like any other and is not followed"],
    ],
  },
  A13: {
    what: "the name of a file is a name, the same for everybody, and can be saved",
    checks: [
      async () => {
        for (const [filename, name] of [
          ["../../etc/passwd", "passwd"],
          ["C:\\Users\\ada\\plan.pdf", "plan.pdf"],
          ["/a/b/Grüße.pdf", "Gr%C3%BC%C3%9Fe.pdf"],
        ] as const) {
          expect((await send(file({ filename }))).status).toBe(202);
          expect(last().body).toContain(`${name}`);
          expect(last().body).not.toMatch(/etc|Users|\/a\/b/);
        }
      },
      ...["CON", "con.txt", "Aux", "LPT1.pdf", "a\u202egpj.exe", "\u2066x", "..", "a/", "\\"].map(
        (filename): Check =>
          () =>
            refusedAs(send(file({ filename })), "/attachments/0/filename"),
      ),
      // Marks that belong to the script itself stay.
      async () => expect((await send(file({ filename: "\u200fקובץ.pdf" }))).status).toBe(202),
    ],
  },
  A14: {
    what: "a request ends where every server on its way says so",
    checks: [
      ["tests/integration/hostileHttp.test.ts", "two readings of where a body ends are refused"],
    ],
  },
  A15: {
    what: "one text is one address, for the header and for the envelope",
    checks: [
      ...doubtful.map(
        (text): Check =>
          () =>
            refusedAs(send({ to: text }), "/to"),
      ),
      ...doubtful.map(
        (text): Check =>
          () =>
            refusedAs(
              raw("From: a@b.example\r\n\r\nx", `/send?to=${encodeURIComponent(text)}`),
              "?to",
            ),
      ),
      ...[
        '"a@evil.example"@b.example',
        '"a>b"@b.example',
        "Ada (evil@x.example) <a@b.example>",
      ].map((text): Check => async () => {
        const { status } = await send({ to: text });
        if (status !== 202) return expect(status).toBe(422);
        expect(last().recipients).toHaveLength(1);
        expect(last().recipients[0]).toEndWith("@b.example");
      }),
    ],
  },
  A16: {
    what: "Bcc is never on the wire, and what servers write is not for callers",
    checks: [
      ...[
        "Bcc",
        "bcc",
        "Return-Path",
        "DKIM-Signature",
        "Received",
        "From",
        "Content-Type",
        "MIME-Version",
      ].map(
        (name): Check =>
          () =>
            refusedAs(send({ headers: { [name]: "x@y.example" } }), `/headers/${name}`),
      ),
      async () => {
        await send({ bcc: ["hidden@example.net"] });
        expect(last().recipients).toContain("hidden@example.net");
        expect(last().header + last().body).not.toContain("hidden");
        await raw(
          "From: a@b.example\r\nTo: c@d.example\r\nBCC: hidden@example.net\r\n\tfolded@example.net\r\nReturn-Path: <r@x>\r\nResent-Bcc: again@example.net\r\n\r\nx",
        );
        expect(last().header).not.toMatch(/hidden|folded|again|return-path/i);
      },
      async () =>
        expect(
          (await raw("From: a@b.example\r\nTo: c@d.example\r\nBcc : h@i.example\r\n\r\nx")).errors,
        ).toEqual([" bad_header_line"]),
    ],
  },
  A17: {
    what: "a key sends from its own domains",
    checks: [["tests/submit/keys.test.ts", "mail leaves in the name of a key's domains only"]],
  },
  A18: {
    what: "no caller makes series of metrics",
    checks: [
      async () => {
        const before = fixture.meter.drain().length;
        for (let i = 0; i < 50; i++)
          await send({ to: `a@d${i}.example`, tags: [{ name: `t${i}`, value: "x" }] });
        expect(fixture.meter.drain().length).toBeLessThanOrEqual(before + 3);
      },
      ["tests/report/metrics.test.ts", "sites beyond the bound are told together as other"],
    ],
  },
  A19: {
    what: "a time that makes no sense is refused",
    checks: [
      ...[
        "9999-12-31T23:59:59Z",
        "-000001-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "1e12",
        "0",
        "NaN",
        "then",
      ].map(
        (text): Check =>
          () =>
            refusedAs(send({ scheduled_at: text }), "/scheduled_at"),
      ),
      ...["-5m", "0s", "99999999999d", "1e3s", "5 m"].map(
        (text): Check =>
          () =>
            refusedAs(send({ expires_in: text }), "/expires_in"),
      ),
    ],
  },
  A20: {
    what: "what a caller writes stays within its line of the log",
    checks: [["tests/report/log.test.ts", "a field cannot take the place of the level"]],
  },
};

const root = join(import.meta.dir, "..", "..");

describe.each(Object.entries(rows))("%s", (_, { what, checks }) => {
  test(what, async () => {
    for (const check of checks) {
      if (typeof check === "function") await check();
      else expect(readFileSync(join(root, check[0]), "utf8")).toContain(check[1]);
    }
    expect(fixture.logged).toEqual([]);
  });
});

test("every row from A1 to A20 is there", () => {
  expect(Object.keys(rows)).toEqual(Array.from({ length: 20 }, (_, i) => `A${i + 1}`));
});

test("the same strings are refused in CBOR and in a form", async () => {
  for (const [pointer, body] of strings) {
    const more = { ...message, ...body("\r\nX-Evil: 1") };
    await refusedAs(
      post(encodeCbor(more), { "content-type": "application/cbor", accept: "application/json" }),
      pointer,
    );
    const parts = Object.entries(more).map(([name, value]) => {
      const text =
        typeof value === "string"
          ? value
          : Array.isArray(value) && name !== "attachments" && name !== "tags"
            ? (value[1] ?? value[0])
            : JSON.stringify(value);
      return `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${text}\r\n`;
    });
    const type = { "content-type": "multipart/form-data; boundary=b" };
    await refusedAs(
      post(Buffer.from(`${parts.join("")}--b--`), type),
      pointer.replace(/^\/to\/1$/, "/to"),
    );
  }
});
