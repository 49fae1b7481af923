// What is written to a server. A `Line` cannot hold CR, LF or NUL, so no address and no name can smuggle in a second command.

declare const checked: unique symbol;
/** One command without its CRLF. */
export type Line = string & { readonly [checked]: true };

/** RFC 5321 4.5.3.1.4 says 512 octets; the parameters of extensions and an AUTH answer may add to it (RFC 4954 4). */
const LINE_MAX_OCTETS = 2048;

/** Undefined when the text would not be one line of SMTP. */
export function line(text: string): Line | undefined {
  let octets = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 13 || code === 10 || code === 0) return undefined;
    if (code > 127) octets += 2;
  }
  return octets > LINE_MAX_OCTETS ? undefined : (text as Line);
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
}

/** `MAIL FROM` with those parameters that the server offered (RFC 1870, RFC 6152, RFC 6531). */
export function mailLine(from: string, parameters: MailParameters): Line | undefined {
  const checkedPath = path(from);
  if (checkedPath === undefined) return undefined;
  const { sizeOctets, eightBit, utf8 } = parameters;
  const size = sizeOctets === undefined ? "" : ` SIZE=${sizeOctets}`;
  const body = eightBit ? " BODY=8BITMIME" : "";
  return line(`MAIL FROM:<${checkedPath}>${size}${body}${utf8 ? " SMTPUTF8" : ""}`);
}

export function rcptLine(to: string): Line | undefined {
  const checkedPath = to === "" ? undefined : path(to);
  return checkedPath === undefined ? undefined : line(`RCPT TO:<${checkedPath}>`);
}

export const DATA = fixedLine("DATA");
export const DOT = fixedLine(".");
export const RSET = fixedLine("RSET");
export const QUIT = fixedLine("QUIT");
export const STARTTLS = fixedLine("STARTTLS");
