// The media type and the Content-ID that a caller gives for an attachment, read once at the door and written anew by us, so
// that nothing of the caller's spelling reaches a header.
import { type Parsed, refused } from "./headerText.ts";
import { isToken } from "./parameters.ts";

declare const contentId: unique symbol;
declare const mediaType: unique symbol;

/** Without angle brackets, as `cid:` names it. */
export type ContentId = string & { readonly [contentId]: true };

export interface MediaType {
  /** `type/subtype` in lower case. */
  readonly essence: string & { readonly [mediaType]: true };
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

const MEDIA_TYPE_MAX = 1000;
const PARAMETERS_MAX = 20;
const TOKEN_MAX = 100;
const CONTENT_ID_MAX = 250;

function known(essence: string): MediaType {
  return { essence: essence as MediaType["essence"], parameters: [] };
}

/** For octets of which nothing is known. */
export const octetStream = known("application/octet-stream");

/** What people attach, by the ending of the file's name; the rest is for the reader's program to find out. */
const byEnding = new Map(
  Object.entries({
    csv: "text/csv",
    doc: "application/msword",
    docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    gif: "image/gif",
    gz: "application/gzip",
    htm: "text/html",
    html: "text/html",
    ics: "text/calendar",
    jpeg: "image/jpeg",
    jpg: "image/jpeg",
    json: "application/json",
    md: "text/markdown",
    mp3: "audio/mpeg",
    mp4: "video/mp4",
    odt: "application/vnd.oasis.opendocument.text",
    pdf: "application/pdf",
    png: "image/png",
    ppt: "application/vnd.ms-powerpoint",
    pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    svg: "image/svg+xml",
    txt: "text/plain",
    vcf: "text/vcard",
    webp: "image/webp",
    xls: "application/vnd.ms-excel",
    xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    xml: "application/xml",
    zip: "application/zip",
  }).map(([ending, essence]) => [ending, known(essence)]),
);

/** The type of an attachment that does not say what it is. */
export function mediaTypeOf(filename: string): MediaType {
  const ending = filename.slice(filename.lastIndexOf(".") + 1).toLowerCase();
  return byEnding.get(ending) ?? octetStream;
}

/** `field` names it in the refusal. */
export function parseMediaType(field: string, text: string): Parsed<MediaType> {
  if (text.length > MEDIA_TYPE_MAX)
    return refused(`${field} is longer than ${MEDIA_TYPE_MAX} characters.`);
  const head = /^ *([^/; ]+)\/([^/; ]+) *(;|$)/.exec(text);
  const [whole = "", type = "", subtype = ""] = head ?? [];
  if (!isShortToken(type) || !isShortToken(subtype))
    return refused(`${field} is no media type such as application/pdf.`);
  const essence = `${type}/${subtype}`.toLowerCase();
  // A multipart would have to be taken apart, and the writer would no longer know its own boundaries.
  if (essence.startsWith("multipart/")) return refused(`${field} may not be a multipart type.`);
  const parameters = readParameters(text.slice(whole.length));
  if (parameters === null || parameters.length > PARAMETERS_MAX)
    return refused(`The parameters of ${field} are not of the form name=value.`);
  return { kind: "ok", value: { essence: essence as MediaType["essence"], parameters } };
}

/** Set by the writer itself. */
const OWN_PARAMETERS = new Set(["name", "boundary"]);

function readParameters(text: string): [string, string][] | null {
  const parameters: [string, string][] = [];
  let rest = text.trim();
  while (rest !== "") {
    const match = /^([^ =;"]+)=(?:"((?:[^"\\]|\\.)*)"|([^ ;"]*)) *(?:; *|$)/.exec(rest);
    if (match === null) return null;
    const [whole, name = "", quoted, plain = ""] = match;
    const value = quoted === undefined ? plain : quoted.replace(/\\(.)/g, "$1");
    if (!isShortToken(name) || !/^[\x20-\x7e]*$/.test(value)) return null;
    if (!OWN_PARAMETERS.has(name.toLowerCase())) parameters.push([name.toLowerCase(), value]);
    rest = rest.slice(whole.length);
  }
  return parameters;
}

export function parseContentId(field: string, text: string): Parsed<ContentId> {
  const id = text.startsWith("<") && text.endsWith(">") ? text.slice(1, -1) : text;
  if (!/^[\x21-\x7e]+$/.test(id) || /[<>"\\(),;]/.test(id) || id.length > CONTENT_ID_MAX)
    return refused(`${field} must be printable ASCII without spaces, quotes and brackets.`);
  return { kind: "ok", value: id as ContentId };
}

function isShortToken(text: string): boolean {
  return text.length <= TOKEN_MAX && isToken(text);
}
