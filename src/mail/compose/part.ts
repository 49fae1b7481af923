// The parts of a message and how each is written: which encoding its content gets, which headers tell it, and how parts nest.
// What comes out is a list of segments, so that small mail becomes one buffer and a large attachment is never held whole.
import { type ContentId, type MediaType, mediaTypeOf, octetStream } from "./contentType.ts";
import { foldWords } from "./headers.ts";
import type { HeaderText } from "./headerText.ts";
import { legacyNameWords, parameterWords } from "./parameters.ts";
import { base64Lines } from "./base64.ts";
import { type PlainLines, plainLines, withCrlf } from "./lines.ts";
import { quotedPrintable } from "./quotedPrintable.ts";

/** Octets as they are, or a source that is read when its turn comes. */
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

export interface Attachment {
  readonly filename: HeaderText;
  /** Null: what the ending of the file's name says. */
  readonly contentType: MediaType | null;
  /** Shown within the HTML by `cid:`; null: an attachment of its own. */
  readonly contentId: ContentId | null;
  readonly content: Content;
}

export type Segment =
  /** Octets to write as they are; as text it is of header kind, in UTF-8. */
  | { readonly kind: "text"; readonly text: string }
  | PlainLines
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** To be written in base64 lines, each with its CRLF. */
  | { readonly kind: "base64"; readonly content: Content };

/** A part: its own header fields, and what stands below the empty line. Text that does not end its last line is left so. */
export interface Part {
  readonly header: string;
  readonly body: readonly Segment[];
}

/** Text as a part of the type `text/plain` or `text/html`. */
export function textPart(subtype: "plain" | "html", text: string): Part {
  const type = `Content-Type: text/${subtype}; charset=utf-8\r\n`;
  const lines = plainLines(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);
  if (lines !== undefined)
    return { header: `${type}Content-Transfer-Encoding: 7bit\r\n`, body: [lines] };
  const bytes = Buffer.from(withCrlf(text));
  if (prefersQuotedPrintable(bytes)) {
    return {
      header: `${type}Content-Transfer-Encoding: quoted-printable\r\n`,
      body: [{ kind: "bytes", bytes: quotedPrintable(bytes) }],
    };
  }
  return {
    header: `${type}Content-Transfer-Encoding: base64\r\n`,
    body: [{ kind: "bytes", bytes: base64Lines(bytes) }],
  };
}

/**
 * Text in Latin letters stays readable in quoted-printable, and filters mistrust base64 where it was not needed; above a third,
 * as in Arabic or Chinese, nothing readable is left and base64 is much the shorter.
 */
function prefersQuotedPrintable(bytes: Uint8Array): boolean {
  let escaped = 0;
  // By index: an iterator over bytes costs ten times as much.
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte > 126 || byte === 0x3d) escaped++;
  }
  return escaped * 3 <= bytes.length;
}

export function attachmentPart(attachment: Attachment, inline: boolean): Part {
  const { content, contentId } = attachment;
  const type = mediaTypeFor(attachment);
  const typeWords: string[] = [type.essence];
  for (const [name, value] of type.parameters) typeWords.push(...parameterWords(name, value));
  // Readers put a text that is inline below the text of the message itself (RFC 2183 2.1), whoever refers to it.
  const isShown = inline && !type.essence.startsWith("text/");
  const placeWords: string[] = [isShown ? "inline" : "attachment"];
  if (attachment.filename !== "") {
    typeWords.push(...legacyNameWords(attachment.filename));
    placeWords.push(...parameterWords("filename", attachment.filename));
  }
  return {
    header:
      parameterField("Content-Type", typeWords) +
      "Content-Transfer-Encoding: base64\r\n" +
      parameterField("Content-Disposition", placeWords) +
      (contentId === null ? "" : `Content-ID: <${contentId}>\r\n`),
    body: [{ kind: "base64", content }],
  };
}

/** RFC 2046 5.2 allows no base64 in `message/*`: a mail as an attachment travels as a file. */
function mediaTypeFor(attachment: Attachment): MediaType {
  const type = attachment.contentType ?? mediaTypeOf(attachment.filename);
  return type.essence.startsWith("message/") ? octetStream : type;
}

/** Semicolons between the words, except within a value that encoded words have split. */
function parameterField(name: string, words: readonly string[]): string {
  return foldWords(
    name,
    words.map((word, i) => {
      const next = words[i + 1];
      return next === undefined || next.startsWith("=?") ? word : `${word};`;
    }),
  );
}

/** `boundary` occurs in none of the parts: see `freeBoundary`. */
export function multipart(subtype: string, boundary: string, parts: readonly Part[]): Part {
  const body: Segment[] = [];
  let glue = `--${boundary}\r\n`;
  for (const part of parts) {
    body.push({ kind: "text", text: `${glue}${part.header}\r\n` }, ...part.body);
    // RFC 2046 5.1.1: the CRLF before a delimiter belongs to it, so that text keeps or lacks its own last line end.
    glue = `\r\n--${boundary}\r\n`;
  }
  body.push({ kind: "text", text: `\r\n--${boundary}--\r\n` });
  return {
    header: foldWords("Content-Type", [`multipart/${subtype};`, `boundary="${boundary}"`]),
    body,
  };
}
