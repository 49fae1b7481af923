import { expect, test } from "bun:test";
import { composeMessage } from "../../src/mail/compose/compose.ts";
import { draft, latin1 } from "./build.ts";

test("a plain text message is written as RFC 5322 A.1.1 shows it", () => {
  expect(latin1(composeMessage(draft()).bytes)).toBe(
    [
      "Date: Fri, 21 Nov 1997 15:55:06 +0000",
      "From: John Doe <jdoe@machine.example>",
      "To: mary@example.net",
      "Subject: Saying Hello",
      "Message-ID: <1234@local.machine.example>",
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: 7bit",
      "",
      "This is a message just to say hello.",
      "",
    ].join("\r\n"),
  );
});
