// What must become of a raw message, computed in the plainest way: line ends made CRLF, named fields taken out, a trace line put on
// top and what is missing put below. Nothing else may differ, in any octet.

/** Never sent on (RFC 5321 4.4, and recipients that nobody may see). */
const removed = /^(?:bcc|resent-bcc|return-path|idempotency-key|x-postrider-[^:]*):/i;

/** What is wrong with `out`; undefined when nothing is. `given` and `out` in Latin-1. */
export function rawFault(given: string, out: string): string | undefined {
  const normal = given.replace(/\r\n|\r|\n/g, "\r\n");
  const whole = normal.endsWith("\r\n") ? normal : `${normal}\r\n`;
  const at = whole.startsWith("\r\n") ? 0 : whole.indexOf("\r\n\r\n");
  const block = at < 0 ? whole : whole.slice(0, at === 0 ? 0 : at + 2);
  const body = at < 0 ? "" : whole.slice(at === 0 ? 2 : at + 4);
  const fields = block.split(/\r\n(?![ \t])/).filter((field) => field !== "");
  const kept = fields.filter((field) => !removed.test(field)).map((field) => `${field}\r\n`);
  const end = out.indexOf("\r\n\r\n");
  if (end < 0) return "it has no end of its header";
  const made = out.slice(0, end + 2).split(/(?<=\r\n)(?![ \t])/);
  const top = made.shift() ?? "";
  if (!/^Received: by [^\r\n]+\r\n(?:[ \t][^\r\n]+\r\n)*$/.test(top))
    return `no trace line: ${top}`;
  for (const [i, field] of kept.entries())
    if (made[i] !== field)
      return `field ${i}: ${JSON.stringify(made[i])}, not ${JSON.stringify(field)}`;
  const added = made.slice(kept.length).map((field) => field.slice(0, field.indexOf(":")));
  const has = (name: string): boolean =>
    fields.some((field) => field.toLowerCase().startsWith(`${name}:`));
  const missing = [...(has("date") ? [] : ["Date"]), ...(has("message-id") ? [] : ["Message-ID"])];
  if (added.join() !== missing.join()) return `fields were added: ${added.join()}`;
  return out.slice(end + 4) === body ? undefined : "the body has changed";
}
