// The built-in inbox as the API shows it. Messages lie in files that never change (mail/inbox.ts); they are parsed when somebody looks,
// and what a list needs of them is remembered.
import { closeSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";
import PostalMime, { type Address, type Email } from "postal-mime";
import { soughtAddress } from "../mail/address.ts";
import {
  INBOX_FACTS_BYTES_MAX,
  type InboxFacts,
  inboxFile,
  inboxId,
  isInboxId,
  unpackInboxFacts,
} from "../mail/inbox.ts";
import type { Answer, InboxFilter, InboxItem, InboxView } from "../mail/query.ts";
import { noTexts, textsOf } from "./texts.ts";

/** What is read of a message for a list: its header, mostly. */
const HEAD_BYTES = 65_536;
/** A larger message is shown with its header alone: parsing it would hold up every other question. */
const SHOWN_BYTES_MAX = 16_000_000;
/** Messages that one filter looks at, the newest first. */
const SEARCHED_MAX = 5_000;
const REMEMBERED_MAX = 5_000;

export interface Inbox {
  list(filter: InboxFilter): Promise<Answer>;
  one(id: string): Promise<Answer>;
}

export function createInbox(folder: string): Inbox {
  const remembered = new Map<string, InboxItem>();

  const itemOf = async (id: string): Promise<InboxItem | undefined> => {
    const known = remembered.get(id);
    if (known !== undefined) return known;
    const file = readFile(join(folder, inboxFile(id)), HEAD_BYTES);
    if (file === undefined) return undefined;
    const item = itemView(id, file, await PostalMime.parse(headerOf(file.bytes)));
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(id, item);
    return item;
  };

  return {
    async list(filter) {
      const { after, before, limit } = filter;
      const cursor = after ?? before;
      if (cursor !== undefined && !isInboxId(cursor))
        return { kind: "invalid", field: after === undefined ? "before" : "after", detail: NO_ID };
      if (after !== undefined && before !== undefined)
        return { kind: "invalid", field: "before", detail: "It cannot be combined with after." };
      const ids = idsIn(folder).filter((id) => inRange(id, filter));
      const data: InboxItem[] = [];
      // The nearest to the cursor come first, in whichever direction it goes.
      const order = before === undefined ? ids : [...ids].reverse();
      let searched = 0;
      let more = false;
      for (const id of order) {
        if (data.length > limit || searched++ >= SEARCHED_MAX) {
          more = true;
          break;
        }
        const item = await itemOf(id);
        if (item !== undefined && matches(item, filter)) data.push(item);
      }
      const page = data.slice(0, limit);
      if (before !== undefined) page.reverse();
      const has_more = more || data.length > limit;
      return { kind: "found", view: { object: "list", has_more, data: page } };
    },
    async one(id) {
      const path = isInboxId(id) ? join(folder, inboxFile(id)) : undefined;
      const file = path === undefined ? undefined : readFile(path, SHOWN_BYTES_MAX);
      if (file === undefined) return { kind: "missing" };
      const bytes = file.isWhole ? file.bytes : headerOf(file.bytes);
      const email = await PostalMime.parse(bytes);
      return { kind: "found", view: inboxView(id, file, email) };
    },
  };
}

const NO_ID = "It is no id of a message in the inbox.";

/** The newest first. */
function idsIn(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const ids = names.flatMap((name) => inboxId(name) ?? []);
  return ids.sort((a, b) => (a < b ? 1 : -1));
}

function inRange(id: string, { after, before }: InboxFilter): boolean {
  return (after === undefined || id < after) && (before === undefined || id > before);
}

interface InboxFile {
  readonly facts: InboxFacts;
  /** Of the message itself, or of its beginning. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly isWhole: boolean;
  /** Of the message itself. */
  readonly sizeBytes: number;
}

/** Undefined: it is gone, or a power cut has left nothing of it. */
function readFile(path: string, bytesMax: number): InboxFile | undefined {
  let handle: number;
  try {
    handle = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(handle);
    const start = read(handle, Math.min(size, HEAD_BYTES));
    let lineEnd = start.indexOf(LF);
    if (lineEnd < 0) lineEnd = read(handle, Math.min(size, INBOX_FACTS_BYTES_MAX)).indexOf(LF);
    if (lineEnd < 0) return undefined;
    const whole = read(handle, Math.min(size, lineEnd + 1 + bytesMax));
    const facts = unpackInboxFacts(Buffer.from(whole.subarray(0, lineEnd)).toString());
    if (facts === undefined) return undefined;
    const sizeBytes = size - lineEnd - 1;
    return { facts, bytes: whole.subarray(lineEnd + 1), isWhole: sizeBytes <= bytesMax, sizeBytes };
  } finally {
    closeSync(handle);
  }
}

const LF = 0x0a;

function read(handle: number, count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  let done = 0;
  while (done < count) {
    const read = readSync(handle, bytes, done, count - done, done);
    if (read === 0) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

function headerOf(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const end = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("\r\n\r\n");
  return end < 0 ? bytes : bytes.subarray(0, end + 2);
}

function itemView(id: string, { facts, sizeBytes }: InboxFile, email: Email): InboxItem {
  return {
    object: "inbox_message",
    id,
    received_at: facts.received_at,
    envelope: { from: facts.from, to: facts.to },
    message_id: email.messageId ?? null,
    from: email.from === undefined ? null : shown(email.from),
    to: listOf(email.to),
    subject: email.subject ?? "",
    size_bytes: sizeBytes,
  };
}

function inboxView(id: string, file: InboxFile, email: Email): InboxView {
  return {
    ...itemView(id, file, email),
    cc: listOf(email.cc),
    reply_to: listOf(email.replyTo),
    headers: email.headers.map(({ key, originalKey, value }) => ({
      name: originalKey ?? key,
      value,
    })),
    ...(file.isWhole ? textsOf(email) : noTexts),
    attachments: email.attachments.map(
      ({ filename, mimeType, contentId, disposition, content }) => ({
        filename,
        content_type: mimeType,
        content_id: contentId?.replace(/^<|>$/g, "") ?? null,
        disposition: disposition ?? null,
        size_bytes: typeof content === "string" ? Buffer.byteLength(content) : content.byteLength,
      }),
    ),
    header_only: !file.isWhole,
  };
}

function listOf(addresses: readonly Address[] | undefined): readonly string[] {
  return (addresses ?? []).flatMap((one) => one.group?.map(shown) ?? [shown(one)]);
}

function shown({ name, address = "" }: Address): string {
  return name === "" ? address : `${name} <${address}>`;
}

function matches(item: InboxItem, { to, from, subject }: InboxFilter): boolean {
  if (to !== undefined && !item.envelope.to.some((one) => isSame(one, to))) return false;
  if (from !== undefined && !isSame(item.envelope.from, from) && !holds(item.from ?? "", from))
    return false;
  return subject === undefined || holds(item.subject, subject);
}

const isSame = (a: string, b: string): boolean => soughtAddress(a) === soughtAddress(b);
const holds = (text: string, part: string): boolean =>
  text.toLowerCase().includes(part.toLowerCase());
