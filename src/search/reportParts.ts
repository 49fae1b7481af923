// A report taken apart: a bounce (RFC 3464) or a complaint (RFC 5965) as it came by mail. Whoever can write to the bounce address writes
// this, so everything in it is bounded, and nothing of it is believed here.
import PostalMime from "postal-mime";

export interface ReportParts {
  readonly kind: "dsn" | "arf";
  /** Fields about the message, by lower-case name; of those that stand several times the first. */
  readonly fields: Fields;
  /** About each recipient: the groups of a notification. */
  readonly recipients: readonly Fields[];
  /** Addresses that the report itself was sent to. */
  readonly sentTo: readonly string[];
  /** Of the message that it is about, as far as it brings it back. */
  readonly returned: Returned;
}

export type Fields = ReadonlyMap<string, string>;

export interface Returned {
  readonly messageId: string | null;
  readonly from: string | null;
  readonly subject: string | null;
  readonly returnPath: string | null;
}

const RECIPIENTS_MAX = 100;
const FIELDS_MAX = 50;
const VALUE_MAX = 1000;
const ADDRESSES_MAX = 50;
/** Of the message that came back only its header is read. */
const HEADER_MAX = 65_536;
const DEPTH_MAX = 16;

const statusTypes = new Set(["message/delivery-status", "message/global-delivery-status"]);
const returnedTypes = new Set([
  "message/rfc822",
  "message/global",
  "text/rfc822-headers",
  "message/global-headers",
]);

/** Undefined: it is no report, or nothing that can be read. */
export async function readReport(bytes: Uint8Array): Promise<ReportParts | undefined> {
  const mail = await parse(bytes);
  if (mail === undefined) return undefined;
  const parts = mail.attachments.map(({ mimeType, content }) => ({
    type: mimeType.toLowerCase(),
    text: typeof content === "string" ? content : new TextDecoder().decode(content),
  }));
  const status = parts.find(({ type }) => statusTypes.has(type));
  const feedback = parts.find(({ type }) => type === "message/feedback-report");
  const told = feedback ?? status;
  if (told === undefined) return undefined;
  const groups = groupsOf(told.text);
  const [fields = new Map<string, string>(), ...others] = groups;
  // Some write no empty line between the message's fields and those of its only recipient, or none of the message.
  const recipients = fields.has("final-recipient") ? groups : others;
  const original = parts.find(({ type }) => returnedTypes.has(type));
  return {
    kind: feedback === undefined ? "dsn" : "arf",
    fields,
    recipients: recipients.slice(0, RECIPIENTS_MAX),
    sentTo: [
      ...(mail.to ?? []).map(({ address }) => address ?? ""),
      ...mail.headers
        .filter(({ key }) => key === "delivered-to" || key === "x-original-to")
        .map(({ value }) => value.trim()),
    ].slice(0, ADDRESSES_MAX),
    returned: await returnedOf(original?.text ?? ""),
  };
}

async function parse(bytes: Uint8Array | string) {
  try {
    return await PostalMime.parse(bytes, {
      forceRfc822Attachments: true,
      attachmentEncoding: "utf8",
      maxNestingDepth: DEPTH_MAX,
    });
  } catch {
    // Nested deeper than that, or a header beyond the parser's bounds: nobody's report.
    return undefined;
  }
}

/** Groups of fields with empty lines between (RFC 3464 2.1); a line that begins with a space goes on with the field before it. */
function groupsOf(text: string): Map<string, string>[] {
  const groups: Map<string, string>[] = [];
  let group: Map<string, string> | undefined;
  let last = "";
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "") {
      group = undefined;
      continue;
    }
    if (group === undefined) {
      if (groups.length > RECIPIENTS_MAX) break;
      group = new Map();
      groups.push(group);
    }
    if (/^[ \t]/.test(line)) {
      const before = group.get(last);
      if (before !== undefined) group.set(last, `${before} ${line.trim()}`.slice(0, VALUE_MAX));
      continue;
    }
    const colon = line.indexOf(":");
    last = line.slice(0, Math.max(0, colon)).trim().toLowerCase();
    if (colon <= 0 || group.has(last) || group.size >= FIELDS_MAX) last = "";
    else
      group.set(
        last,
        line
          .slice(colon + 1)
          .trim()
          .slice(0, VALUE_MAX),
      );
  }
  return groups;
}

async function returnedOf(text: string): Promise<Returned> {
  const nothing = { messageId: null, from: null, subject: null, returnPath: null };
  const head = text.slice(0, HEADER_MAX).split(/\r?\n\r?\n/, 1)[0] ?? "";
  const mail = head === "" ? undefined : await parse(`${head}\r\n\r\n`);
  if (mail === undefined) return nothing;
  const value = (name: string): string | undefined =>
    mail.headers.find(({ key }) => key === name)?.value.trim();
  return {
    messageId: /<[^<>\s]+>/.exec(value("message-id") ?? "")?.[0] ?? null,
    from: mail.from?.address ?? null,
    subject: mail.subject ?? null,
    returnPath: value("return-path")?.replace(/^<|>$/g, "") ?? null,
  };
}
