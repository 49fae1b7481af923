// Messages as the world writes them, each with what makes it hard to sign.
const crlf = (lines: readonly string[]): string => `${lines.join("\r\n")}\r\n`;

const head = [
  "From: Shop <orders@shop.example>",
  "To: a@customer.example",
  "Subject: Your order",
  "Date: Mon, 23 Nov 2026 07:00:00 +0000",
  "Message-ID: <1@shop.example>",
  "MIME-Version: 1.0",
];

const message = (more: readonly string[], body: string): string =>
  `${crlf([...head, ...more])}\r\n${body}`;

const multipart = crlf([
  "This is a message in parts.",
  "--b",
  "Content-Type: text/plain; charset=utf-8",
  "Content-Transfer-Encoding: quoted-printable",
  "",
  "Gr=C3=BC=C3=9Fe  ",
  "",
  "--b",
  "Content-Type: application/octet-stream",
  "Content-Transfer-Encoding: base64",
  "",
  "AAECAwQFBgcICQ==",
  "",
  "--b--",
  "",
  "",
]);

/** A megabyte each: many short lines, and lines as long as SMTP allows. */
const folded = `${"0123456789abcdef".repeat(4)}\r\n`.repeat(16_000);
const long = `${"x ".repeat(499)}\r\n`.repeat(1_050);

export const messages: Readonly<Record<string, string>> = {
  plain: message(["Content-Type: text/plain"], "Hello.\r\n"),
  multipart: message(['Content-Type: multipart/mixed; boundary="b"'], multipart),
  "8-bit": message(
    ["Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"],
    "Grüße aus Köln, 東京 \r\n\tund  Umgebung\r\n",
  ),
  "an empty body": message([], ""),
  "a body of empty lines": message([], "\r\n\r\n\r\n"),
  "a body of white space": message([], " \r\n\t\r\n"),
  "empty lines and white space at the end": message([], "Text \t \r\n  \r\n\r\n \r\n"),
  "a last line without its end": message([], "Text\r\nmore"),
  "lines that begin with dots": message([], ".\r\n..\r\n.text\r\n"),
  "runs of white space": message([], "a  b\t\tc \t d\r\n  indented\r\n\ttab\r\n"),
  "a megabyte of short lines": message(["Content-Transfer-Encoding: base64"], folded),
  "a megabyte of long lines": message([], long),
  "fields folded in every way": message(
    [
      "X-Plain: one",
      "Cc: b@customer.example,\r\n\tc@customer.example,\r\n    d@customer.example  ",
      "Reply-To:\r\n support@shop.example",
      "References: <a@x.example>\r\n \r\n <b@x.example>",
      "In-Reply-To:  \t <a@x.example>\t",
      'Content-Type: text/plain;\r\n\tcharset="utf-8" ;\r\n format=flowed',
    ],
    "Text\r\n",
  ),
  "names in odd cases, values without a space": crlf([
    "FROM: orders@shop.example",
    "to:a@customer.example",
    "sUbJeCt:no space",
    "Date:  Mon, 23 Nov 2026 07:00:00 +0000",
    "",
    "Text",
  ]),
  "fields that come twice": message(
    ["Cc: b@customer.example", "Cc: c@customer.example", "Subject: again"],
    "Text\r\n",
  ),
  "a header in UTF-8 that ends in half a no-break space": message(
    ["Cc: Voilà <b@customer.example>", "Reply-To: \u00e0", "Sender: à"],
    "Text\r\n",
  ),
  "one-click unsubscription": message(
    [
      "List-Unsubscribe: <https://shop.example/u/1?token=0123456789abcdef0123456789abcdef>,\r\n" +
        " <mailto:unsubscribe@shop.example?subject=1>",
      "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
      "List-ID: News <news.shop.example>",
    ],
    "Text\r\n",
  ),
  "no Subject, no Date, nothing but From": "From: orders@shop.example\r\n\r\nText\r\n",
  "a signature of somebody else": message(
    [
      "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=other.example; s=x;\r\n" +
        " h=from; bh=AAAA; b=AAAA",
    ],
    "Text\r\n",
  ),
};
