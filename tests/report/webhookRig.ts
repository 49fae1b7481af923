// The dispatcher of webhooks alone, in virtual time: an event table, the book of the queue thread, and receivers that do what a test says. A
// crash loses what is in memory and keeps what was committed.
import type { EpochMs } from "../../src/base/clock.ts";
import { noLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { busy, type Command, type CommandAnswer, done } from "../../src/mail/command.ts";
import type { FeedEvent } from "../../src/mail/eventView.ts";
import type { Answer, Query } from "../../src/mail/query.ts";
import type { HookEntry, HookPending, WebhookRecord } from "../../src/mail/webhook.ts";
import { createWebhooks, type Webhooks } from "../../src/report/webhooks.ts";
import type { WebPost, WebReply } from "../../src/web/client.ts";
import { createSimClock } from "../sim/time.ts";

export const TAG = "8000000000000001";
export const START: EpochMs = 1_800_000_000_000;
export const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

/** What a receiver does with one request: a status after a while, or a failure of the connection. */
export interface Deed {
  readonly status: number;
  readonly afterMs: number;
  readonly retryAfter?: string;
}

export interface Sent {
  readonly to: string;
  readonly event: number;
  readonly email: string;
  readonly at: EpochMs;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  status: number;
}

export type Receive = (sent: Sent) => Deed;

export function webhook(number: number, change: Partial<WebhookRecord> = {}): WebhookRecord {
  return {
    number,
    id: `hook-${number}`,
    endpoint: `https://${number}.test/`,
    events: null,
    enabled: true,
    secrets: [{ secret: SECRET, until: null }],
    cursor: 0,
    failingSince: null,
    disabledWhy: null,
    createdAt: START,
    ...change,
  };
}

const READ_MS = 5;

/** `tickMs`: days are walked through in longer steps. */
export function createRig(receive: Receive, records: readonly WebhookRecord[], tickMs = 250) {
  const clock = createSimClock(START);
  const table: FeedEvent[] = [];
  const book = new Map(records.map((one) => [one.number, one]));
  /** Rows of each endpoint by event. */
  const rows = new Map<number, Map<number, HookEntry>>(
    records.map(({ number }) => [number, new Map()]),
  );
  const sent: Sent[] = [];
  const gauges: number[] = [];
  const timings: { readonly result: string; readonly seconds: number }[] = [];
  let forgotten = 0;
  let fails = 0;
  let reads = 0;
  let readerIsBusy = false;
  let life = 0;
  let inFlight = 0;
  const peak = { inFlight: 0 };

  /** The reader takes its time, so that what is asked twice is answered twice. */
  const ask = (query: Query): Promise<Answer> => {
    reads++;
    return new Promise((resolve) => void clock.of(life).after(READ_MS, () => resolve(told(query))));
  };
  const told = (query: Query): Answer => {
    if (readerIsBusy) return { kind: "busy" };
    if (query.ask === "webhookPending") {
      const all = [...(rows.get(query.webhook)?.values() ?? [])];
      const view: HookPending[] = all
        .filter(({ status }) => status === "pending")
        .map((row) => ({ ...row, dueAt: row.dueAt ?? 0 }));
      return { kind: "found", view };
    }
    if (query.ask !== "feed") return { kind: "missing" };
    const { after = 0, types, limit } = query.feed;
    const last = table.at(-1)?.id ?? 0;
    if (limit === 0)
      return { kind: "found", view: { events: [], next: last, more: false, forgotten: 0 } };
    const wanted = table.filter(
      ({ id, type }) => id > after && id > forgotten && (types?.includes(type) ?? true),
    );
    const events = wanted.slice(0, limit);
    const more = wanted.length > limit;
    const next = more ? (events.at(-1)?.id ?? after) : last;
    return {
      kind: "found",
      view: { events, next, more, forgotten: after < forgotten ? forgotten : 0 },
    };
  };

  const order = async (command: Command): Promise<CommandAnswer> => {
    if (command.do !== "webhook.progress") return busy;
    if (fails > 0) {
      fails--;
      return { kind: "later", why: "disk_low" };
    }
    for (const { number, cursor, failingSince, entries, disable } of command.progress) {
      const before = book.get(number);
      if (before === undefined) continue;
      const enabled = disable === null && before.enabled;
      const disabledWhy = disable ?? before.disabledWhy;
      const reached = Math.max(cursor, before.cursor);
      book.set(number, { ...before, cursor: reached, failingSince, enabled, disabledWhy });
      for (const entry of entries) {
        const row = rows.get(number)?.get(entry.event);
        const attempts = [...(row?.attempts ?? []), ...entry.attempts];
        rows.get(number)?.set(entry.event, { ...entry, attempts });
      }
    }
    if (command.progress.some(({ disable }) => disable !== null)) hooks.heard([...book.values()]);
    return done(null);
  };

  const post = (ask: WebPost): Promise<WebReply> => {
    const body = Buffer.from(ask.body).toString();
    const { id, data } = JSON.parse(body) as { id: number; data: { email_id: string } };
    const { url: to, headers = {} } = ask;
    const one: Sent = {
      to,
      event: id,
      email: data.email_id,
      at: clock.now(),
      headers,
      body,
      status: -1,
    };
    sent.push(one);
    peak.inFlight = Math.max(peak.inFlight, ++inFlight);
    const { status, afterMs, retryAfter } = receive(one);
    const lateMs = Math.min(afterMs, ask.timeoutMs);
    return new Promise((resolve) => {
      clock.of(life).after(lateMs, () => {
        inFlight--;
        const answered = status > 0 && afterMs <= ask.timeoutMs;
        one.status = answered ? status : 0;
        resolve(
          answered
            ? {
                kind: "reply",
                status,
                headers: new Map(retryAfter === undefined ? [] : [["retry-after", retryAfter]]),
                body: Buffer.from(`said ${status}`),
                address: "192.0.2.1",
              }
            : { kind: "failed", why: "timeout", text: "No full reply within 15 s." },
        );
      });
    });
  };

  const open = (): Webhooks => {
    life++;
    inFlight = 0;
    const opened = createWebhooks({
      ...{ ask, order, post, log: noLog, tag: TAG, userAgent: "postrider/test", tickMs },
      clock: clock.of(life),
      random: seededRandom(life),
      meter: {
        gauge: () => ({ set: (value) => void gauges.push(value) }),
        histogram: (_, { result = "" } = {}) => ({
          observe: (seconds) => void timings.push({ result, seconds }),
        }),
      },
    });
    opened.heard([...book.values()]);
    return opened;
  };
  let hooks = open();

  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    sent,
    book,
    rows,
    peak,
    gauges,
    timings,
    reads: () => reads,
    hooks: () => hooks,
    /** Two events a message: it was accepted, it was delivered. */
    happen(email: string, type: FeedEvent["type"] = "email.sent"): number {
      const id = (table.at(-1)?.id ?? 1) + 2;
      const body = JSON.stringify({ id, type, data: { email_id: email, to: ["b@example.com"] } });
      table.push({ id, type, email_id: email, to: ["b@example.com"], body });
      return id;
    },
    forget: (id: number) => void (forgotten = id),
    readerIs: (what: "busy" | "free") => void (readerIsBusy = what === "busy"),
    diskFails: (times: number) => void (fails = times),
    /** As the API changes it. */
    change(next: WebhookRecord) {
      book.set(next.number, next);
      hooks.heard([...book.values()]);
    },
    remove(number: number) {
      book.delete(number);
      hooks.heard([...book.values()]);
    },
    crash() {
      clock.kill(life);
      hooks = open();
    },
    async run(ms: number) {
      const untilMono = clock.monotonicMs() + ms;
      for (;;) {
        await settle();
        if (!clock.step(untilMono)) break;
      }
      await settle();
    },
  };
}

export type Rig = ReturnType<typeof createRig>;
