import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseAddress, parseMailbox, parseMailboxes } from "../../src/mail/address.ts";
import { must } from "./build.ts";

const refused = (text: string): string => {
  const parsed = parseMailbox(text);
  return parsed.kind === "refused" ? parsed.why : `taken as ${JSON.stringify(parsed.value)}`;
};

test.each([
  ["a@b", "", "a@b"],
  ["a.b+c@Example.COM", "", "a.b+c@example.com"],
  ["<a@b>", "", "a@b"],
  ["Name <a@b>", "Name", "a@b"],
  ["  Dr. No  <no@b>  ", "Dr. No", "no@b"],
  ['"Quoted, Name" <a@b>', "Quoted, Name", "a@b"],
  ['"a \\"b\\" \\\\c" <a@b>', 'a "b" \\c', "a@b"],
  ["李雷 <a@b>", "李雷", "a@b"],
  ['"a b"@b', "", '"a b"@b'],
  ['<"a>@,b"@b>', "", '"a>@,b"@b'],
  ['"john"@b', "", "john@b"],
  ["a@[127.0.0.1]", "", "a@[127.0.0.1]"],
  ["a@[ipv6:2001:DB8::1]", "", "a@[IPv6:2001:db8::1]"],
  ["a@münchen.de", "", "a@xn--mnchen-3ya.de"],
  ["a@faß.de", "", "a@xn--fa-hia.de"],
  ["a@例え。テスト", "", "a@xn--r8jz45g.xn--zckzah"],
])("%s is read as one mailbox", (text, name, address) => {
  const found = must(parseMailbox(text));
  expect([found.name as string, found.address as string, found.utf8]).toEqual([
    name,
    address,
    false,
  ]);
});

test.each([
  ["", "empty"],
  ["a", "local@domain"],
  ["@b", "local@domain"],
  ["a@", "the domain is empty"],
  ["a@b.", "empty label"],
  ["a@b..c", "empty label"],
  ["a..b@c", "quoted"],
  [".a@c", "quoted"],
  ["a@b@c", "the domain holds"],
  ["a@-b", "hyphen"],
  ["a@b_c", "the domain holds"],
  ["a@1.2.3.4", "square brackets"],
  ["a@[1.2.3.256]", "address literal"],
  ["a@[IPv6:1::2::3]", "address literal"],
  ["a@xn--zz", "A-label"],
  ["a@b>,<c@d", "bracket"],
  ["<a@b", "bracket"],
  ["<<a@b>>", "bracket"],
  ["<a@b> c", "behind"],
  ["<>", "empty"],
  ["<@route.example:a@b>", "local@domain"],
  ["a@b (comment)", "the domain holds"],
  ["Name (x) <a@b>", "double quotes"],
  ["Group: a@b;", "quoted"],
  ["a@b, c@d", "exactly one"],
  ["Doe, John <a@b>", "local@domain"],
  ['"Doe <a@b>', "does not close"],
  ["=?utf-8?q?a=40b?=@c", "encoded words"],
  ["a@b\r\nRCPT TO:<c@d>", "double quotes"],
  ["a\r\n@b", "control"],
  ["a@b\r\n", "the domain holds"],
  ["\n<a@b>", "line feed"],
  ["<a@b>\r\n", "behind"],
  ["\ufeffa@b", "invisible"],
  ["a\0@b", "control"],
  ["a\u2028b@c", "invisible"],
  ["x\nBcc: y <a@b>", "quotes"],
  ["x\ny <a@b>", "line feed"],
  ["\ud800 <a@b>", "surrogate"],
  [`${"a".repeat(65)}@b`, "64 octets"],
  [`a@${"b".repeat(64)}.c`, "63 octets"],
  [`a@${"b.".repeat(128)}c`, "255 octets"],
  [`${"a".repeat(60)}@${"b.".repeat(97)}c`, "254 octets"],
])("%j is refused with a reason", (text, reason) => {
  expect(refused(text)).toContain(reason);
});

test("a local part beyond ASCII says that it needs SMTPUTF8", () => {
  expect(must(parseMailbox("Jörg <jörg@münchen.de>"))).toMatchObject({
    address: "jörg@xn--mnchen-3ya.de" as never,
    utf8: true,
  });
});

test("lists keep their order and their quoted commas", () => {
  const list = must(parseMailboxes('a@b, "Doe, John" <c@d> ,E <e@f>'));
  expect(list.map((one) => one.address as string)).toEqual(["a@b", "c@d", "e@f"]);
  expect(parseMailboxes("a@b,,c@d").kind).toBe("refused");
});

test("what a header writes in the old way is read, and words side by side are no address", () => {
  const read = (text: string) => {
    const list = parseMailboxes(text, "header");
    return list.kind === "ok" ? list.value.map((one) => one.address as string) : "refused";
  };
  expect(read("Ann Lee <ann . lee @ a . example>")).toEqual(["ann.lee@a.example"]);
  expect(read("ann (Ann) @a.example (home)")).toEqual(["ann@a.example"]);
  expect(read("<@b.example, @c.example : ann@a.example>")).toEqual(["ann@a.example"]);
  for (const text of ["ann lee@a.example", "ann@a exam.ple", "<ann lee@a.example>", "ann\tlee@a.b"])
    expect([text, read(text)]).toEqual([text, "refused"]);
});

