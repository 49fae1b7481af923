// Words, folds and parameters of header fields, against the examples of their RFCs and against readers written here.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeWords } from "../../src/mail/compose/encodedWord.ts";
import {
  callerField,
  formatDate,
  mailboxField,
  textField,
} from "../../src/mail/compose/headers.ts";
import {
  HEADER_NAME_MAX,
  HEADER_TEXT_MAX,
  parseHeaderName,
  parseHeaderText,
} from "../../src/mail/compose/headerText.ts";
import { parseContentId, parseMediaType } from "../../src/mail/compose/contentType.ts";
import { legacyNameWords, parameterWords } from "../../src/mail/compose/parameters.ts";
import { decodeWords } from "../../src/mail/raw/decodeWords.ts";
import { headerText, mailbox, must, named } from "./build.ts";

describe("encoded words", () => {
  test("Q stands when most of the text is ASCII, B when most is not", () => {
    expect(encodeWords("Keld Jørn Simonsen", "phrase", 75)).toEqual([
      "=?UTF-8?Q?Keld_J=C3=B8rn_Simonsen?=",
    ]);
    expect(encodeWords("Grüße", "text", 75)).toEqual(["=?UTF-8?B?R3LDvMOfZQ==?="]);
    expect(encodeWords("李雷", "text", 75)).toEqual(["=?UTF-8?B?5p2O6Zu3?="]);
  });

  test("a phrase escapes what RFC 2047 5 (3) keeps out of it", () => {
    expect(encodeWords("a.b(c)?=_ 1234567890 and more letters é", "phrase", 75)).toEqual([
      "=?UTF-8?Q?a=2Eb=28c=29=3F=3D=5F_1234567890_and_more_letters_=C3=A9?=",
    ]);
  });

  test("words are short, hold whole characters each, and say the text together", () => {
    const texts = fc.string({
      unit: fc.constantFrom("a", " ", "=", "?", "_", "é", "中", "👍", "\u200d", "ß", ".", "\t"),
      maxLength: 200,
    });
    fc.assert(
      fc.property(
        texts,
        fc.constantFrom("text", "phrase"),
        fc.integer({ min: 30, max: 75 }),
        (text, place, firstMax) => {
          const words = encodeWords(text, place as "text", firstMax);
          for (const [i, word] of words.entries()) {
            expect(word.length).toBeLessThanOrEqual(i === 0 ? firstMax : 75);
            expect(word).toMatch(/^=\?UTF-8\?[BQ]\?[!->@-~]+\?=$/);
            // Alone, as readers decode it: no character may be cut.
            expect(decodeWords(word)).not.toContain("\ufffd");
          }
          expect(words.map(decodeWords).join("")).toBe(text);
          expect(decodeWords(words.join("\r\n "))).toBe(text);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test.each([
  ["=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"],
  ["=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld Jørn Simonsen"],
  ["=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"],
  [
    "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
    "If you can read this you understand the example.",
  ],
  ["=?ISO-8859-1?Q?Olle_J=E4rnefors?=", "Olle Järnefors"],
  ["=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?=", "Patrik Fältström"],
  ["(=?iso-8859-8?b?7eXs+SDv4SDs6Pj08A==?=)", "(םולש ןב לטרפנ)"],
  ["(=?ISO-8859-1?Q?a?=)", "(a)"],
  ["(=?ISO-8859-1?Q?a?= b)", "(a b)"],
  ["(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"],
  ["(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"],
  ["(=?ISO-8859-1?Q?a?=\r\n   =?ISO-8859-1?Q?b?=)", "(ab)"],
  ["(=?ISO-8859-1?Q?a_b?=)", "(a b)"],
  ["(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"],
  // RFC 2231 5.
  ["=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"],
  ["=?utf-8?B?5p2O6Q==?= =?utf-8?B?m7c=?=", "李雷"],
  ["=?x-unknown?Q?abc?= =?broken", "abc =?broken"],
])("%s is shown as RFC 2047 8 says", (text, shown) => {
  expect(decodeWords(text)).toBe(shown);
});

describe("folding", () => {
  test("breaks at spaces and nowhere else", () => {
    const subject = headerText(
      "The quick brown fox jumps over the lazy dog and then it sleeps under a tree for hours",
    );
    expect(textField("Subject", subject)).toBe(
      "Subject: The quick brown fox jumps over the lazy dog and then it sleeps under\r\n a tree for hours\r\n",
    );
  });

  test("a text that only looks like an encoded word is not decoded by anybody", () => {
    expect(textField("Subject", headerText("=?utf-8?Q?a?= and quite some more words"))).toBe(
      "Subject: =?UTF-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D_and_quite_some_more_words?=\r\n",
    );
  });

  test("addresses fold between one another and keep what RFC 5322 A.1.2 shows", () => {
    const to = [
      named("Mary Smith", "mary@x.test"),
      mailbox("jdoe@example.org"),
      named("Who?", "one@y.test"),
      named('Giant; "Big" Box', "sysservices@example.net"),
    ];
    expect(mailboxField("To", to)).toBe(
      'To: Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>, "Giant;\r\n \\"Big\\" Box" <sysservices@example.net>\r\n',
    );
    expect(mailboxField("From", [named("Joe Q. Public", "john.q.public@example.com")])).toBe(
      'From: "Joe Q. Public" <john.q.public@example.com>\r\n',
    );
    expect(mailboxField("Cc", [])).toBe("Cc: undisclosed-recipients:;\r\n");
  });

  test("a caller's blanks stay as they are, unless no line could be broken there", () => {
    expect(callerField("X-A", headerText("two  blanks\tand a tab"))).toBe(
      "X-A: two  blanks\tand a tab\r\n",
    );
    const far = callerField("X-A", headerText(`a${" ".repeat(2000)}b`));
    for (const line of far.split("\r\n")) expect(line.length).toBeLessThan(79);
    expect(far).toContain("=?UTF-8?");
  });

  test("a caller's structured field keeps its words", () => {
    const ids = Array.from({ length: 8 }, (_, i) => `<message-${i}@a-rather-long-host.example>`);
    const field = callerField("References", headerText(ids.join(" ")));
    expect(field.split("\r\n").every((line) => line.length <= 78)).toBe(true);
    expect(field.replace(/\r\n/g, "")).toBe(`References: ${ids.join(" ")}`);
    const link = `<https://example.com/${"x".repeat(200)}>`;
    expect(callerField("List-Unsubscribe", headerText(`<mailto:a@b>, ${link}`))).toBe(
      `List-Unsubscribe: <mailto:a@b>,\r\n ${link}\r\n`,
    );
  });

  test("a caller's list of mailboxes has its encoded words in the names alone", () => {
    expect(callerField("Sender", headerText("Jörg <j@münchen.example>"))).toBe(
      "Sender: =?UTF-8?B?SsO2cmc=?= <j@xn--mnchen-3ya.example>\r\n",
    );
    const text = "Jörg <j@a.example>";
    expect(callerField("X-Seen-By", headerText(text))).toBe(
      "X-Seen-By: =?UTF-8?Q?J=C3=B6rg_<j@a.example>?=\r\n",
    );
  });

  test("no field has a line above 998 octets or one of spaces only, whatever it holds", () => {
    const texts = fc
      .array(fc.tuple(fc.constantFrom("x", '"', "é", " ", "\t", "=?", "中 ", "a "), fc.nat(1300)), {
        maxLength: 5,
      })
      .map((runs) =>
        runs
          .map(([unit, times]) => unit.repeat(times))
          .join("")
          .slice(0, HEADER_TEXT_MAX),
      );
    fc.assert(
      fc.property(texts, (text) => {
        const value = headerText(text);
        for (const field of [
          textField("Subject", value),
          callerField("X-Any", value),
          mailboxField("To", [named(text, "a@b"), named("x", "c@d")]),
        ]) {
          expect(field.endsWith("\r\n")).toBe(true);
          for (const line of field.slice(0, -2).split("\r\n")) {
            expect(line.length).toBeLessThanOrEqual(998);
            expect(line.trim()).not.toBe("");
            // A tab may stand in a field that the caller wrote.
            expect(line).toMatch(/^[\t\x20-\x7e]*$/);
          }
        }
        expect(
          decodeWords(
            textField("Subject", value).slice("Subject: ".length, -2).replace(/\r\n/g, ""),
          ),
        ).toBe(text);
      }),
      { numRuns: 60 },
    );
  });
});

/** RFC 2231 3 and 4 read back: pieces joined, percent signs undone. */
function readParameter(words: readonly string[], name: string): string {
  const bytes: Buffer[] = [];
  for (const word of words) {
    const match = new RegExp(`^${name}(\\*[0-9]+)?(\\*)?=(.*?)$`, "i").exec(word);
    const [, number = "", star, raw = ""] = match ?? [];
    const value = raw.replace(/^"(.*)"$/, "$1").replace(/\\(.)/g, "$1");
    if (star === undefined) bytes.push(Buffer.from(value));
    else {
      const coded = number === "" || number === "*0" ? value.replace(/^[^']*'[^']*'/, "") : value;
      const plain = coded.replace(/%([0-9A-F]{2})/gi, (_, hex: string) =>
        String.fromCharCode(parseInt(hex, 16)),
      );
      bytes.push(Buffer.from(plain, "latin1"));
    }
  }
  return Buffer.concat(bytes).toString();
}

describe("parameters", () => {
  test("the reader of these tests reads the examples of RFC 2231 3 and 4", () => {
    expect(
      readParameter(
        ['URL*0="ftp://"', 'URL*1="cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"'],
        "url",
      ),
    ).toBe("ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar");
    expect(
      readParameter(["title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"], "title"),
    ).toBe("This is ***fun***");
    expect(
      readParameter(
        [
          "title*0*=us-ascii'en'This%20is%20even%20more%20",
          "title*1*=%2A%2A%2Afun%2A%2A%2A%20",
          'title*2="isn\'t it!"',
        ],
        "title",
      ),
    ).toBe("This is even more ***fun*** isn't it!");
  });

  test("short ASCII is a token or a quoted string", () => {
    expect(parameterWords("filename", "a.pdf")).toEqual(["filename=a.pdf"]);
    expect(parameterWords("filename", 'a "b" c\\.pdf')).toEqual(['filename="a \\"b\\" c\\\\.pdf"']);
    expect(parameterWords("filename", "")).toEqual(['filename=""']);
  });

  test("other scripts are percent-encoded as RFC 2231 4 shows", () => {
    expect(parameterWords("title", "This is ***fun*** é")).toEqual([
      "title*=utf-8''This%20is%20%2A%2A%2Afun%2A%2A%2A%20%C3%A9",
    ]);
  });

  test("long values are continued in numbered pieces", () => {
    expect(
      parameterWords("title", "This is even more ***fun*** isn't it! And on it goes."),
    ).toEqual(['title="This is even more ***fun*** isn\'t it! And on it goes."']);
    expect(
      parameterWords("title", "This is even more ***fun*** isn't it! And on it goes, on."),
    ).toEqual([
      "title*0*=utf-8''This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A",
      "title*1*=%20isn%27t%20it!%20And%20on%20it%20goes%2C%20on.",
    ]);
  });

  test("any value is read back, and no word is wider than a line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (value) => {
        const words = parameterWords("filename", value);
        for (const word of words)
          expect(word.length).toBeLessThanOrEqual(words.length === 1 ? 130 : 75);
        expect(readParameter(words, "filename")).toBe(value);
        for (const word of legacyNameWords(value)) expect(word.length).toBeLessThanOrEqual(130);
      }),
      { numRuns: 200 },
    );
  });
});

describe("what may not stand in a header", () => {
  test.each([
    ["\r\nBcc: x@y", "a carriage return at character 2"],
    ["\n", "a line feed"],
    ["\0", "a NUL"],
    ["\x1b", "U+001B"],
    ["\x7f", "U+007F"],
    ["\u0085", "U+0085"],
    ["\ud83d", "half of a surrogate pair"],
    ["\udc00x", "half of a surrogate pair"],
  ])("%j is refused, and the field is named", (text, why) => {
    const parsed = parseHeaderText("subject", `a${text}`);
    expect(parsed.kind === "refused" && parsed.why).toStartWith("subject holds");
    expect(parsed.kind === "refused" && parsed.why).toContain(why);
  });

  test.each(["", "A:", "A B", "A\r\nB", "Ä", "A\0", "x".repeat(HEADER_NAME_MAX + 1)])(
    "the header name %j is refused",
    (name) => {
      expect(parseHeaderName(name).kind).toBe("refused");
    },
  );

  test("a text longer than the limit is refused", () => {
    expect(parseHeaderText("x", "a".repeat(HEADER_TEXT_MAX)).kind).toBe("ok");
    expect(parseHeaderText("x", "a".repeat(HEADER_TEXT_MAX + 1)).kind).toBe("refused");
  });

  test.each([
    "",
    "pdf",
    "a/b/c",
    "text/plain; x",
    "text/plain\r\nX: y",
    "multipart/mixed",
    'a/b; c="\r\n"',
    "ä/b",
    `a/${"b".repeat(101)}`,
  ])("the media type %j is refused", (type) => {
    expect(parseMediaType("content_type", type).kind).toBe("refused");
  });

  test.each(["", "a b", "<a", "a>b", "ä", "a\r\nb", "x".repeat(251)])(
    "the content id %j is refused",
    (id) => {
      expect(parseContentId("content_id", id).kind).toBe("refused");
    },
  );
});

test("a media type keeps its parameters but those that the writer sets", () => {
  const type = must(
    parseMediaType("x", 'Text/Calendar; method=REQUEST;charset="utf-8" ; name="evil"; boundary=x'),
  );
  expect(type).toEqual({
    essence: "text/calendar" as never,
    parameters: [
      ["method", "REQUEST"],
      ["charset", "utf-8"],
    ],
  });
  expect(must(parseContentId("x", "<logo@x>")) as string).toBe("logo@x");
});

test("dates are those of RFC 5322 in UTC", () => {
  expect(formatDate(0)).toBe("Thu, 01 Jan 1970 00:00:00 +0000");
  expect(formatDate(Date.UTC(2026, 10, 3, 4, 5, 6, 789))).toBe("Tue, 03 Nov 2026 04:05:06 +0000");
});
