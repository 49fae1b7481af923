// Webhooks in SQLite.
import {
  type HookEntry,
  hookStatuses,
  LOG_ATTEMPTS_MAX,
  LOG_EVENTS_MAX,
  type WebhookRecord,
  type WebhookSecret,
} from "../mail/webhook.ts";
import type { Prepare } from "./sqlite-open.ts";
import type { WebhookStore } from "./webhooks.ts";

interface Row {
  readonly number: number;
  readonly id: string;
  readonly endpoint: string;
  readonly events: string | null;
  readonly enabled: number;
  readonly why: string | null;
  readonly secrets: string;
  readonly cursor: number;
  readonly failing: number | null;
  readonly created: number;
}

const PENDING = hookStatuses.indexOf("pending");
/** The log is cut to its length once so much more is in it. */
const LOG_SLACK = 100;

/** Attempts of before stay in front of the new ones: a list of JSON values without its brackets. */
const PUT = `INSERT INTO webhook_event (webhook, event, type, email, status, due, tries, log, at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
  ON CONFLICT (webhook, event) DO UPDATE SET status = ?5, due = ?6, tries = ?7, at = ?9,
    log = CASE WHEN log = '' THEN ?8 WHEN ?8 = '' THEN log ELSE log || ',' || ?8 END
  RETURNING log`;
const TRIM = `DELETE FROM webhook_event WHERE webhook = ?1 AND status <> ${PENDING}
  AND at < (SELECT at FROM webhook_event WHERE webhook = ?1 AND status <> ${PENDING}
    ORDER BY at DESC LIMIT 1 OFFSET ${LOG_EVENTS_MAX - 1})`;

export function createWebhooks(prepare: Prepare): WebhookStore {
  const read = prepare("SELECT * FROM webhook ORDER BY number");
  const lastEvent = prepare("SELECT coalesce(max(seq), 0) FROM event");
  const insert =
    prepare(`INSERT INTO webhook (id, endpoint, events, enabled, secrets, cursor, created)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING number`);
  const change = prepare(`UPDATE webhook SET endpoint = ?2, events = ?3, enabled = ?4,
    why = CASE WHEN enabled = ?4 THEN why END,
    failing = CASE WHEN enabled = ?4 THEN failing END WHERE number = ?1`);
  const hurry = prepare(
    `UPDATE webhook_event SET due = 0, tries = 0 WHERE webhook = ?1 AND status = ${PENDING}`,
  );
  const sign = prepare("UPDATE webhook SET secrets = ?2 WHERE number = ?1");
  const remove = prepare("DELETE FROM webhook WHERE number = ?1");
  const removeLog = prepare("DELETE FROM webhook_event WHERE webhook = ?1");
  const move = prepare(`UPDATE webhook SET cursor = max(cursor, ?2), failing = ?3,
    enabled = CASE WHEN ?4 IS NULL THEN enabled ELSE 0 END, why = coalesce(?4, why)
    WHERE number = ?1 RETURNING number`);
  const put = prepare(PUT);
  /** Of a clock that was ahead: as what is newest it would stand above all that comes, which would be cut off as the oldest. */
  const redate = prepare("UPDATE webhook_event SET at = ?2 WHERE webhook = ?1 AND at > ?2");
  const shorten = prepare("UPDATE webhook_event SET log = ?3 WHERE webhook = ?1 AND event = ?2");
  const trim = prepare(TRIM);
  /** Entries since the log was cut, by endpoint. */
  const grown = new Map<number, number>();

  const write = (number: number, entry: HookEntry, at: number): void => {
    const { event, type, email, status, dueAt, tries, attempts } = entry;
    const log = attempts.map((one) => JSON.stringify(one)).join(",");
    const code = hookStatuses.indexOf(status);
    const [row] = put.values(number, event, type, email, code, dueAt, tries, log, at);
    const all = JSON.parse(`[${(row as [string])[0]}]`) as unknown[];
    if (all.length <= LOG_ATTEMPTS_MAX) return;
    const kept = JSON.stringify(all.slice(-LOG_ATTEMPTS_MAX)).slice(1, -1);
    shorten.run(number, event, kept);
  };

  return {
    webhooks: () => (read.all() as Row[]).map(recordOf),
    addWebhook({ id, endpoint, events, enabled, secret, createdAt }) {
      const [last] = lastEvent.values()[0] as [number];
      const secrets: WebhookSecret[] = [{ secret, until: null }];
      const [row] = insert.values(
        ...[id, endpoint, jsonOf(events), enabled ? 1 : 0, JSON.stringify(secrets)],
        // A row is two events outside (search/events.ts); what happens from now on comes behind both.
        last * 2 + 1,
        createdAt,
      ) as [[number]];
      return row[0];
    },
    changeWebhook(number, { endpoint, events, enabled }) {
      change.run(number, endpoint, jsonOf(events), enabled ? 1 : 0);
      if (enabled) hurry.run(number);
    },
    signWebhook: (number, secrets) => void sign.run(number, JSON.stringify(secrets)),
    removeWebhook(number) {
      remove.run(number);
      removeLog.run(number);
      grown.delete(number);
    },
    progressWebhook({ number, cursor, failingSince, entries, disable }, at) {
      if (move.values(number, cursor, failingSince, disable).length === 0) return;
      if (entries.length > 0) redate.run(number, at);
      for (const entry of entries) write(number, entry, at);
      const more = (grown.get(number) ?? LOG_SLACK) + entries.length;
      grown.set(number, more > LOG_SLACK ? 0 : more);
      if (more > LOG_SLACK) trim.run(number);
    },
    replayWebhook(number, { event, type, email, dueAt, tries }, at) {
      write(number, { event, type, email, status: "pending", dueAt, tries, attempts: [] }, at);
    },
  };
}

function jsonOf(events: readonly string[] | null): string | null {
  return events === null ? null : JSON.stringify(events);
}

function recordOf(row: Row): WebhookRecord {
  return {
    number: row.number,
    id: row.id,
    endpoint: row.endpoint,
    events: row.events === null ? null : (JSON.parse(row.events) as string[]),
    enabled: row.enabled === 1,
    secrets: JSON.parse(row.secrets) as WebhookSecret[],
    cursor: row.cursor,
    failingSince: row.failing,
    disabledWhy: row.why,
    createdAt: row.created,
  };
}
