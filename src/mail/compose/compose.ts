// Writes a message (RFC 5322, RFC 2045 ff.). What is written is 7-bit clean and has no line above 998 octets, so that it needs
// nothing from any server; only a mailbox whose local part is not ASCII makes it need SMTPUTF8.
import type { EpochMs } from "../../base/clock.ts";
import { unreachable } from "../../base/unreachable.ts";
import type { Mailbox } from "../address.ts";
import { base64Lines, createBase64Stream } from "./base64.ts";
import { callerField, formatDate, mailboxField, textField } from "./headers.ts";
import type { HeaderName, HeaderText } from "./headerText.ts";
import { type PlainLines, withCrlf, writeLines } from "./lines.ts";
import {
  type Attachment,
  attachmentPart,
  type Content,
  multipart,
  type Part,
  type Segment,
  textPart,
} from "./part.ts";
import { type Room, roomFor } from "./room.ts";

export interface Draft {
  readonly from: Mailbox;
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly replyTo: readonly Mailbox[];
  readonly subject: HeaderText;
  /** Null for none; a draft without text and html gets an empty text. */
  readonly text: string | null;
  readonly html: string | null;
  /** The caller's own fields. The door refuses names that this writer sets itself. */
  readonly headers: readonly { readonly name: HeaderName; readonly value: HeaderText }[];
  readonly attachments: readonly Attachment[];
  readonly date: EpochMs;
  /** Without angle brackets. */
  readonly messageId: HeaderText;
  /** Random letters and digits, at least 16 and at most 40: the stem of all boundaries. */
  readonly boundary: string;
  /** The value of our trace field (RFC 5321 4.4); null for none. */
  readonly received: HeaderText | null;
}

export interface Composed extends Room {
  /** Octets above 127, which only a UTF-8 address in the header can bring. */
  readonly eightBit: boolean;
  /** A header needs SMTPUTF8. */
  readonly utf8: boolean;
}

/** The whole message at once; every attachment must be octets that are there already. */
export function composeMessage(draft: Draft): Composed {
  const utf8 = draftNeedsUtf8(draft);
  const segments = plan(draft);
  const { bytes, free } = join(segments, utf8);
  return { bytes, free, eightBit: utf8, utf8 };
}

/** The same octets piece by piece; sources are read in turn and no attachment is held whole. */
export async function* composeStream(draft: Draft): AsyncGenerator<Uint8Array, void, void> {
  for (const segment of plan(draft)) {
    if (segment.kind === "text") yield Buffer.from(segment.text);
    else if (segment.kind === "lines") yield Buffer.from(withCrlf(segment.text));
    else if (segment.kind === "bytes") yield segment.bytes;
    else yield* encodeSource(segment.content);
  }
}

export function draftNeedsUtf8(draft: Draft): boolean {
  const has = (mailbox: Mailbox): boolean => mailbox.utf8;
  return draft.from.utf8 || draft.to.some(has) || draft.cc.some(has) || draft.replyTo.some(has);
}

function plan(draft: Draft): readonly Segment[] {
  const root = rootPart(draft);
  const segments: Segment[] = [{ kind: "text", text: `${topHeader(draft)}${root.header}\r\n` }];
  segments.push(...root.body);
  // SMTP ends a message with CRLF; to add it here keeps what is stored, signed and sent the same.
  if (!endsLine(root.body.at(-1))) segments.push({ kind: "text", text: "\r\n" });
  return segments;
}

function endsLine(last: Segment | undefined): boolean {
  if (last === undefined || last.kind === "base64") return true;
  if (last.kind === "text" || last.kind === "lines")
    return last.text === "" || last.text.endsWith("\n");
  return last.bytes.length === 0 || last.bytes.at(-1) === LF;
}

const LF = 0x0a;

