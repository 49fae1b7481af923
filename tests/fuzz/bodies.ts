// Requests: a message in one of the forms that the door takes, often damaged on its way. A case knows what its sender meant, where
// that can be known.
import { encodeCbor } from "../../src/submit/cbor.ts";
import { type Draw, drawFor, gentleText, hostileText, mutate } from "./draw.ts";
import { anything, attachment, type Message, message } from "./message.ts";

export interface Case {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly form: "json" | "cbor" | "form" | "raw" | "batch";
  /** What JSON would have said, if the body says it whole. */
  readonly meant?: Message | undefined;
}

const utf8 = (text: string): Uint8Array => Buffer.from(text);

export function caseFor(seed: number, index: number): Case {
  const draw = drawFor(seed, index);
  const made = draw.pick(makers)(draw);
  const headers = { ...made.headers, ...otherHeaders(draw) };
  return { ...made, headers };
}

/** A value of a header as a client library would let it pass: without line ends and what is beyond Latin-1. */
function headerValue(text: string): string {
  return text.replace(/[^\t\x20-\x7e]/g, "").trim();
}

function otherHeaders(draw: Draw): Record<string, string> {
  const headers: Record<string, string> = {};
  if (draw.once(12))
    headers["idempotency-key"] = headerValue(
      draw.once(2) ? `"order-${draw.int(9)}"` : hostileText(draw),
    );
  if (draw.once(40)) headers["content-type"] = headerValue(hostileText(draw));
  if (draw.once(60)) headers["content-encoding"] = draw.pick(["gzip", "identity", "br, gzip"]);
  if (draw.once(60))
    headers["content-length"] = draw.pick(["0", "-1", "5, 5", "1e9", "99999999999999999999"]);
  if (draw.once(40)) headers["accept"] = draw.pick(["application/cbor", "*/*", "text/html"]);
  if (draw.once(60)) headers["x-batch-validation"] = draw.pick(["strict", "permissive", "x"]);
  return headers;
}

/** JSON of anything, however deep. */
function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "null";
  } catch {
    // Deeper than the runtime writes: deeper than the door reads.
    return `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  }
}

function json(draw: Draw): Case {
  const whole = jsonOf(message(draw));
  const path = draw.once(8) ? "/emails" : "/send";
  const text = draw.once(10) ? withDuplicate(draw, whole) : whole;
  const body = draw.once(3) ? mutate(draw, utf8(text)) : utf8(text);
  return { path, headers: { "content-type": "application/json" }, body, form: "json" };
}

/** Two fields of one name: the last one counts, as in every parser of JavaScript. */
function withDuplicate(draw: Draw, text: string): string {
  const name = draw.pick(["to", "from", "subject", "__proto__", "constructor"]);
  const value = draw.once(2) ? '"z@example.org"' : jsonOf(anything(draw));
  return text.replace("{", `{${JSON.stringify(name)}:${value},`);
}

function cbor(draw: Draw): Case {
  const said = JSON.parse(jsonOf(message(draw))) as Message;
  const list = said["attachments"];
  if (Array.isArray(list) && draw.once(2))
    for (const one of list as Message[]) one["content"] = new Uint8Array(draw.bytes(draw.int(50)));
  const bytes = encodeCbor(said);
  const body = draw.once(2) ? mutate(draw, bytes) : bytes;
  return { path: "/send", headers: { "content-type": "application/cbor" }, body, form: "cbor" };
}

function batch(draw: Draw): Case {
  const list = Array.from({ length: draw.once(200) ? 1100 : draw.int(5) }, () => message(draw));
  const body = utf8(
    jsonOf(draw.once(10) ? { emails: list } : draw.once(20) ? anything(draw) : list),
  );
  const path = draw.once(4) ? "/emails/batch" : "/send/batch";
  const headers = { "content-type": "application/json", "x-batch-validation": "permissive" };
  return { path, headers, body: draw.once(6) ? mutate(draw, body) : body, form: "batch" };
}

// -- forms

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

function part(
  name: string,
  filename: string | null,
  type: string | null,
  body: Uint8Array,
): Buffer {
  const disposition =
    `--b\r\nContent-Disposition: form-data; name=${quoted(name)}` +
    (filename === null ? "" : `; filename=${quoted(filename)}`);
  const head = `${disposition}${type === null ? "" : `\r\nContent-Type: ${type}`}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from("\r\n")]);
}

const structures = new Set(["headers", "tags", "metadata", "dsn", "attachments", "require_tls"]);

