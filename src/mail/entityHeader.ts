// The header of one entity within a message, as far as it tells how the content below it is encoded (RFC 2045).

export interface EntityHeader {
  /** One line without its end; false when it has octets above 127 or is too much. */
  add(line: Buffer): boolean;
  /** `text/plain` and such, in lower case; what it is without a Content-Type. */
  readonly type: string;
  /** In lower case; empty when none is said. */
  readonly encoding: string;
  /** Of a multipart; empty when none is said. */
  readonly boundary: string;
  /** A DKIM signature covers the content. Only the outermost one counts: who verifies what is attached? */
  readonly signed: boolean;
  /** The lines again, with this transfer encoding in the place of the other; null: as they came. */
  written(encoding: string | null): Uint8Array[];
}

const OCTETS_MAX = 262_144;
const CRLF = "\r\n";

export function createEntityHeader(outermost: boolean): EntityHeader {
  /** Unfolded on reading, so that a field is one entry; each with the line ends that it came with. */
  const fields: string[] = [];
  let octets = 0;
  const valueOf = (name: string): string | undefined => {
    const found = fields.find((field) => nameOf(field) === name);
    return found
      ?.slice(found.indexOf(":") + 1)
      .replaceAll(CRLF, "")
      .trim();
  };
  const contentType = (): string => valueOf("content-type") ?? "text/plain";
  return {
    add(line) {
      octets += line.length + 2;
      if (octets > OCTETS_MAX || line.some((octet) => octet > 127)) return false;
      const text = line.toString("latin1");
      const last = fields.length - 1;
      if ((text.startsWith(" ") || text.startsWith("\t")) && last >= 0) fields[last] += CRLF + text;
      else fields.push(text);
      return true;
    },
    get type() {
      return (contentType().split(";")[0] ?? "").trim().toLowerCase();
    },
    get encoding() {
      return (valueOf("content-transfer-encoding") ?? "").toLowerCase();
    },
    get boundary() {
      return boundaryOf(contentType());
    },
    get signed() {
      return outermost && valueOf("dkim-signature") !== undefined;
    },
    written(encoding) {
      if (encoding === null) return fields.map(lineOf);
      const kept = fields.filter((field) => nameOf(field) !== "content-transfer-encoding");
      const added: string[] = [];
      if (outermost && valueOf("mime-version") === undefined) added.push("MIME-Version: 1.0");
      // RFC 1428 3: of text that says nothing of its character set, nothing is claimed.
      if (outermost && valueOf("content-type") === undefined)
        added.push("Content-Type: text/plain; charset=unknown-8bit");
      added.push(`Content-Transfer-Encoding: ${encoding}`);
      return [...kept, ...added].map(lineOf);
    },
  };
}

const nameOf = (field: string): string => field.slice(0, field.indexOf(":")).trim().toLowerCase();

const lineOf = (field: string): Uint8Array => Buffer.from(field + CRLF, "latin1");

function boundaryOf(contentType: string): string {
  const [, quoted, plain] =
    /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/i.exec(contentType) ?? [];
  return quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "";
}