function topHeader(draft: Draft): string {
  // RFC 5322 3.6 allows these once: the caller's own wins.
  const own = (name: string): boolean =>
    draft.headers.length === 0 || draft.headers.every((one) => one.name.toLowerCase() !== name);
  let header = draft.received === null ? "" : callerField("Received", draft.received);
  if (own("date")) header += `Date: ${formatDate(draft.date)}\r\n`;
  header += mailboxField("From", [draft.from]);
  if (draft.to.length > 0 || draft.cc.length === 0) header += mailboxField("To", draft.to);
  if (draft.cc.length > 0) header += mailboxField("Cc", draft.cc);
  if (draft.replyTo.length > 0 && own("reply-to"))
    header += mailboxField("Reply-To", draft.replyTo);
  header += textField("Subject", draft.subject);
  if (own("message-id")) header += callerField("Message-ID", `<${draft.messageId}>` as HeaderText);
  for (const { name, value } of draft.headers) header += callerField(name, value);
  return `${header}MIME-Version: 1.0\r\n`;
}

/** mixed(alternative(text, related(html, inline parts)), attachments), without the levels that would hold one part. */
function rootPart(draft: Draft): Part {
  const { text, html, attachments } = draft;
  if (html === null && attachments.length === 0) return textPart("plain", text ?? "");
  const boundary = freeBoundary(draft);
  const inline = html === null ? [] : attachments.filter((one) => one.contentId !== null);
  const apart = html === null ? attachments : attachments.filter((one) => one.contentId === null);
  const plain = text === null && html !== null ? null : textPart("plain", text ?? "");
  let rich = html === null ? null : textPart("html", html);
  if (rich !== null && inline.length > 0)
    rich = multipart("related", `${boundary}r`, [
      rich,
      ...inline.map((one) => attachmentPart(one, true)),
    ]);
  let root = rich ?? plain;
  if (rich !== null && plain !== null)
    root = multipart("alternative", `${boundary}a`, [plain, rich]);
  if (root === null) throw new Error("a message has a text or an html part");
  if (apart.length === 0) return root;
  return multipart("mixed", `${boundary}m`, [
    root,
    ...apart.map((one) => attachmentPart(one, false)),
  ]);
}

/**
 * A stem that no part holds. "=_" cannot stand in quoted-printable or base64 (RFC 2045 6.7 (1)), so only text that is sent as it
 * is could hold it; there it is looked for, and lengthened until it is not found.
 */
function freeBoundary(draft: Draft): string {
  if (!/^[0-9A-Za-z]{16,40}$/.test(draft.boundary))
    throw new Error("a boundary is 16 to 40 letters and digits");
  let stem = `=_${draft.boundary}`;
  while (draft.text?.includes(stem) || draft.html?.includes(stem)) stem += "x";
  return stem;
}

/** Each text is written where it belongs: joined to one beforehand, all of it would be copied twice. */
function join(segments: readonly Segment[], utf8: boolean): Room {
  const encoding = utf8 ? "utf8" : "latin1";
  const pieces = segments.map(pieceOf);
  let sizeBytes = 0;
  for (const piece of pieces) sizeBytes += sizeOf(piece, utf8);
  const room = roomFor(sizeBytes);
  const { bytes } = room;
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === "string") at += bytes.write(piece, at, encoding);
    else if (piece instanceof Uint8Array) {
      bytes.set(piece, at);
      at += piece.length;
    } else at = writeLines(bytes, at, piece);
  }
  return room;
}

type Piece = string | Uint8Array | PlainLines;

function pieceOf(segment: Segment): Piece {
  switch (segment.kind) {
    case "text":
      return segment.text;
    case "lines":
      return segment;
    case "bytes":
      return segment.bytes;
    case "base64":
      return base64Lines(bytesOf(segment.content));
    default:
      return unreachable(segment);
  }
}

function sizeOf(piece: Piece, utf8: boolean): number {
  if (typeof piece === "string") return utf8 ? Buffer.byteLength(piece) : piece.length;
  return piece instanceof Uint8Array ? piece.length : piece.text.length + piece.breaks;
}

function bytesOf(content: Content): Uint8Array {
  if (content instanceof Uint8Array) return content;
  throw new Error("an attachment with a source is composed by composeStream");
}

async function* encodeSource(content: Content): AsyncGenerator<Uint8Array, void, void> {
  const stream = createBase64Stream();
  if (content instanceof Uint8Array) yield* stream.push(content);
  else for await (const chunk of content) yield* stream.push(chunk);
  const last = stream.end();
  if (last.length > 0) yield last;
}