function form(draw: Draw): Case {
  const meant: Message = {};
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(message(draw))) {
    if (name === "attachments" || name === "__proto__") continue;
    const list = Array.isArray(value) && !structures.has(name) ? (value as unknown[]) : [value];
    const texts = list.map((one) => {
      if (structures.has(name)) return jsonOf(one);
      return typeof one === "string" ? one.toWellFormed() : String(jsonOf(one));
    });
    for (const text of texts) parts.push(part(name, null, null, utf8(text)));
    const bracketed = ["to", "cc", "bcc", "reply_to"].includes(name) && texts[0]?.startsWith("[");
    if (texts.length > 0)
      meant[name] =
        structures.has(name) || bracketed ? safely(texts[0]) : texts.length > 1 ? texts : texts[0];
  }
  const files = Array.from({ length: draw.int(3) }, () => file(draw));
  parts.push(...files.map((one) => one.part));
  // A file without a name and an octet is what browsers send when nobody chose one.
  const chosen = files.filter(({ meant: one, size }) => one["filename"] !== "" || size > 0);
  if (chosen.length > 0) meant["attachments"] = chosen.map((one) => one.meant);
  const whole = Buffer.concat([...parts, Buffer.from("--b--\r\n")]);
  const isDamaged = draw.once(3);
  return {
    path: draw.once(8) ? "/emails" : "/send",
    headers: {
      "content-type": `multipart/form-data; boundary=${draw.once(30) ? hostileBoundary(draw) : "b"}`,
    },
    body: isDamaged ? mutate(draw, whole) : whole,
    form: "form",
    meant: isDamaged ? undefined : meant,
  };
}

function safely(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "") as unknown;
  } catch {
    return undefined;
  }
}

const hostileBoundary = (draw: Draw): string => headerValue(hostileText(draw));

function file(draw: Draw): {
  readonly part: Buffer;
  readonly meant: Message;
  readonly size: number;
} {
  const made = attachment(draw);
  const filename = String(made["filename"] ?? "a.bin").toWellFormed();
  const id = made["content_id"];
  const content = draw.bytes(draw.once(30) ? 400_000 : draw.int(200));
  const name = typeof id === "string" ? `inline[${id.toWellFormed()}]` : "attachments";
  const type = made["content_type"];
  const typeText = typeof type === "string" ? headerValue(type) : null;
  return {
    part: part(name, filename, typeText, content),
    meant: { filename, content, ...(typeof id === "string" ? { content_id: id } : {}) },
    size: content.length,
  };
}

// -- raw mail

const rawLines: readonly string[] = [
  ...[
    "From: a@example.com",
    "From: Ada <ada@example.com>",
    "To: b@example.org",
    "To: b@example.org, c@example.org",
  ],
  ...[
    "Cc: d@example.org",
    "Bcc: hidden@example.org",
    "bCC : hidden@example.org",
    "Bcc\t: hidden@example.org",
  ],
  ...[
    "Subject: x",
    "Subject: =?utf-8?q?=0d=0aX-Evil:_1?=",
    " folded",
    "\tfolded",
    "X-Evil",
    "X-A: b\0c",
    ": x",
  ],
  ...[
    "Received: by x",
    "Return-Path: <r@example.org>",
    "Resent-Bcc: hidden@example.org",
    "DKIM-Signature: v=1",
  ],
  ...[
    "X-Postrider-Priority: p0",
    "X-Postrider-Tag: a=b",
    "X-Postrider-Bogus: 1",
    "Idempotency-Key: k",
  ],
  ...[
    "Message-ID: <m@example.com>",
    "Message-ID: broken",
    "Date: now",
    "From: b@example.com",
    "MIME-Version: 1.0",
  ],
  ...[
    'To: "a>,<b"@example.org',
    "To: g: b@example.org;",
    "To: ünï@example.org",
    "Content-Type: text/plain",
  ],
];

function raw(draw: Draw): Case {
  const lines = ["From: a@example.com", "To: b@example.org"];
  if (draw.once(8)) lines.shift();
  for (let left = draw.int(7); left > 0; left--) {
    const line = draw.once(8) ? `${hostileText(draw)}: ${hostileText(draw)}` : draw.pick(rawLines);
    lines.splice(draw.int(lines.length + 1), 0, line);
  }
  const end = draw.once(8) ? draw.pick(["\n", "\r", "\r\r\n"]) : "\r\n";
  const content = draw.once(3) ? hostileText(draw) : gentleText(draw);
  const body = utf8(`${lines.join(end)}${end}${end}${content}`);
  const path = `/send${draw.once(3) ? query(draw) : ""}`;
  return {
    path,
    headers: { "content-type": "message/rfc822" },
    body: draw.once(4) ? mutate(draw, body) : body,
    form: "raw",
  };
}

function query(draw: Draw): string {
  const names = ["from", "to", "to", "notify", "ret", "envid", "bogus"];
  const values = ["q@example.org", "", "failure", "full", "a@b>,<c@d"];
  const pairs = Array.from({ length: 1 + draw.int(3) }, () => {
    const value = draw.once(3) ? hostileText(draw).toWellFormed() : draw.pick(values);
    return `${draw.pick(names)}=${encodeURIComponent(value)}`;
  });
  return `?${pairs.join("&")}`;
}

const makers: readonly ((draw: Draw) => Case)[] = [
  json,
  json,
  json,
  cbor,
  form,
  form,
  raw,
  raw,
  batch,
];