test("a quotation mark within brackets does not have to close", () => {
  for (const name of ['["]', '[a"b] c', '["] d', 'e ["]']) {
    const list = parseMailboxes(`${name} <ann@a.example>`, "header");
    expect([name, list]).toMatchObject([name, { kind: "ok", value: [{ name }] }]);
    expect(parseMailboxes(`${name} <ann@a.example>`).kind).toBe("refused");
  }
  const unit = fc.constantFrom(
    '"',
    "[",
    "]",
    "(",
    ")",
    "<",
    ">",
    ":",
    ";",
    ",",
    "@",
    "\\",
    "a",
    " ",
  );
  const ending = fc.constantFrom("", "<ann@a.example>");
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 20 }), ending, (text, end) => {
      expect(parseMailboxes(text + end, "header").kind).toBeOneOf(["ok", "refused"]);
    }),
    { numRuns: 5000 },
  );
});

test("blanks without end in a header are passed over once", () => {
  const blanks = " \t".repeat(125_000);
  for (const text of [`ann${blanks}b@a.example`, `${blanks}ann${blanks}`])
    expect(parseMailboxes(text, "header").kind).toBe("refused");
  const list = parseMailboxes(`ann${blanks}@${blanks}a.example`, "header");
  expect(list.kind === "ok" && list.value.map(({ address }) => `${address}`)).toEqual([
    "ann@a.example",
  ]);
});

test("an address of exactly the limits is taken", () => {
  const local = "a".repeat(64);
  const domain = `${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
  expect(parseAddress(`${local}@${domain}`).kind).toBe("ok");
  expect(parseAddress(`${local}@${domain}e`).kind).toBe("refused");
});

/** Texts that look enough like addresses to get far into the parser. */
const nearly = fc.string({
  unit: fc.constantFrom(
    "a",
    "b.c",
    "@",
    "@d.example",
    "<",
    ">",
    ",",
    '"',
    "\\",
    " ",
    "(",
    ")",
    ":",
    ";",
    "[",
    "]",
    ".",
    "é",
    "=?",
    "?=",
    "\r\n",
    "\0",
    "\ud800",
  ),
  maxLength: 12,
});

test("the short road and the long one lead to the same", () => {
  const unit = fc.constantFrom("a", "7", "B", ".", "-", "--", "_", "+", "@", "xn--", "xn", "é");
  const ending = fc.constantFrom("@example.org", "@a-b.c", "@b", "@x.7", "@xn--a.org", "");
  let taken = 0;
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 6 }), ending, (text, end) => {
      const short = parseMailbox(text + end);
      // In a list each goes by its address alone, and an upper-case domain never by the short road.
      const at = (text + end).lastIndexOf("@") + 1;
      const loud = (text + end).slice(0, at) + (text + end).slice(at).toUpperCase();
      const long = parseMailbox(loud);
      expect(short.kind).toBe(long.kind);
      if (short.kind !== "ok" || long.kind !== "ok") return;
      taken++;
      expect(short.value).toEqual(long.value);
      expect(must(parseAddress(text + end))).toBe(long.value.address);
    }),
    { numRuns: 3000 },
  );
  expect(taken).toBeGreaterThan(100);
});

test("whatever is taken is safe in a command and in a header, and is read again as itself", () => {
  fc.assert(
    fc.property(
      fc.oneof(nearly, fc.emailAddress()),
      fc.constantFrom("strict", "header"),
      (text, reading) => {
        const parsed = parseMailboxes(text, reading as "strict");
        if (parsed.kind === "refused") {
          expect(parsed.why).toEndWith(".");
          return;
        }
        for (const { address, name, utf8 } of parsed.value) {
          expect(`${address}${name}`).not.toMatch(/[\0-\x1f\x7f]|\p{Cs}/u);
          expect(Buffer.byteLength(address)).toBeLessThanOrEqual(254);
          expect(utf8).toBe(/[^\0-\x7f]/.test(address));
          expect(must(parseAddress(address))).toBe(address);
          expect(must(parseMailbox(`<${address}>`)).address).toBe(address);
          // Outside of quotation marks nothing stands that SMTP or a list of addresses would take for its own.
          expect(address.replace(/^"(?:[^"\\]|\\.)*"/, "")).not.toMatch(/[<>,;()\s"\\]/);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("what only begins or ends as an encoded word does is an address (RFC 2047 2)", () => {
  for (const local of ["?=a.=?a", "=?", "?=", "=?a?=", "=?a?b?="])
    expect(must(parseAddress(`${local}@a.aa`)) as string).toBe(`${local}@a.aa`);
  for (const local of ["=?utf-8?q?a?=", "x=?a?b??=", "=?u?b?YUBi?=y"])
    expect(parseAddress(`${local}@a.aa`).kind).toBe("refused");
});

test("every address that a form would take is taken, unless a reader of headers would decode it", () => {
  fc.assert(
    fc.property(fc.emailAddress(), (address) => {
      fc.pre(!/=\?.*\?=/.test(address));
      const at = address.lastIndexOf("@");
      const wire = address.slice(0, at) + address.slice(at).toLowerCase();
      expect(must(parseAddress(address)) as string).toBe(wire);
    }),
  );
});
