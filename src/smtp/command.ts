// What is written to a server. A `Line` cannot hold CR, LF or NUL, so no address and no name can smuggle in a second command.
import { mailParameters, rcptParameters, type DsnWish } from "./dsn.ts";

declare const checked: unique symbol;
/** One command without its CRLF. */
export type Line = string & { readonly [checked]: true };

/** RFC 5321 4.5.3.1.4 says 512 octets; the parameters of extensions may add to it (RFC 3461 4.1 alone 500 a recipient). */
const LINE_MAX_OCTETS = 2048;
/** RFC 4954 4. */
const AUTH_MAX_OCTETS = 12_288;

/** Undefined when the text would not be one line of SMTP. */
export const line = (text: string): Line | undefined => lineUpTo(text, LINE_MAX_OCTETS);

/** An answer within AUTH, which may be longer than a command: tokens are. */
export const authLine = (text: string): Line | undefined => lineUpTo(text, AUTH_MAX_OCTETS);

function lineUpTo(text: string, octetsMax: number): Line | undefined {
  let octets = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 13 || code === 10 || code === 0) return undefined;
    if (code > 127) octets += 2;
  }
  return octets > octetsMax ? undefined : (text as Line);
}

/** For our own words, where a bad character is a bug. */
export function fixedLine(text: string): Line {
  const made = line(text);
  if (made === undefined) throw new Error("a command of our own is not one line");
  return made;
}

/** An address that may stand between angle brackets; empty is the null reverse-path. */
export function path(address: string): string | undefined {
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    // A space or an angle bracket outside of quotes would begin a parameter of the command.
    if (code < 32 || code === 127) return undefined;
    if (code === 60 || code === 62 || code === 32) return quotedPath(address);
  }
  return address;
}

/** Only a quoted local part may hold spaces and brackets (RFC 5321 4.1.2). */
function quotedPath(address: string): string | undefined {
  return /^"(?:[^"\\]|\\.)*"@[^<> ]+$/.test(address) ? address : undefined;
}

export interface MailParameters {
  /** Undefined when the server does not announce SIZE. */
  readonly sizeOctets: number | undefined;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly dsn: DsnWish | undefined;
}

/** `MAIL FROM` with those parameters that the server offered (RFC 1870, RFC 6152, RFC 6531, RFC 3461). */
export function mailLine(from: string, parameters: MailParameters): Line | undefined {
  const checkedPath = path(from);
  if (checkedPath === undefined) return undefined;
  const { sizeOctets, eightBit, utf8, dsn } = parameters;
  const size = sizeOctets === undefined ? "" : ` SIZE=${sizeOctets}`;
  const body = eightBit ? " BODY=8BITMIME" : "";
  const notices = dsn === undefined ? "" : mailParameters(dsn);
  return line(`MAIL FROM:<${checkedPath}>${size}${body}${utf8 ? " SMTPUTF8" : ""}${notices}`);
}

export function rcptLine(to: string, dsn?: DsnWish): Line | undefined {
  const checkedPath = to === "" ? undefined : path(to);
  if (checkedPath === undefined) return undefined;
  return line(`RCPT TO:<${checkedPath}>${dsn === undefined ? "" : rcptParameters(dsn, to)}`);
}

/** All of the message in one chunk (RFC 3030 2). */
export const bdatLine = (octets: number): Line => fixedLine(`BDAT ${octets} LAST`);

export const DATA = fixedLine("DATA");
export const DOT = fixedLine(".");
export const RSET = fixedLine("RSET");
export const QUIT = fixedLine("QUIT");
export const STARTTLS = fixedLine("STARTTLS");
