// The header of one part of a form (RFC 7578 4): which field it is, and what the file is called. Read strictly, since a second
// reading of the same octets by somebody else would be a way to smuggle one field past as another.
import { isNameCode, type Parsed, refused } from "../mail/compose/headerText.ts";

export interface PartHeader {
  /** The name of the field. */
  readonly name: string;
  /** As given, with any folders; null: the part is no file. */
  readonly filename: string | null;
  /** Null: not said. */
  readonly contentType: string | null;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });
/** What an octet may be written as in a part: as it is. RFC 7578 4.7 has done away with all else. */
const PLAIN_ENCODINGS = new Set(["7bit", "8bit", "binary"]);

/** `block` is without the blank line. */
export function readPartHeader(block: Uint8Array): Parsed<PartHeader> {
  const fields = cutFields(block);
  if (fields.kind === "refused") return fields;
  const disposition = fields.value.get("content-disposition");
  if (disposition === undefined) return refused("A part has no Content-Disposition.");
  const encoding = fields.value.get("content-transfer-encoding") ?? "binary";
  if (!PLAIN_ENCODINGS.has(encoding.toLowerCase()))
    return refused(
      `A part has the transfer encoding ${JSON.stringify(encoding)}: send it as it is.`,
    );
  const parameters = readDisposition(disposition);
  if (parameters.kind === "refused") return parameters;
  const { name, filename } = parameters.value;
  if (name === undefined) return refused("A part has no name in its Content-Disposition.");
  const contentType = fields.value.get("content-type") ?? null;
  return { kind: "ok", value: { name, filename: filename ?? null, contentType } };
}

/** Of fields that we do not know nothing is taken (RFC 7578 4.8). */
const KNOWN = new Set(["content-disposition", "content-type", "content-transfer-encoding"]);

function cutFields(block: Uint8Array): Parsed<ReadonlyMap<string, string>> {
  let text: string;
  try {
    text = UTF8.decode(block);
  } catch {
    return refused("The header of a part is not UTF-8.");
  }
  const fields = new Map<string, string>();
  if (text === "") return { kind: "ok", value: fields };
  for (const line of text.split("\r\n")) {
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(line))
      return refused("The header of a part holds a control character.");
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    // Folded lines (RFC 5322 2.2.3) are refused with all else: forms have none.
    if (!isName(name)) return refused("A line in the header of a part is no field.");
    if (!KNOWN.has(name)) continue;
    if (fields.has(name)) return refused(`A part has more than one ${name}.`);
    fields.set(name, line.slice(colon + 1).trim());
  }
  return { kind: "ok", value: fields };
}

function isName(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isNameCode(text.charCodeAt(i))) return false;
  return text !== "";
}

type Parameters = { name?: string; filename?: string };

/** `form-data; name="to"; filename="a b.pdf"`. */
function readDisposition(text: string): Parsed<Parameters> {
  const head = /^form-data *(?:;|$)/i.exec(text);
  if (head === null) return refused("A part is no form-data.");
  const found: Parameters = {};
  let extended: string | undefined;
  let rest = text.slice(head[0].length).trim();
  while (rest !== "") {
    // A quoted backslash stands for itself but before a quotation mark or another one: that is how curl and browsers differ.
    const match = /^([!#-'*+\-.0-9A-Z^-z|~]+)=(?:"((?:[^"\\]|\\.)*)"|([^ ;"]+)) *(?:; *|$)/.exec(
      rest,
    );
    if (match === null) return refused("The Content-Disposition of a part cannot be read.");
    const [whole, given = "", quoted, plain = ""] = match;
    const value = quoted === undefined ? plain : quoted.replace(/\\(["\\])/g, "$1");
    const name = given.toLowerCase();
    if (name === "name" || name === "filename") {
      if (found[name] !== undefined) return refused(`A part has two parameters ${name}.`);
      found[name] = value;
    } else if (name === "filename*") {
      const decoded = extendedValue(value);
      if (decoded === undefined || extended !== undefined)
        return refused("The parameter filename* of a part is no UTF-8 as of RFC 8187.");
      extended = decoded;
    } else return refused(`A part has the unknown parameter ${JSON.stringify(given)}.`);
    rest = rest.slice(whole.length);
  }
  if (extended !== undefined) found.filename = extended;
  return { kind: "ok", value: found };
}

/** `utf-8'en'na%C3%AFve.pdf` (RFC 8187): older libraries send it, though RFC 7578 4.2 says not to. */
function extendedValue(text: string): string | undefined {
  const encoded = /^utf-8'[A-Za-z0-9-]*'(.*)$/i.exec(text)?.[1];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch {
    // Half of an escape, or octets that are no UTF-8.
    return undefined;
  }
}
