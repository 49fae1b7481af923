// The delivery log of a webhook, and what waits there for its next attempt.
import { iso } from "../base/clock.ts";
import type { HostTag } from "../mail/id.ts";
import type { Answer, FeedQuery, ListView, WebhookFilter } from "../mail/query.ts";
import {
  type HookAttempt,
  type HookAttemptView,
  hookEventId,
  type HookEventView,
  type HookPending,
  hookStatuses,
  PENDING_MAX,
} from "../mail/webhook.ts";
import type { FeedPage } from "../mail/eventView.ts";
import type { Connection } from "./index-file.ts";

const COLUMNS = "SELECT event, type, email, status, due, tries, log, at FROM webhook_event";

export const webhookSql = {
  pending: `SELECT event, type, email, due, tries FROM webhook_event INDEXED BY webhook_due
    WHERE webhook = ?1 AND status = 0 ORDER BY event LIMIT ${2 * PENDING_MAX}`,
  one: `${COLUMNS} WHERE webhook = ?1 AND event = ?2`,
  page: `${COLUMNS} INDEXED BY webhook_log WHERE webhook = ?1 AND (at, event) < (?2, ?3)
    ORDER BY at DESC, event DESC LIMIT ?4`,
} as const;

type Columns = [number, string, string, number, number | null, number, string, number];
type PendingColumns = [number, string, string, number, number];

const LAST = Number.MAX_SAFE_INTEGER;

export function createWebhookViews(
  { prepare }: Connection,
  tag: HostTag,
  feed: (query: FeedQuery) => FeedPage,
) {
  const pending = prepare(webhookSql.pending);
  const one = prepare(webhookSql.one);
  const page = prepare(webhookSql.page);
  const find = (webhook: number, event: number): Columns | undefined =>
    (one.values(webhook, event) as Columns[])[0];

  const viewOf = ([event, type, email, status, due, , log, at]: Columns): HookEventView => ({
    id: hookEventId(event, tag),
    type,
    email_id: email === "" ? null : email,
    created_at: iso(at),
    status: hookStatuses[status] ?? "pending",
    attempts: attemptsOf(log).length,
    next_attempt_at: due === null ? null : iso(due),
  });

  /** What is sent; null once the event's history is gone. */
  const payloadOf = (event: number): unknown => {
    if (event < 0) return null;
    const [found] = feed({ after: event - 1, limit: 1 }).events;
    return found?.id === event ? JSON.parse(found.body) : null;
  };

  return {
    pending: (webhook: number): HookPending[] =>
      (pending.values(webhook) as PendingColumns[]).map(([event, type, email, dueAt, tries]) => ({
        ...{ event, type, email, dueAt, tries },
      })),
    list({ webhook, limit, after }: WebhookFilter): Answer {
      let place: readonly [at: number, event: number] = [LAST, LAST];
      if (after !== undefined) {
        const row = find(webhook, after);
        if (row === undefined)
          return { kind: "invalid", field: "after", detail: "It must be an id of this list." };
        place = [row[7], row[0]];
      }
      const rows = page.values(webhook, ...place, limit + 1) as Columns[];
      const data = rows.slice(0, limit).map(viewOf);
      const view: ListView<HookEventView> = {
        ...{ object: "list", has_more: rows.length > limit, data },
      };
      return { kind: "found", view };
    },
    one(webhook: number, event: number): Answer {
      const row = find(webhook, event);
      if (row === undefined) return { kind: "missing" };
      const view = { object: "webhook_event", ...viewOf(row), payload: payloadOf(event) };
      return { kind: "found", view };
    },
    attempts(webhook: number, event: number): Answer {
      const row = find(webhook, event);
      if (row === undefined) return { kind: "missing" };
      const data = attemptsOf(row[6]).map(
        ({ at, status, text, durationMs }, i): HookAttemptView => ({
          id: `${hookEventId(event, tag)}_${i + 1}`,
          http_status_code: status,
          response: text,
          sent_at: iso(at),
          duration_ms: durationMs,
        }),
      );
      data.reverse();
      const view: ListView<HookAttemptView> = { object: "list", has_more: false, data };
      return { kind: "found", view };
    },
  };
}

function attemptsOf(log: string): HookAttempt[] {
  return JSON.parse(`[${log}]`) as HookAttempt[];
}
