// What may stand in a header. Nothing else than these brands is taken by the writer, so a line break that came from outside
// cannot reach a header: header injection is a type error, not a check that somebody may forget.

/** `why` is a sentence for the person who sent it, and names the field. */
export type Parsed<T> =
  { readonly kind: "ok"; readonly value: T } | { readonly kind: "refused"; readonly why: string };

declare const headerText: unique symbol;
declare const headerName: unique symbol;

/** Unfolded text without CR, LF, NUL, other controls (tab excepted) and lone surrogates. Any Unicode else. */
export type HeaderText = string & { readonly [headerText]: true };

/** A field name of RFC 5322 3.6.8: printable US-ASCII without colon. */
export type HeaderName = string & { readonly [headerName]: true };

/** Characters in one header value: a References of some 300 message ids. */
export const HEADER_TEXT_MAX = 16_384;
/** With its colon and a space it leaves room for a word in the 78 columns of a line. */
export const HEADER_NAME_MAX = 64;

const TAB = 0x09;

export function parseHeaderText(field: string, text: string): Parsed<HeaderText> {
  if (text.length > HEADER_TEXT_MAX)
    return refused(`${field} is longer than ${HEADER_TEXT_MAX} characters.`);
  const at = forbiddenAt(text);
  if (at < 0) return { kind: "ok", value: text as HeaderText };
  return refused(`${field} holds ${nameOf(text.charCodeAt(at))} at character ${at + 1}.`);
}

export function parseHeaderName(text: string): Parsed<HeaderName> {
  if (text.length === 0) return refused("A header has no name.");
  if (text.length > HEADER_NAME_MAX)
    return refused(`A header name is longer than ${HEADER_NAME_MAX} characters.`);
  for (let i = 0; i < text.length; i++)
    if (!isNameCode(text.charCodeAt(i)))
      return refused(`The header name ${JSON.stringify(text)} holds more than printable ASCII.`);
  return { kind: "ok", value: text as HeaderName };
}

/** Printable US-ASCII but the colon (RFC 5322 `ftext`). */
export function isNameCode(code: number): boolean {
  return code > 0x20 && code < 0x7f && code !== 0x3a;
}

export function refused(why: string): { readonly kind: "refused"; readonly why: string } {
  return { kind: "refused", why };
}

/** The place of the first code unit that no header may hold; -1 when there is none. */
export function forbiddenAt(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x20 && code < 0x7f) continue;
    if (code < 0xa0 && code !== TAB) return i;
    if (code < 0xd800 || code > 0xdfff) continue;
    const next = code < 0xdc00 ? text.charCodeAt(i + 1) : 0;
    if (next < 0xdc00 || next > 0xdfff || Number.isNaN(next)) return i;
    i++;
  }
  return -1;
}

function nameOf(code: number): string {
  if (code === 0x0d) return "a carriage return";
  if (code === 0x0a) return "a line feed";
  if (code === 0) return "a NUL";
  if (code >= 0xd800) return "half of a surrogate pair";
  return `the control character U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}
