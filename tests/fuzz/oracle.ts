// Whether what the door did with a case can be right: judged by the octets that would go out and by the envelope, without asking any
// code of the product what it thinks. Every accepted message is looked at; some are read back by a parser that we did not write.
import { createHash } from "node:crypto";
import { domainToASCII } from "node:url";
import { simpleParser } from "mailparser";
import type { Submission } from "../../src/mail/submission.ts";
import { knownAddresses, type Message } from "./message.ts";

export type Body = Buffer;

/** What is wrong with it; undefined when nothing is. */
export type Verdict = string | undefined;

const first = (verdicts: Iterable<Verdict>): Verdict => {
  for (const verdict of verdicts) if (verdict !== undefined) return verdict;
  return undefined;
};

/** True of whatever was accepted. */
export function soundFault({ head }: Submission, body: Body): Verdict {
  if (body.length !== head.sizeBytes) return `it has ${body.length} bytes, not ${head.sizeBytes}`;
  if (createHash("sha256").update(body).digest("base64url") !== head.sha256)
    return "its sum differs";
  const text = body.toString("latin1");
  if (/\r(?!\n)|(?<!\r)\n/.test(text)) return "a bare CR or LF";
  if (!text.endsWith("\r\n")) return "it does not end its last line";
  if (!head.eightBit && /[\x80-\xff]/.test(text)) return "octets above 127 that are not declared";
  const header = text.slice(0, text.indexOf("\r\n\r\n") + 2);
  if (header.includes("\0") && head.facts.includes('"message_id"') === false)
    return "a NUL in its header";
  for (const line of text.split("\r\n")) if (line.length > 998) return "a line above 998 octets";
  return envelopeFault(head.from, head.recipients);
}

