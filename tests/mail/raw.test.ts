import { createHash } from "node:crypto";
import { expect, test } from "bun:test";
import { createRawIntake, takeRaw } from "../../src/mail/raw/intake.ts";
import type { RawOptions } from "../../src/mail/raw/intake.ts";
import { headerText, latin1 } from "./build.ts";

const options: RawOptions = {
  received: headerText("from [127.0.0.1] by mail.example with HTTP"),
  date: Date.UTC(1997, 10, 21, 15, 55, 6),
  messageId: headerText("made@mail.example"),
};

function taken(message: string) {
  const result = takeRaw(Buffer.from(message, "latin1"), options);
  if (result.kind === "fault") throw new Error(result.why);
  return { ...result, text: latin1(result.bytes) };
}

test("Bcc and our own fields go, a trace line and what is missing come, the rest stays to the octet", () => {
  const result = taken(
    [
      "Return-Path: <old@example.com>",
      "X-Strange:  two  spaces\t",
      "From: =?UTF-8?Q?J=C3=B6rg?= <a@b.example>",
      "To: x@Y.example, Z <z@w.example>",
      "BCC: secret@t.example,",
      " x@y.example",
      "X-Postrider-Priority: p0",
      "Idempotency-Key: k-1",
      "Subject: folded",
      "\tover lines",
      "",
      "body",
      "",
    ].join("\r\n"),
  );
  expect(result.text).toBe(
    [
      "Received: from [127.0.0.1] by mail.example with HTTP",
      "X-Strange:  two  spaces\t",
      "From: =?UTF-8?Q?J=C3=B6rg?= <a@b.example>",
      "To: x@Y.example, Z <z@w.example>",
      "Subject: folded",
      "\tover lines",
      "Date: Fri, 21 Nov 1997 15:55:06 +0000",
      "Message-ID: <made@mail.example>",
      "",
      "body",
      "",
    ].join("\r\n"),
  );
  expect(result.header).toMatchObject({
    messageId: "made@mail.example",
    from: [{ name: "Jörg", address: "a@b.example" }],
    to: ["x@y.example", "Z <z@w.example>"],
    bcc: ["secret@t.example", "x@y.example"],
    subject: "folded\tover lines",
    idempotencyKey: "k-1",
    options: [{ name: "priority", value: "p0" }],
    utf8: false,
  });
  expect(result.header.recipients as unknown).toEqual({
    kind: "ok",
    value: ["x@y.example", "z@w.example", "secret@t.example"],
  });
  expect(result.sizeBytes).toBe(result.bytes.length);
  expect(result.sha256).toBe(createHash("sha256").update(result.bytes).digest("base64url"));
});

test("a message that comes octet by octet is the same message", () => {
  const source = Buffer.from("From: a@b\rTo: c@d\n\r\n\rone\r\r\ntwo\n\nthree\r");
  const whole = taken(latin1(source));
  const intake = createRawIntake(options);
  const pieces: Uint8Array[] = [];
  for (const byte of source) {
    const step = intake.write(Uint8Array.of(byte));
    if (step.kind === "fault") throw new Error(step.why);
    pieces.push(...step.bytes);
  }
  const last = intake.end();
  if (last.kind === "fault") throw new Error(last.why);
  expect(latin1(Buffer.concat([...pieces, ...last.bytes]))).toBe(whole.text);
  expect(whole.text.endsWith("\r\n\r\n\r\none\r\n\r\ntwo\r\n\r\nthree\r\n")).toBe(true);
  expect(last.sha256).toBe(whole.sha256);
});
