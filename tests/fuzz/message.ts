// Messages as a hostile or careless caller would mean them. Of each address it is known beforehand what it must become, or that
// nobody can say.
import { type Draw, gentleText, hostileText } from "./draw.ts";

export type Message = Record<string, unknown>;

/** How it is written, and what the envelope must then hold. */
const addresses: readonly (readonly [text: string, wire: string])[] = [
  ["a@example.org", "a@example.org"],
  ["Ada <ada@example.org>", "ada@example.org"],
  ['"Lovelace, Ada" <ada@example.org>', "ada@example.org"],
  ['"\\"A\\" B" <b@example.org>', "b@example.org"],
  ["Ädä <c@example.org>", "c@example.org"],
  ["李雷 <d@example.org>", "d@example.org"],
  ["e@EXAMPLE.org", "e@example.org"],
  ["f@bücher.example", "f@xn--bcher-kva.example"],
  ["g+tag@example.org", "g+tag@example.org"],
  ["<h@example.org>", "h@example.org"],
];
export const knownAddresses: ReadonlyMap<string, string> = new Map(addresses);

/** Row A15: what one parser reads as one address and another as two, or as another one. */
const strange: readonly string[] = [
  ...["a@b>,<c@d", '"a@evil"@b.example', "a(c)@b.example", "a@b.example (c)", "a@b@c.example"],
  ...[
    "=?utf-8?q?a=40b.example?=",
    "=?utf-8?q?x?= <a@b.example>",
    "a@b.example\r\nRCPT TO:<x@y.example>",
  ],
  ...[
    "a@b.example> SIZE=1",
    "a@b.example,c@d.example",
    "g: a@b.example;",
    "<@r.example:a@b.example>",
  ],
  ...[
    "a@b..example",
    ".a@b.example",
    "a.@b.example",
    "a@-b.example",
    "a@b_c.example",
    "a@b",
    "@b.example",
  ],
  ...[
    "a@",
    "",
    " ",
    "<>",
    "<<a@b.example>>",
    "a@b.example>",
    "<a@b.example",
    '"a"@b.example',
    '"a b"@b.example',
  ],
  ...[
    '"a\\"b"@b.example',
    '"a>b"@b.example',
    '"\r\n"@b.example',
    "a\0@b.example",
    "a@b.exam\uff0eple",
  ],
  ...[
    "a@ex\u00adample.org",
    "a@ex\ufeffample.org",
    "a@ex\ufe0fample.org",
    "ünï@example.org",
    "a@[127.0.0.1]",
    "a@[IPv6:::1]",
    "a@127.0.0.1",
    "a@xn--.example",
  ],
  ...[
    "a@b.example\u2028",
    "\u202ea@b.example",
    "a@b.example.",
    "A <a@b.example> B",
    'A "x" <a@b.example>',
  ],
  ...[`${"a".repeat(65)}@b.example`, `a@${"b".repeat(64)}.example`, `a@${"b.".repeat(130)}example`],
];

function address(draw: Draw): unknown {
  if (!draw.once(4)) return draw.pick(addresses)[0];
  if (draw.once(6)) return anything(draw);
  if (!draw.once(3)) return draw.pick(strange);
  return `${hostileText(draw)}@${draw.once(2) ? "b.example" : hostileText(draw)}`;
}

function people(draw: Draw): unknown {
  if (draw.once(3)) return address(draw);
  return Array.from({ length: draw.once(200) ? 60 : draw.int(5) }, () => address(draw));
}