/** One address as it stands in `RCPT TO:<...>`: nothing in it may end the command or begin another argument. */
const addressShape =
  /^(?:"(?:[^"\\\0-\x1f\x7f]|\\[^\0-\x1f\x7f])*"|[^\s"(),:;<>@[\\\]\0-\x1f\x7f]+)@(?:\[[0-9A-Za-z.:]+\]|[^\s"(),:;<>@[\\\]\0-\x1f\x7f]+)$/;

function envelopeFault(from: string, recipients: readonly string[]): Verdict {
  if (from !== "" && !addressShape.test(from)) return `MAIL FROM:<${JSON.stringify(from)}>`;
  if (recipients.length === 0) return "nobody gets it";
  if (new Set(recipients).size < recipients.length) return "somebody gets it twice";
  const bad = recipients.find((one) => !addressShape.test(one) || one.length > 320);
  return bad === undefined ? undefined : `RCPT TO:<${JSON.stringify(bad)}>`;
}

// -- composed messages

const lists = ["to", "cc", "bcc"] as const;
const textsOf = (value: unknown): readonly string[] =>
  [value ?? []].flat().filter((one): one is string => typeof one === "string");

/** What a composed message owes to what was meant. */
export function composedFault({ head }: Submission, body: Body, meant: Message): Verdict {
  const text = body.toString("latin1");
  const header = text.slice(0, text.indexOf("\r\n\r\n") + 2);
  return first([
    recipientsFault(
      head.recipients,
      lists.flatMap((name) => textsOf(meant[name])),
    ),
    senderFault(head.from, meant),
    fieldsFault(namesOf(header), meant),
    valuesFault(header, meant),
  ]);
}

/** One for each address that was written, and where it is known beforehand which one. */
function recipientsFault(recipients: readonly string[], texts: readonly string[]): Verdict {
  const wanted = new Set(texts.map((text) => knownAddresses.get(text)));
  for (const one of wanted)
    if (one !== undefined && !recipients.includes(one)) return `${one} was lost`;
  if (recipients.length > new Set(texts).size)
    return `of ${texts.length} addresses ${recipients.length}`;
  for (const one of recipients) {
    if (wanted.has(one)) continue;
    const found = texts.some((text) => isWithin(one, text));
    if (!found) return `${JSON.stringify(one)} was never written`;
  }
  return undefined;
}

/** The local part letter by letter, the domain in some spelling of its own. */
function isWithin(address: string, text: string): boolean {
  const at = address.lastIndexOf("@");
  const local = address.slice(0, at);
  const bare = local.startsWith('"') ? local.slice(1, -1).replace(/\\(.)/g, "$1") : local;
  const unquoted = text.replace(/\\(.)/gu, "$1");
  const domains = text
    .split("@")
    .slice(1)
    .map((rest) => rest.replace(/[>\s(].*$/su, ""));
  const same = (one: string): boolean =>
    one.toLowerCase() === address.slice(at + 1).toLowerCase() ||
    domainToASCII(one) === address.slice(at + 1);
  return (
    (unquoted.includes(bare) || text.includes(local)) &&
    (domains.some(same) || text.toLowerCase().includes(address.slice(at + 1)))
  );
}

function senderFault(from: string, meant: Message): Verdict {
  const path = meant["return_path"];
  const author = knownAddresses.get(String(meant["from"]));
  if (path === undefined && author !== undefined && from !== author) return `sender ${from}`;
  if (path === "bounces+{id}@example.com" && !/^bounces\+[0-9a-f-]{36}@example\.com$/.test(from))
    return `sender ${from}`;
  return undefined;
}

function namesOf(header: string): string[] {
  return header
    .split(/\r\n(?![ \t])/)
    .filter((line) => line !== "")
    .map((line) => line.slice(0, Math.max(0, line.indexOf(":"))).toLowerCase());
}

const always = ["date", "from", "subject", "message-id", "mime-version", "content-type"];

/** No field but those that were meant, and each once. */
function fieldsFault(names: readonly string[], meant: Message): Verdict {
  const given = Object.keys((meant["headers"] as object | undefined) ?? {}).map((one) =>
    one.toLowerCase(),
  );
  const own = given.filter((one) => !["date", "message-id", "reply-to"].includes(one));
  const cc = textsOf(meant["cc"]).length > 0;
  const replies = textsOf(meant["reply_to"]).length > 0 || given.includes("reply-to");
  const expected = [
    ...[...always, ...own],
    ...(textsOf(meant["to"]).length > 0 || !cc ? ["to"] : []),
    ...(cc ? ["cc"] : []),
    ...(replies ? ["reply-to"] : []),
  ].sort();
  const found = names.filter((name) => name !== "content-transfer-encoding").sort();
  return found.join() === expected.join()
    ? undefined
    : `fields ${found.join()}, not ${expected.join()}`;
}

/** Of the caller's own fields, as far as ASCII can be compared. */
function valuesFault(header: string, meant: Message): Verdict {
  const given = Object.entries((meant["headers"] as object | undefined) ?? {});
  const unfolded = header.replace(/\r\n(?=[ \t])/g, "");
  for (const [name, value] of given) {
    if (/^(?:date|message-id|reply-to)$/i.test(name) || typeof value !== "string") continue;
    if (!/^[\x21-\x7e][\x20-\x7e]*$/.test(value) || value.length > 500 || value.includes("=?"))
      continue;
    const flat = `${name}: ${value}`.replace(/ +/g, " ").trim();
    const found = unfolded
      .split("\r\n")
      .some((line) => line.replace(/[ \t]+/g, " ").trim() === flat);
    if (!found) return `the field ${JSON.stringify(flat)} is not there`;
  }
  return undefined;
}

// -- as others read it

const bare = (text: string): string => text.replace(/[\s\ufeff\u200b]/gu, "");
const isPlain = (text: string): boolean =>
  !/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(text) && text.isWellFormed();

/** By mailparser: the subject, the text and the files are those that were meant. */
export async function readBackFault(body: Body, meant: Message): Promise<Verdict> {
  const mail = await simpleParser(body, {
    skipTextToHtml: true,
    skipHtmlToText: true,
    skipImageLinks: true,
  });
  const { subject, text, html } = meant;
  if (typeof subject === "string" && bare(mail.subject ?? "") !== bare(subject))
    return `subject ${JSON.stringify(mail.subject)}, not ${JSON.stringify(subject)}`;
  if (typeof text === "string" && isPlain(text) && bare(mail.text ?? "") !== bare(text))
    return `text ${JSON.stringify(mail.text)}, not ${JSON.stringify(text)}`;
  if (typeof html === "string" && isPlain(html) && bare(mail.html || "") !== bare(html))
    return `html ${JSON.stringify(mail.html)}`;
  const files = (meant["attachments"] as readonly Message[] | undefined) ?? [];
  if (mail.attachments.length !== files.length)
    return `${mail.attachments.length} attachments, not ${files.length}`;
  const found = mail.attachments.map((one) => sumOf(one.content)).sort();
  const wanted = files.map(({ content }) => sumOf(contentOf(content))).sort();
  return found.join() === wanted.join() ? undefined : "the octets of an attachment differ";
}

function contentOf(content: unknown): Uint8Array {
  if (content instanceof Uint8Array) return content;
  if (typeof content === "string") return Buffer.from(content.replace(/\s/g, ""), "base64");
  return Uint8Array.from((content as { data: number[] }).data);
}

const sumOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
