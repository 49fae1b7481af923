// What we say to a client. A reply is one line of printable ASCII, whatever text it was made of: nothing that a client gave us can
// break out of it (RFC 5321 4.2).

export interface Said {
  readonly code: number;
  /** RFC 3463; empty where none may stand: in the greeting, after EHLO, and with 3xx (RFC 2034 3). */
  readonly enhanced: string;
  readonly text: string;
  /** The connection ends behind it. */
  readonly close?: true;
  /** Of a refusal that is counted: its label. */
  readonly reason?: string;
}

export function said(code: number, enhanced: string, text: string, reason?: string): Said {
  return reason === undefined ? { code, enhanced, text } : { code, enhanced, text, reason };
}

/** As `said`, and the connection ends. */
export function last(code: number, enhanced: string, text: string, reason?: string): Said {
  return { ...said(code, enhanced, text, reason), close: true };
}

/** RFC 5321 4.5.3.1.5: 512 octets with code and line end. */
const TEXT_MAX = 480;

export function lineOf({ code, enhanced, text }: Said): string {
  const words = enhanced === "" ? text : `${enhanced} ${text}`;
  return `${code} ${printable(words)}\r\n`;
}

/** Lines of one reply, such as the answer to EHLO. */
export function linesOf(code: number, texts: readonly string[]): string {
  const end = texts.length - 1;
  return texts.map((text, i) => `${code}${i < end ? "-" : " "}${printable(text)}\r\n`).join("");
}

function printable(text: string): string {
  const safe = PRINTABLE.test(text) ? text : text.replace(/[^ -~]+/gu, "?");
  return safe.length > TEXT_MAX ? `${safe.slice(0, TEXT_MAX - 3)}...` : safe;
}

const PRINTABLE = /^[ -~]*$/;
