// The texts of a message as whoever composed it wrote them: what transport and parser make of line ends is undone.
import type { Email } from "postal-mime";

export interface Texts {
  readonly html: string | null;
  readonly text: string | null;
}

export const noTexts: Texts = { html: null, text: null };

export function textsOf({ html, text, headers }: Email): Texts {
  const type = headers.find(({ key }) => key === "content-type")?.value ?? "";
  const isPart = /^multipart\//i.test(type);
  return { html: asWritten(html, isPart), text: asWritten(text, isPart) };
}

function asWritten(text: string | undefined, isPart: boolean): string | null {
  if (text === undefined) return null;
  // The line end before a boundary is the boundary's (RFC 2046 5.1.1); the parser counts it as the text's, except in base64, of which
  // it makes CRLF.
  const isForeign = isPart && text.endsWith("\n") && !text.endsWith("\r\n");
  return (isForeign ? text.slice(0, -1) : text).replaceAll("\r\n", "\n");
}
