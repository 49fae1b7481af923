// The few pieces of SMTP's grammar that a server reads: paths with parameters (RFC 5321 4.1.2) and
// SASL PLAIN (RFC 4616).

export interface Path {
  /** Empty for the null reverse path. */
  readonly address: string;
  readonly nonAscii: boolean;
  readonly parameters: ReadonlyMap<string, string>;
}

const noParameters: ReadonlyMap<string, string> = new Map();

/**
 * `rest` is what follows `MAIL ` or `RCPT `. A source route is ignored, as RFC 5321 4.1.1.3 allows.
 */
export function parsePath(rest: string, keyword: "FROM" | "TO"): Path | null {
  const parts = /^(\w+):<(?:@[^:>]*:)?((?:"(?:[^"\\]|\\.)*"@)?[^<>]*)>(.*)$/.exec(rest);
  if (parts === null || parts[1]?.toUpperCase() !== keyword) return null;
  const [, , address = "", tail = ""] = parts;
  if (tail !== "" && !tail.startsWith(" ")) return null;
  const nonAscii = /[^\x00-\x7f]/.test(address);
  return { address, nonAscii, parameters: tail === "" ? noParameters : parametersOf(tail) };
}

function parametersOf(tail: string): ReadonlyMap<string, string> {
  return new Map(
    tail
      .trim()
      .split(/ +/)
      .map((word) => {
        const equals = word.indexOf("=");
        return equals < 0
          ? [word.toUpperCase(), ""]
          : [word.slice(0, equals).toUpperCase(), word.slice(equals + 1)];
      }),
  );
}

/** 0 when there is none, null when it is no number. */
export function sizeParameter(parameters: ReadonlyMap<string, string>): number | null {
  const text = parameters.get("SIZE");
  if (text === undefined) return 0;
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** `authzid NUL user NUL password` in base64. */
export function passwordOf(base64: string): { user: string; pass: string } | null {
  const [, user, pass] = Buffer.from(base64, "base64").toString().split("\0");
  return user === undefined || pass === undefined ? null : { user, pass };
}
