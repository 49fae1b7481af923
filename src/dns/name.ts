// Domain names as they are asked for and compared: lower-case, without the final dot, in A-labels.

export const NAME_MAX = 253;
const LABEL_MAX = 63;

/** The form in which names are compared, or undefined when no such name can be put into a question (RFC 1035 2.3.4). */
export function cleanName(text: string): string | undefined {
  const lower = text.toLowerCase();
  const name = lower.endsWith(".") ? lower.slice(0, -1) : lower;
  if (name === "" || name.length > NAME_MAX) return undefined;
  let labelLength = 0;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    // Printable ASCII only: dns-packet would write anything else as UTF-8, of another length than it counts.
    if (code <= 0x20 || code >= 0x7f) return undefined;
    if (code !== 0x2e) labelLength++;
    else if (labelLength === 0) return undefined;
    else labelLength = 0;
    if (labelLength > LABEL_MAX) return undefined;
  }
  return labelLength === 0 ? undefined : name;
}

/** A label of a host's name, in lower case. Underscores are no part of such names (RFC 952), yet some hosts have them, and nothing breaks. */
export function isHostLabel(label: string): boolean {
  return /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label);
}
