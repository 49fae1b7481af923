// What is written to a server: one command is one line, whatever stands in it.
import { expect, test } from "bun:test";
import { authLine, fixedLine, line, path } from "../../src/smtp/command.ts";

test("no text with a line end or a NUL becomes a command", () => {
  for (const end of ["\r", "\n", "\r\n", "\0"])
    for (const text of [`EHLO a${end}MAIL FROM:<a@b>`, `${end}NOOP`, `NOOP${end}`]) {
      expect([text, line(text), authLine(text)]).toEqual([text, undefined, undefined]);
      expect(() => fixedLine(text)).toThrow("not one line");
    }
  expect(line("NOOP") as string | undefined).toBe("NOOP");
});

test("an address ends where its angle bracket does", () => {
  for (const address of [
    "a@b> SIZE=1",
    "a@b SIZE=1",
    "<a@b",
    "a@b\r\nRCPT TO:<c@d",
    '"a"b c"@d',
    "a\u007f@b",
  ])
    expect([address, path(address)]).toEqual([address, undefined]);
  for (const address of ["", "a@b", '"a> b"@c.example']) expect(path(address)).toBe(address);
});
