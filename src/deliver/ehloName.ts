// The name that we say in EHLO. A name without a dot is none that a server could look up, so the address literal of this end of the
// connection takes its place (RFC 5321 4.1.1.1, 4.1.3).

/** `source` is our own address, empty when the connection has none. */
export function ehloName(hostname: string, source: string): string {
  if (hostname.includes(".") || source === "") return hostname;
  return source.includes(":") ? `[IPv6:${source}]` : `[${source}]`;
}
