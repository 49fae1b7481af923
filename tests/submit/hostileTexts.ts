// Texts that have broken mail software, and every place of a message where one can stand.

export const file = (more: object) => ({
  attachments: [{ filename: "a.txt", content: "aGk=", ...more }],
});

/** Every string that can reach a header, a command, or the books, and where its fault stands. */
export const strings: readonly (readonly [pointer: string, body: (text: string) => object])[] = [
  ["/subject", (text) => ({ subject: text })],
  ["/from", (text) => ({ from: text })],
  ["/from", (text) => ({ from: `${text} <a@example.com>` })],
  ["/to", (text) => ({ to: `a${text}@example.org` })],
  ["/to/1", (text) => ({ to: ["a@example.org", `Ada ${text} <b@example.org>`] })],
  ["/cc", (text) => ({ cc: `b@example.org${text}` })],
  ["/bcc", (text) => ({ bcc: `"${text}" <b@example.org>` })],
  ["/reply_to", (text) => ({ reply_to: `b@exam${text}ple.org` })],
  ["/headers/X-A", (text) => ({ headers: { "X-A": text } })],
  [
    "/headers/List-Unsubscribe",
    (text) => ({ headers: { "List-Unsubscribe": `<https://x/${text}>` } }),
  ],
  ["/headers/Message-ID", (text) => ({ headers: { "Message-ID": `<a${text}@b.example>` } })],
  ["/headers/Reply-To", (text) => ({ headers: { "Reply-To": `b${text}@example.org` } })],
  ["/headers/X", (text) => ({ headers: { [`X${text}`]: "a" } })],
  ["/attachments/0/filename", (text) => file({ filename: `a${text}.txt` })],
  ["/attachments/0/content_type", (text) => file({ content_type: `text/plain${text}` })],
  ["/attachments/0/content_type", (text) => file({ content_type: `text/plain; a="${text}"` })],
  ["/attachments/0/content_id", (text) => file({ content_id: `a${text}` })],
  ["/tags/0/name", (text) => ({ tags: [{ name: `a${text}`, value: "b" }] })],
  ["/tags/0/value", (text) => ({ tags: [{ name: "a", value: `b${text}` }] })],
  ["/reference", (text) => ({ reference: `R-17${text}` })],
  ["/metadata/a", (text) => ({ metadata: { a: text } })],
  ["/metadata/a", (text) => ({ metadata: { [`a${text}`]: "b" } })],
  ["/return_path", (text) => ({ return_path: `bounces${text}@example.com` })],
  ["/dsn/envid", (text) => ({ dsn: { envid: `a${text}` } })],
];
export const ends = [
  "\r\n",
  "\r",
  "\n",
  "\0",
  "\r\nX-Evil: 1",
  "\u001b",
  "\u007f",
  "\u0085",
  "\ud800",
];

/** One text that two readers take for different addresses. */
export const doubtful = [
  ...[
    "a@b.example>,<c@d.example",
    '"a@evil.example"@b.example>',
    "a@b@c.example",
    "a@b.example,c@d.example",
  ],
  ...["a@b.example> SIZE=1", "a@b.example\r\nRCPT TO:<x@y.example>", "=?utf-8?q?a=40b.example?="],
  ...[
    "g: a@b.example, c@d.example;",
    "<a@b.example",
    "a@b..example",
    ".a@b.example",
    "a@-b.example",
  ],
  ...[`${"a".repeat(65)}@b.example`, `a@${"b".repeat(64)}.example`],
];
