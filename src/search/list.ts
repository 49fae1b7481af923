// GET /emails: one term leads through the index in order of message, and whatever else is asked is checked against what is
// stored now. Each page looks at a bounded number of candidates.
import { idOf, IDS_PER_MS, type HostTag, type MessageId } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import type { Answer, EmailView, ListFilter, ListView } from "../mail/query.ts";
import { type StateName, stateNumber } from "../mail/state.ts";
import { traceIdOf, uuidOfTrace } from "../mail/traceContext.ts";
import { emailView } from "./email.ts";
import { bareAddress } from "./terms.ts";
import { type Prepare, termKey, type TermKind } from "./index-file.ts";
import type { IdRange, Order, Stored, StoredMessage, StoredRecipient } from "./stored.ts";
import { noTexts } from "./texts.ts";

/** Candidates that one page looks at. A page that ends here says `has_more` and is shorter than was asked. */
const CANDIDATES_MAX = 5000;
const CANDIDATES_STEP = 200;
/** Above every message id. */
const ID_END: MessageId = Number.MAX_SAFE_INTEGER;

export const listSql = {
  newest: `SELECT message FROM term WHERE key = ?1 AND message > ?2 AND message < ?3
    ORDER BY message DESC LIMIT ?4`,
  oldest: `SELECT message FROM term WHERE key = ?1 AND message > ?2 AND message < ?3
    ORDER BY message LIMIT ?4`,
} as const;

interface Span {
  readonly above: MessageId;
  readonly below: MessageId;
  readonly order: Order;
}

export function createList(prepare: Prepare, stored: Stored, tag: HostTag) {
  const newest = prepare(listSql.newest);
  const oldest = prepare(listSql.oldest);

  const byTerm =
    (kind: TermKind, value: string): IdRange =>
    (above, below, limit, order) => {
      const statement = order === "newest" ? newest : oldest;
      const rows = statement.values(termKey(kind, value), above, below, limit) as [MessageId][];
      return rows.map(([id]) => id);
    };

  const sourceOf = (filter: ListFilter): IdRange => {
    const { message_id, reference, to, tag: label, from, domain, status, trace } = filter;
    if (message_id !== undefined) return byMessageId(message_id);
    if (trace !== undefined) return byTrace(trace.toLowerCase());
    if (reference !== undefined) return byTerm("reference", reference);
    if (to !== undefined) return byTerm("to", bareAddress(to));
    if (label !== undefined) return byTerm("tag", label);
    if (from !== undefined) return byTerm("from", bareAddress(from));
    if (domain !== undefined) return byTerm("domain", domain.toLowerCase());
    if (status !== undefined) return merged(status);
    return stored.ids;
  };

  /** Ours hold the message's own UUID and have no row; the caller's own are in the index. */
  const byMessageId = (messageId: string): IdRange => {
    const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i.exec(messageId)?.[0];
    const own = uuid === undefined ? undefined : idOf(uuid, tag);
    if (own === undefined || stored.stateBits(own) === 0) return byTerm("message_id", messageId);
    return only(own);
  };

  /** Our own is the message's UUID and has no row; a caller's may be that of many messages. */
  const byTrace = (traceId: string): IdRange => {
    const uuid = uuidOfTrace(traceId);
    const own = uuid === undefined ? undefined : idOf(uuid, tag);
    return own === undefined ? byTerm("trace", traceId) : only(own);
  };

  /**
   * The index knows the state of the last event. A claim, its return and a release make no event, so what waits may stand there as
   * sending or held, and what is being sent stands wherever it waited.
   */
  const merged = (status: NonNullable<ListFilter["status"]>): IdRange => {
    if (status === "sending") return stored.sendingIds;
    const names = candidateStates(status);
    const sources = names.map((name) => byTerm("state", String(stateNumber[name])));
    return (above, below, limit, order) => {
      const found = new Set(sources.flatMap((source) => source(above, below, limit, order)));
      const sorted = [...found].sort((a, b) => (order === "newest" ? b - a : a - b));
      return sorted.slice(0, limit);
    };
  };

  return function list(filter: ListFilter): Answer {
    const span = spanOf(filter, tag);
    if ("kind" in span) return span;
    const source = sourceOf(filter);
    const views: EmailView[] = [];
    let { above, below } = span;
    let looked = 0;
    let ended = false;
    // One more than the page tells whether there is more.
    while (views.length <= filter.limit && looked < CANDIDATES_MAX && !ended) {
      const ids = source(above, below, CANDIDATES_STEP, span.order);
      ended = ids.length < CANDIDATES_STEP;
      looked += ids.length;
      for (const id of ids) {
        if (span.order === "newest") below = id;
        else above = id;
        const message = stored.message(id);
        if (message === undefined) continue;
        const recipients = stored.recipients(id);
        if (!matches(filter, message, recipients, stored)) continue;
        if (!isOfTrace(filter, message, tag)) continue;
        views.push(emailView(message, recipients, { tag, texts: noTexts }));
        if (views.length > filter.limit) break;
      }
    }
    const data = views.slice(0, filter.limit);
    if (span.order === "oldest") data.reverse();
    const view: ListView<EmailView> = {
      object: "list",
      has_more: views.length > filter.limit || !ended,
      data,
    };
    return { kind: "found", view };
  };
}

