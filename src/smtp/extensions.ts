// What a server says it can do, in answer to EHLO (RFC 5321 4.1.1.1), as far as we make use of it.
import { keepNewest } from "../base/keepNewest.ts";
import type { Reply } from "./reply.ts";

export interface Offer {
  readonly pipelining: boolean;
  readonly starttls: boolean;
  readonly eightBitMime: boolean;
  readonly smtpUtf8: boolean;
  /** BDAT (RFC 3030). */
  readonly chunking: boolean;
  /** Delivery status notifications (RFC 3461). */
  readonly dsn: boolean;
  /** SIZE is announced; whether or not with a limit. */
  readonly size: boolean;
  /** Octets; 0 when no limit was said (RFC 1870 3). */
  readonly sizeMax: number;
  /** Mechanisms in upper case. */
  readonly auth: readonly string[];
  readonly limits: Limits;
  /** A firewall stands between that loses a dot which shares its packet (Cisco PIX). */
  readonly dotApart: boolean;
}

/** RFC 9422; Infinity where the server said nothing. */
export interface Limits {
  /** Transactions on one connection. */
  readonly mails: number;
  /** Recipients of one transaction. */
  readonly recipients: number;
  /** Different domains among them. */
  readonly domains: number;
}

const unlimited: Limits = { mails: Infinity, recipients: Infinity, domains: Infinity };

/** A server that only knows HELO. */
export const nothingOffered: Offer = {
  pipelining: false,
  starttls: false,
  eightBitMime: false,
  smtpUtf8: false,
  chunking: false,
  dsn: false,
  size: false,
  sizeMax: 0,
  auth: [],
  limits: unlimited,
  dotApart: false,
};

/** Servers say the same each time. */
const known = new Map<string, Offer>();
const KNOWN_MAX = 256;
const KNOWN_CHARACTERS_MAX = 1000;

export function offerOf(reply: Reply): Offer {
  const lines = reply.lines.slice(1);
  const text = lines.join("\n");
  const before = known.get(text);
  if (before !== undefined) return before;
  const offer = readOffer(lines);
  if (text.length <= KNOWN_CHARACTERS_MAX) {
    known.set(text, offer);
    keepNewest(known, KNOWN_MAX);
  }
  return offer;
}

function readOffer(lines: readonly string[]): Offer {
  const keywords = new Map<string, readonly string[]>();
  const auth: string[] = [];
  for (const text of lines) {
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
    chunking: keywords.has("CHUNKING"),
    dsn: keywords.has("DSN"),
    size: keywords.has("SIZE"),
    sizeMax: Number.isSafeInteger(sizeMax) && sizeMax > 0 ? sizeMax : 0,
    auth: [...new Set(auth)],
    limits: limitsOf(keywords.get("LIMITS")),
    dotApart: false,
  };
}

/** `RCPTMAX=20 MAILMAX=5`; what is unknown or no number of at most six digits is ignored (RFC 9422 3). */
function limitsOf(values: readonly string[] | undefined): Limits {
  if (values === undefined) return unlimited;
  const said = (name: string): number => {
    for (const value of values) {
      const found = /^([A-Za-z]+)=([1-9]\d{0,5})$/.exec(value);
      if (found?.[1]?.toUpperCase() === name) return Number(found[2]);
    }
    return Infinity;
  };
  return { mails: said("MAILMAX"), recipients: said("RCPTMAX"), domains: said("RCPTDOMAINMAX") };
}
