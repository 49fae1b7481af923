// What a server says it can do, in answer to EHLO (RFC 5321 4.1.1.1), as far as we make use of it.
import type { Reply } from "./reply.ts";

export interface Offer {
  readonly pipelining: boolean;
  readonly starttls: boolean;
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
  /** SIZE is announced; whether or not with a limit. */
  readonly size: boolean;
  /** Octets; 0 when no limit was said (RFC 1870 3). */
  readonly sizeMax: number;
  /** Mechanisms in upper case. */
  readonly auth: readonly string[];
}

/** A server that only knows HELO. */
export const nothingOffered: Offer = {
  pipelining: false,
  starttls: false,
  eightBitMime: false,
  smtpUtf8: false,
  size: false,
  sizeMax: 0,
  auth: [],
};

export function offerOf(reply: Reply): Offer {
  const keywords = new Map<string, readonly string[]>();
  const auth: string[] = [];
  for (const text of reply.lines.slice(1)) {
    const [first = "", ...values] = text.trim().split(/ +/);
    let keyword = first.toUpperCase();
    // Old servers write `AUTH=LOGIN PLAIN`, often beside the right form.
    if (keyword.startsWith("AUTH=")) {
      values.unshift(first.slice(5));
      keyword = "AUTH";
    }
    if (keyword === "AUTH") auth.push(...values.map((value) => value.toUpperCase()));
    keywords.set(keyword, values);
  }
  const sizeMax = Number(keywords.get("SIZE")?.[0] ?? 0);
  return {
    pipelining: keywords.has("PIPELINING"),
    starttls: keywords.has("STARTTLS"),
    eightBitMime: keywords.has("8BITMIME"),
    smtpUtf8: keywords.has("SMTPUTF8"),
    size: keywords.has("SIZE"),
    sizeMax: Number.isSafeInteger(sizeMax) && sizeMax > 0 ? sizeMax : 0,
    auth: [...new Set(auth)],
  };
}
