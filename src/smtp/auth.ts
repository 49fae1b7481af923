// Logging in to a relay: PLAIN (RFC 4616) and LOGIN. Both show the password to the server, so the session asks for a private line.
import { line, type Line } from "./command.ts";
import type { Offer } from "./extensions.ts";

export interface Login {
  readonly user: string;
  readonly pass: string;
}

export type Mechanism = "PLAIN" | "LOGIN";

/** PLAIN needs one round trip, LOGIN three. */
export function mechanismFor(offer: Offer): Mechanism | undefined {
  if (offer.auth.includes("PLAIN")) return "PLAIN";
  return offer.auth.includes("LOGIN") ? "LOGIN" : undefined;
}

/** The commands in order; all but the last are answered by 334. Undefined when a name or password does not fit a line. */
export function authLines(mechanism: Mechanism, login: Login): readonly Line[] | undefined {
  const texts =
    mechanism === "PLAIN"
      ? [`AUTH PLAIN ${base64(`\0${login.user}\0${login.pass}`)}`]
      : ["AUTH LOGIN", base64(login.user), base64(login.pass)];
  const lines = texts.map(line);
  return lines.includes(undefined) ? undefined : (lines as Line[]);
}

/** An empty answer is written as `=` only as an initial response (RFC 4954 4); here an empty line is right. */
const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
