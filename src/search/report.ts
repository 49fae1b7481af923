// A report that came back is matched to its message: by the address that the message left with and the report came back to, or by the
// header of the message that it brings. What names a message of ours and is wrong about it is forged, and nothing of it is believed.
import { soughtAddress } from "../mail/address.ts";
import { type HostTag, idOf, type MessageId, uuidOf } from "../mail/id.ts";
import type { Finding, ReportAbout, ReportKind, ReportView } from "../mail/report.ts";
import { REASON_MAX } from "../mail/suppression.ts";
import { bareAddress } from "./terms.ts";
import { type Connection, termKey } from "./index-file.ts";
import { listSql } from "./list.ts";
import { type Fields, readReport, type ReportParts } from "./reportParts.ts";
import type { Stored, StoredMessage, StoredRecipient } from "./stored.ts";

/** Messages of one Message-ID that are looked at: callers may give the same one to many. */
const SAME_ID_MAX = 20;
const HOST_MAX = 255;

interface Candidate {
  readonly message: StoredMessage;
  readonly recipients: readonly StoredRecipient[];
}

export function createReports(index: Connection, stored: Stored, tag: HostTag) {
  const byTerm = index.prepare(listSql.newest);

  const load = (id: MessageId): Candidate[] => {
    const message = stored.message(id);
    return message === undefined ? [] : [{ message, recipients: stored.recipients(id) }];
  };

  /** The report came back to the address that a message left with, which names that message. */
  const byReturnPath = (addresses: readonly string[]): Candidate[] =>
    addresses.flatMap((address) => {
      const uuid = UUID.exec(address)?.[0];
      const id = uuid === undefined ? undefined : idOf(uuid, tag);
      const found = id === undefined ? [] : load(id);
      return found.filter(({ message }) => same(message.sender, address));
    });

  const byMessageId = (messageId: string): Candidate[] => {
    const uuid = UUID.exec(messageId)?.[0];
    const own = uuid === undefined ? undefined : idOf(uuid, tag);
    const rows = byTerm.values(
      ...([termKey("message_id", messageId), 0, Number.MAX_SAFE_INTEGER, SAME_ID_MAX] as const),
    );
    const ids = new Set([...(own === undefined ? [] : [own]), ...rows.map(([id]) => id as number)]);
    return [...ids].flatMap(load).filter(({ message }) => message.facts.message_id === messageId);
  };

  /** `forged`: a message is named, and what is said of it is not so. */
  const candidatesOf = (parts: ReportParts, sentTo: readonly string[]): Candidate[] | "forged" => {
    const { returned, fields } = parts;
    const paths = [...sentTo, ...parts.sentTo, returned.returnPath ?? "", bare(fields, MAIL_FROM)];
    const byPath = byReturnPath(paths);
    const { messageId } = returned;
    const byId = messageId === null ? [] : byMessageId(messageId);
    if (byPath.length > 0) {
      const agree = byPath.filter(({ message }) => messageId === null || isNamed(message, byId));
      return agree.length > 0 ? agree : "forged";
    }
    if (byId.length === 0) return [];
    // Message-IDs can be guessed by who has one; what else stood in the message less so.
    const agree = byId.filter(({ message }) => agrees(message, parts));
    return agree.length > 0 ? agree : "forged";
  };

  return async function report(bytes: Uint8Array, sentTo: readonly string[]): Promise<ReportView> {
    const parts = await readReport(bytes);
    if (parts === undefined) return { kind: "other", findings: [none("unmatched")] };
    const { kind } = parts;
    const candidates = candidatesOf(parts, sentTo);
    if (candidates === "forged") return { kind, findings: [none("forged")] };
    const said = kind === "dsn" ? bouncesOf(parts) : complaintsOf(parts, candidates);
    if (said.length === 0) return { kind, findings: [none("unmatched")] };
    return { kind, findings: said.map((one) => find(one, candidates, kind)) };
  };

  function find(said: Said, candidates: readonly Candidate[], kind: ReportKind): Finding {
    const recipient = said.addresses[0] ?? null;
    if (!said.counts) return { outcome: "ignored", recipient };
    for (const { message, recipients } of candidates) {
      const found = recipients.find(({ address }) =>
        said.addresses.some((one) => same(one, address)),
      );
      if (found === undefined) continue;
      const about: ReportAbout = {
        message: message.id,
        email_id: uuidOf(message.id, tag),
        n: found.n,
        recipient: found.address,
        report: kind === "dsn" ? "bounced" : "complained",
        enhanced: said.enhanced,
        text: said.text,
        by: said.by,
        suppress: kind === "arf" || MAILBOX_GONE.test(said.enhanced),
      };
      return { outcome: "matched", about };
    }
    return { outcome: "unmatched", recipient };
  }
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i;
const MAIL_FROM = "original-mail-from";

/**
 * Of RFC 3463 3.2 those that speak of the mailbox: not there, not an address, moved away, takes no mail. X.1.2 is what a server says that
 * did not find the domain, which is the DNS's word; X.1.7 and X.1.8 are about the sender.
 */
const MAILBOX_GONE = /^5\.1\.(1|3|6|10)$/;

const none = (outcome: "unmatched" | "forged"): Finding => ({ outcome, recipient: null });

const same = (a: string, b: string): boolean => soughtAddress(a) === soughtAddress(b);

/** Whether a caller's own Message-ID, which several messages may have, is that of this one too. */
function isNamed(message: StoredMessage, byId: readonly Candidate[]): boolean {
  return byId.some((one) => one.message.id === message.id);
}

function agrees({ facts }: StoredMessage, { returned: { from, subject } }: ReportParts): boolean {
  if (from === null || bareAddress(facts.from) !== bareAddress(from)) return false;
  // A filter on the way may have put its mark before it.
  return subject === null || plain(subject).endsWith(plain(facts.subject));
}

const plain = (text: string): string => text.replace(/\s+/g, " ").trim().toLowerCase();

/** What is said of one recipient. */
interface Said {
  readonly addresses: readonly string[];
  /** It tells a failure or a complaint. */
  readonly counts: boolean;
  readonly enhanced: string;
  readonly text: string;
  readonly by: string;
}

function bouncesOf({ fields, recipients }: ReportParts): Said[] {
  return recipients.map((one) => {
    const status = /^\s*([245]\.\d{1,3}\.\d{1,3})\b/.exec(one.get("status") ?? "")?.[1] ?? "";
    const diagnostic = (one.get("diagnostic-code") ?? "").replace(/^[^;\s]{1,40};\s*/, "");
    return {
      addresses: addressesOf([one.get("original-recipient"), one.get("final-recipient")]),
      counts: FAILED.test(one.get("action") ?? "") && !status.startsWith("2"),
      enhanced: status,
      text: shown(diagnostic === "" ? "returned without a reason" : diagnostic, REASON_MAX),
      by: hostOf(one.get("remote-mta") ?? fields.get("reporting-mta")),
    };
  });
}

/** A comment may follow. */
const FAILED = /^failed(?:\s|\(|$)/i;

/** RFC 5965 3.1; RFC 6591 has reports about authentication, which nobody complains in. */
const complaints = new Set(["abuse", "fraud", "virus", "other", "opt-out", "opt-out-list"]);

function complaintsOf({ fields }: ReportParts, candidates: readonly Candidate[]): Said[] {
  const type = (fields.get("feedback-type") ?? "").toLowerCase();
  const named = addressesOf([fields.get("original-rcpt-to")]);
  // Many providers leave it out or make it unreadable; of a message with one recipient it need not be said.
  const only = candidates.flatMap(({ recipients: [first, second] }) =>
    first !== undefined && second === undefined ? [first.address] : [],
  );
  const agent = shown(fields.get("user-agent") ?? "", REASON_MAX);
  return [
    {
      addresses: [...named, ...only],
      counts: complaints.has(type),
      enhanced: "",
      text: `${shown(type, 40)}${agent === "" ? "" : ` (${agent})`}`,
      by: hostOf(fields.get("reporting-mta")),
    },
  ];
}

/**
 * `rfc822; ann@example.com`, perhaps with a comment, or the address alone; xtext of an ORCPT that nobody has decoded (RFC 3461 4), and what
 * stands for other letters in 7 bits (RFC 6533 3).
 */
function addressesOf(values: readonly (string | undefined)[]): string[] {
  return values.flatMap((value) => {
    if (value === undefined) return [];
    const address = value.replace(/^[a-z0-9-]{1,20}\s*;\s*/i, "").replace(/\s+\([^()]*\)\s*$/, "");
    const bare = address.trim().replace(/^<|>$/g, "");
    if (!bare.includes("@")) return [];
    const decoded = bare
      .replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
      .replace(/\\x\{(0{0,4}[0-9A-F]{2,5})\}/gi, (_, hex: string) =>
        String.fromCodePoint(parseInt(hex, 16)),
      );
    return decoded === bare ? [bare] : [bare, decoded];
  });
}

function bare(fields: Fields, name: string): string {
  return addressesOf([fields.get(name)])[0] ?? "";
}

/** `dns; mx.example.com (192.0.2.1)`. */
function hostOf(value: string | undefined): string {
  const host = (value ?? "").replace(/^[a-z0-9-]{1,20}\s*;\s*/i, "").split(/\s/, 1)[0] ?? "";
  return shown(host, HOST_MAX);
}

/** Foreign words in our timeline: in one line, and without what steers a terminal. */
function shown(text: string, max: number): string {
  return text
    .replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g, " ")
    .trim()
    .slice(0, max);
}