const only =
  (own: MessageId): IdRange =>
  (above, below) =>
    own > above && own < below ? [own] : [];

function candidateStates(
  status: Exclude<NonNullable<ListFilter["status"]>, "sending">,
): StateName[] {
  switch (status) {
    case "dead":
      return ["bounced", "expired"];
    case "scheduled":
    case "queued":
    case "deferred":
      return ["scheduled", "queued", "held", "deferred", "sending"];
    default:
      return [status];
  }
}

/** `after` goes on to older messages and `before` back to newer ones, as in Resend's lists, which are newest first. */
function spanOf(filter: ListFilter, tag: HostTag): Span | Answer {
  const cursors = { after: filter.after, before: filter.before };
  const ids: Partial<Record<"after" | "before", MessageId>> = {};
  for (const field of ["after", "before"] as const) {
    const uuid = cursors[field];
    if (uuid === undefined) continue;
    const id = idOf(uuid, tag);
    if (id === undefined) return invalid(field, "must be the id of an email of this server");
    ids[field] = id;
  }
  if (ids.after !== undefined && ids.before !== undefined) {
    return invalid("before", "cannot be combined with after");
  }
  const times: Partial<Record<"since" | "until", number>> = {};
  for (const field of ["since", "until"] as const) {
    const text = filter[field];
    if (text === undefined) continue;
    const at = Date.parse(text);
    if (Number.isNaN(at)) return invalid(field, "must be a time as in RFC 3339");
    times[field] = at;
  }
  const since = times.since === undefined ? 0 : times.since * IDS_PER_MS - 1;
  const until = times.until === undefined ? ID_END : times.until * IDS_PER_MS;
  return {
    above: Math.max(since, ids.before ?? 0),
    below: Math.min(until, ids.after ?? ID_END),
    order: ids.before === undefined ? "newest" : "oldest",
  };
}

function invalid(field: string, detail: string): Answer {
  return { kind: "invalid", field, detail };
}

function isOfTrace({ trace }: ListFilter, message: StoredMessage, tag: HostTag): boolean {
  return trace === undefined || traceIdOf(message.id, tag, message.trace) === trace.toLowerCase();
}

function matches(
  filter: ListFilter,
  { id, facts, spool }: StoredMessage,
  recipients: readonly StoredRecipient[],
  stored: Stored,
): boolean {
  const { status, to, from, domain, tag, reference } = filter;
  if (status === "dead") {
    if (!recipients.some(({ state }) => state === "bounced" || state === "expired")) return false;
    if (spool === null && !stored.hasBody(id)) return false;
  } else if (status !== undefined && !recipients.some((one) => one.state === status)) {
    return false;
  }
  const wanted = to === undefined ? undefined : bareAddress(to);
  const inDomain = domain?.toLowerCase();
  return (
    (wanted === undefined || recipients.some((one) => one.address.toLowerCase() === wanted)) &&
    (inDomain === undefined ||
      recipients.some((one) => domainOf(one.address).toLowerCase() === inDomain)) &&
    (from === undefined || bareAddress(facts.from) === bareAddress(from)) &&
    (reference === undefined || facts.reference === reference) &&
    (filter.message_id === undefined || facts.message_id === filter.message_id) &&
    (tag === undefined ||
      facts.tags.some(({ name, value }) => name === tag || `${name}=${value}` === tag))
  );
}
