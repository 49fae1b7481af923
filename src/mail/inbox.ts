// A message that the built-in sink took, as a file: what SMTP said of it in the first line, and behind it the message to the octet.
// Written by sender threads, read by the reader, removed by the door.

export interface InboxFacts {
  readonly from: string;
  readonly to: readonly string[];
  /** RFC 3339. */
  readonly received_at: string;
}

export const INBOX_FACTS_BYTES_MAX = 400_000;

const NAME = /^([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})\.eml$/;

/** Ids begin with the time, so their names sort by it. */
export function inboxFile(id: string): string {
  return `${id}.eml`;
}

/** Undefined for what lies there besides, such as a file that is being written. */
export function inboxId(file: string): string | undefined {
  return NAME.exec(file)?.[1];
}

export function isInboxId(text: string): boolean {
  return NAME.test(inboxFile(text));
}

export function packInboxFacts(facts: InboxFacts): string {
  return `${JSON.stringify(facts)}\n`;
}

/** Undefined for what `packInboxFacts` did not write: the files are not synced, so a power cut may leave anything. */
export function unpackInboxFacts(line: string): InboxFacts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { from, to, received_at } = value as Readonly<Record<string, unknown>>;
  const isWhole = typeof from === "string" && typeof received_at === "string" && Array.isArray(to);
  return isWhole ? (value as InboxFacts) : undefined;
}
