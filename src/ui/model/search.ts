// The search for messages: what stands in its form, in the address, and in the question to the API. What somebody pastes into the one text
// field is mostly the id, the Message-ID or the address that a customer read out.

export const searchFields = [
  ["to", "Recipient"],
  ["from", "Sender"],
  ["domain", "Recipient's domain"],
  ["message_id", "Message-ID"],
  ["reference", "Reference"],
  ["tag", "Tag, as name or name=value"],
  ["trace", "Trace id"],
] as const;
export type SearchField = (typeof searchFields)[number][0];

export interface Search {
  readonly field: SearchField;
  readonly text: string;
  /** Empty: any. */
  readonly status: string;
  /** As the field `datetime-local` has it, in UTC; empty: any. */
  readonly since: string;
  readonly until: string;
}

export const PAGE_ROWS = 25;

type Query = Readonly<Record<string, string>>;

export function searchIn(query: Query): Search {
  const field = searchFields.find(([name]) => query[name] !== undefined)?.[0] ?? "to";
  return {
    field,
    text: query[field] ?? "",
    status: query["status"] ?? "",
    since: query["since"] ?? "",
    until: query["until"] ?? "",
  };
}

/** For the address of the page. */
export function queryOf({ field, text, status, since, until }: Search): Query {
  return { [field]: text.trim(), status, since, until };
}

/** The path to ask, with the cursor that the address holds. */
export function emailsPath(query: Query): string {
  const search = searchIn(query);
  const asked = new URLSearchParams({ limit: String(PAGE_ROWS) });
  const filters = {
    [search.field]: search.text,
    status: search.status,
    since: inUtc(search.since),
    until: inUtc(search.until),
    after: query["after"] ?? "",
    before: query["before"] ?? "",
  };
  for (const [name, value] of Object.entries(filters)) if (value !== "") asked.set(name, value);
  return `/emails?${asked}`;
}

function inUtc(local: string): string {
  if (local === "" || local.endsWith("Z")) return local;
  return `${local}${local.length === "2026-11-23T13:45".length ? ":00" : ""}Z`;
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The id of a message, when the text is one. */
export function idIn(text: string): string | null {
  const trimmed = text.trim();
  return UUID.test(trimmed) ? trimmed.toLowerCase() : null;
}

/** The field that a pasted text certainly belongs to, whatever was chosen. */
export function fieldFor(text: string, chosen: SearchField): SearchField {
  const trimmed = text.trim();
  if (/^<[^<>\s]+@[^<>\s]+>$/.test(trimmed)) return "message_id";
  if (/^[0-9a-f]{32}$/i.test(trimmed)) return "trace";
  const isAddress = /^[^\s@<>]+@[^\s@<>]+$/.test(trimmed);
  if (chosen === "domain" && isAddress) return "to";
  return chosen;
}