/** Any value at all. */
export function anything(draw: Draw): unknown {
  const kinds: readonly (() => unknown)[] = [
    () => null,
    () => draw.once(2),
    () => draw.int(1000) - 500,
    () => 1e308,
    () => hostileText(draw),
    () => [],
    () => ({}),
    () => [anything(draw)],
    () => ({ [hostileText(draw)]: anything(draw) }),
    () => ({ constructor: { prototype: { x: 1 } }, toString: 1 }),
    () => nested(draw.once(20) ? 10_000 : 40),
  ];
  return draw.pick(kinds)();
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

const text = (draw: Draw): string => (draw.once(3) ? hostileText(draw) : gentleText(draw));

const headerNames = [
  "X-Order",
  "List-Unsubscribe",
  "References",
  "Bcc",
  "Return-Path",
  "Sender",
  "X-A",
];
const ownNames = ["Message-ID", "Date", "Reply-To", "Received", "DKIM-Signature", "Content-Type"];
const ownValues = ["<a@b.example>", "Mon, 23 Nov 2026 10:00:00 +0000", "r@example.org", "x"];

function headers(draw: Draw): unknown {
  const record: Record<string, unknown> = {};
  for (let left = draw.once(300) ? 300 : draw.int(4); left > 0; left--) {
    const kind = draw.int(8);
    const name = kind === 0 ? hostileText(draw) : draw.pick(kind < 6 ? headerNames : ownNames);
    const value = kind === 7 ? draw.pick(ownValues) : draw.once(30) ? anything(draw) : text(draw);
    Object.defineProperty(record, name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return record;
}

const types = [
  "text/plain",
  "image/png",
  "application/pdf; a=b",
  "multipart/mixed; boundary=b",
  "message/rfc822",
];

export function attachment(draw: Draw): Message {
  const content = Buffer.from(draw.bytes(draw.once(20) ? 60_000 : draw.int(90)));
  return {
    ...(draw.once(8)
      ? {}
      : { filename: draw.once(2) ? `${gentleText(draw)}.txt` : hostileText(draw) }),
    ...(draw.once(12)
      ? {}
      : { content: draw.once(20) ? anything(draw) : content.toString("base64") }),
    ...(draw.once(3) ? { content_type: draw.once(2) ? draw.pick(types) : hostileText(draw) } : {}),
    ...(draw.once(4) ? { content_id: draw.once(2) ? "logo" : hostileText(draw) } : {}),
    ...(draw.once(20)
      ? { path: draw.pick(["https://x.example/a", "file:///etc/passwd", hostileText(draw)]) }
      : {}),
  };
}

const pair = (draw: Draw): Message => ({
  name: draw.once(3) ? hostileText(draw) : "kind",
  value: draw.once(3) ? hostileText(draw) : "receipt",
});

const some = <T>(draw: Draw, make: (draw: Draw) => T): T[] =>
  Array.from({ length: draw.int(4) }, () => make(draw));

const optional: Readonly<Record<string, (draw: Draw) => unknown>> = {
  cc: people,
  bcc: people,
  reply_to: people,
  html: (draw) => `<p>${text(draw)}</p>`,
  headers,
  attachments: (draw) => some(draw, attachment),
  tags: (draw) => some(draw, pair),
  metadata: (draw) => Object.fromEntries(some(draw, pair).map(({ name, value }) => [name, value])),
  reference: text,
  priority: (draw) => draw.pick(["p0", "p1", "p2", "p9", 1]),
  return_path: (draw) => (draw.once(2) ? "bounces+{id}@example.com" : address(draw)),
  scheduled_at: (draw) =>
    draw.pick([
      "2030-01-01T00:00:00Z",
      "9999-12-31T23:59:59Z",
      "-1",
      "in 10 min",
      "tomorrow",
      hostileText(draw),
    ]),
  expires_at: (draw) =>
    draw.pick(["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z", hostileText(draw)]),
  expires_in: (draw) => draw.pick(["5m", "-5m", "99999999999d", "1e9s", hostileText(draw)]),
  dsn: (draw) =>
    draw.pick([
      { notify: ["failure"], envid: hostileText(draw) },
      { notify: ["never", "success"] },
      { ret: "full", envid: "order-17" },
      anything(draw),
    ]),
  require_tls: (draw) => draw.pick([true, false, "yes"]),
};

/** Nothing wrong with it. */
function gentle(draw: Draw): Message {
  const known = (): string => draw.pick(addresses)[0];
  const made: Message = {
    from: known(),
    to: [known()],
    subject: gentleText(draw),
    text: gentleText(draw),
  };
  if (draw.once(3)) made["cc"] = [known(), known()];
  if (draw.once(3)) made["bcc"] = known();
  if (draw.once(4)) made["html"] = `<p>${gentleText(draw)}</p>`;
  if (draw.once(6)) made["headers"] = { "X-Order": gentleText(draw) };
  if (draw.once(6)) made["reply_to"] = known();
  if (draw.once(6))
    made["attachments"] = [
      { filename: "Grüße.txt", content: "aGVsbG8=", content_type: "text/plain" },
    ];
  return made;
}

const needed: Readonly<Record<string, (draw: Draw) => unknown>> = {
  from: address,
  to: people,
  subject: text,
  text,
};

/** In every second one a single field is strange: what is refused for one fault hides what others do. */
export function message(draw: Draw): Message {
  if (draw.once(2)) return hostile(draw);
  const made = gentle(draw);
  const [name, make] = draw.pick(Object.entries({ ...needed, ...optional }));
  made[name] = make(draw);
  return made;
}

function hostile(draw: Draw): Message {
  const made: Message = {
    from: draw.once(6) ? address(draw) : draw.pick(addresses)[0],
    to: people(draw),
    subject: text(draw),
    text: text(draw),
  };
  for (const [name, make] of Object.entries(optional)) if (draw.once(6)) made[name] = make(draw);
  if (draw.once(12)) made[draw.pick(["from", "to", "subject", "text"])] = anything(draw);
  if (draw.once(20)) Reflect.deleteProperty(made, draw.pick(Object.keys(made)));
  if (draw.once(30))
    made[draw.pick(["bogus", "replyTo", "toString", hostileText(draw)])] = anything(draw);
  return made;
}
