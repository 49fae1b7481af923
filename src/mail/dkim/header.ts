// The header as DKIM signs it: which fields, in which order, and each in relaxed canonical form (RFC 6376 3.4.2, 5.4). Text here is
// Latin-1, one code unit an octet, so that nothing is changed by being read.

export interface Field {
  /** In lower case. */
  readonly name: string;
  /** All behind the colon, its folds and its last CRLF included. */
  readonly value: string;
}

/** `block` is a header without the empty line behind it. Lines that are no fields are passed over: they cannot be signed. */
export function cutFields(block: string): readonly Field[] {
  const fields: Field[] = [];
  for (let start = 0; start < block.length;) {
    const end = fieldEnd(block, start);
    const colon = block.indexOf(":", start);
    if (colon > start && colon < end) {
      const name = withoutBlanksBehind(block.slice(start, colon)).toLowerCase();
      fields.push({ name, value: block.slice(colon + 1, end) });
    }
    start = end;
  }
  return fields;
}

/** Behind the CRLF that no white space follows. */
function fieldEnd(block: string, start: number): number {
  let end = start;
  do {
    const at = block.indexOf("\r\n", end);
    end = at < 0 ? block.length : at + 2;
  } while (block[end] === " " || block[end] === "\t");
  return end;
}

const SPACE = 0x20;

/** Not `trim`: it would also take U+00A0, which here is half of a letter in UTF-8. */
function withoutBlanksBehind(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === " " || text[end - 1] === "\t")) end--;
  return end === text.length ? text : text.slice(0, end);
}

export function relaxedValue(value: string): string {
  const text = unfolded(value);
  // Most fields have single spaces only: then nothing need be searched for and replaced.
  const single = text.includes("  ") || text.includes("\t") ? text.replace(/[ \t]+/g, " ") : text;
  const start = single.charCodeAt(0) === SPACE ? 1 : 0;
  const end = single.length - (single.charCodeAt(single.length - 1) === SPACE ? 1 : 0);
  return single.slice(start, Math.max(start, end));
}

/** Without any CRLF, the last one included. */
function unfolded(value: string): string {
  const at = value.indexOf("\r\n");
  if (at < 0) return value;
  return at === value.length - 2 ? value.slice(0, at) : value.replaceAll("\r\n", "");
}

/** Without its CRLF, which the last field of what is signed does not have (RFC 6376 3.7). */
export function relaxedField(name: string, value: string): string {
  return `${name}:${relaxedValue(value)}`;
}

/** Named once more than they stand there, so that nobody can add another one unseen (RFC 6376 8.15). */
const oversigned = "from to subject date message-id cc reply-to mime-version content-type".split(
  " ",
);
/** Signed where they stand. RFC 8058 4 wants the two of one-click unsubscription covered. */
const covered = [
  ..."list-unsubscribe list-unsubscribe-post content-transfer-encoding sender".split(" "),
  ..."in-reply-to references list-id list-help list-post list-owner list-archive".split(" "),
  ..."list-subscribe auto-submitted feedback-id".split(" "),
];

/** What is signed of a header whose fields have these names, in this order. */
export interface Selection {
  /** For `h=`, in the order in which their fields are hashed. */
  readonly names: readonly string[];
  /** The places of those fields. */
  readonly places: readonly number[];
}

/**
 * Where a name comes again it means the next field upwards (RFC 6376 5.4.2); one for which no field is left adds nothing.
 */
export function select(fields: readonly Field[]): Selection {
  const names = signedNames(fields);
  return { names, places: placesOf(fields, names) };
}

export function signedNames(fields: readonly Field[]): readonly string[] {
  const names: string[] = [];
  for (const name of oversigned) {
    for (const field of fields) if (field.name === name) names.push(name);
    names.push(name);
  }
  for (const name of covered) for (const field of fields) if (field.name === name) names.push(name);
  return names;
}

export function placesOf(fields: readonly Field[], names: readonly string[]): readonly number[] {
  /** Where the search for the next field of a name begins, going upwards. */
  const next = new Map<string, number>();
  const places: number[] = [];
  for (const name of names) {
    let at = next.get(name) ?? fields.length - 1;
    while (at >= 0 && fields[at]?.name !== name) at--;
    next.set(name, at - 1);
    if (at >= 0) places.push(at);
  }
  return places;
}

/** Each with CRLF. */
export function signedFields(fields: readonly Field[], places: readonly number[]): string {
  let text = "";
  for (const at of places) {
    const field = fields[at];
    if (field !== undefined) text += `${field.name}:${relaxedValue(field.value)}\r\n`;
  }
  return text;
}
