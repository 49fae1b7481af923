// The requests of the load, each made once: what differs from message to message is a few digits, whose places are known.
import { Encoder } from "cbor-x/index-no-eval";
import type { LoadOptions } from "./generator.ts";

/** `batch`: so many messages in one call. `attachment`: most of the message is one file. */
export type Form = "json" | "raw" | "cbor" | "batch" | "attachment";

export const BATCH = 100;
const ID_DIGITS = 9;
const SITE_DIGITS = 3;
const LINE = 76;

export function messagesIn(form: Form): number {
  return form === "batch" ? BATCH : 1;
}

/** A request with places for ids and for a site's number. */
export interface Template {
  readonly bytes: Buffer;
  readonly idsAt: readonly number[];
  readonly sitesAt: readonly number[];
  /** Messages in it have ids one after the other. */
  readonly idsAMessage: number;
}

const ID = "I".repeat(ID_DIGITS);
const SITE = "S".repeat(SITE_DIGITS);
const TO = `x@s${SITE}.test`;

export function templateOf(options: LoadOptions): Template {
  const body = bodyOf(options);
  const head = [
    `POST /send${options.form === "batch" ? "/batch" : ""} HTTP/1.1`,
    `Host: 127.0.0.1:${options.port}`,
    `Authorization: Bearer ${options.key}`,
    `Content-Type: ${typeOf(options.form)}`,
    ...(options.idempotency ? [`Idempotency-Key: bench-${ID}`] : []),
    `Content-Length: ${body.length}`,
  ];
  const bytes = Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), body]);
  const idsAt = placesOf(bytes, ID);
  // A key stands before the messages, and is as good with the first one's id.
  const inMessages = idsAt.length - (options.idempotency ? 1 : 0);
  const idsAMessage = inMessages / messagesIn(options.form);
  return { bytes, idsAt, sitesAt: placesOf(bytes, SITE), idsAMessage };
}

function typeOf(form: Form): string {
  if (form === "raw") return "message/rfc822";
  return form === "cbor" ? "application/cbor" : "application/json";
}

function bodyOf({ form, bodyBytes }: LoadOptions): Buffer {
  const line = "lorem ipsum dolor sit amet ".repeat(4).slice(0, LINE);
  const lines = Math.ceil(bodyBytes / (LINE + 2));
  const message = {
    from: "a@sender.test",
    to: TO,
    subject: "bench",
    text: `${line}\n`.repeat(lines),
    headers: { "X-Id": ID },
  };
  switch (form) {
    case "raw": {
      const fields = `From: a@sender.test\r\nTo: ${TO}\r\nX-Id: ${ID}\r\nSubject: bench\r\n\r\n`;
      return Buffer.from(fields + `${line}\r\n`.repeat(lines), "latin1");
    }
    case "cbor":
      return Buffer.from(new Encoder({ useRecords: false }).encode(message));
    case "batch":
      return Buffer.from(JSON.stringify(Array.from({ length: BATCH }, () => message)), "latin1");
    case "attachment": {
      const content = Buffer.alloc(bodyBytes, 1).toString("base64");
      const attachments = [{ filename: "bench.bin", content }];
      return Buffer.from(JSON.stringify({ ...message, text: line, attachments }), "latin1");
    }
    case "json":
      return Buffer.from(JSON.stringify(message), "latin1");
  }
}

function placesOf(bytes: Buffer, mark: string): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length))
    places.push(at);
  return places;
}

function writeDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  let left = value;
  for (let i = digits - 1; i >= 0; i--) {
    bytes[at + i] = 48 + (left % 10);
    left = Math.floor(left / 10);
  }
}

/** A client's own copy of the request, whose digits change from message to message. */
export function createRequest(template: Template, sites: number): (id: number) => Buffer {
  const { idsAt, sitesAt, idsAMessage } = template;
  const bytes = Buffer.from(template.bytes);
  const before = idsAt.length % idsAMessage;
  return (id) => {
    for (let i = 0; i < idsAt.length; i++) {
      const place = Math.max(0, Math.floor((i - before) / idsAMessage));
      writeDigits(bytes, idsAt[i] as number, ID_DIGITS, id + place);
    }
    for (const at of sitesAt) writeDigits(bytes, at, SITE_DIGITS, id % sites);
    return bytes;
  };
}
