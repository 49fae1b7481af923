// A data folder with a queue store that writes and a reader that reads it, as in the daemon.
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "../../src/base/random.ts";
import { IDS_PER_MS, uuidOf } from "../../src/mail/id.ts";
import type { MessageFacts, Priority } from "../../src/mail/message.ts";
import type { Answer, EmailView, ListFilter, ListView } from "../../src/mail/query.ts";
import { type AttemptStep, packStep } from "../../src/mail/timeline.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import type { Committed, QueueStore, Settlement } from "../../src/queue/store.ts";
import type { EventView } from "../../src/mail/eventView.ts";
import { createReader, type Reader } from "../../src/search/reader.ts";

export const NOW = 1_800_000_000_000;

export interface Sketch {
  readonly to?: readonly string[];
  readonly states?: readonly RecipientState[];
  readonly facts?: Partial<MessageFacts>;
  /** The reverse-path, of which `{id}` is replaced. */
  readonly sender?: string;
  readonly text?: string;
  /** The whole message, in place of one that is made up. */
  readonly source?: string;
  readonly at?: number;
  readonly priority?: Priority;
  readonly dueAt?: number;
  /** What its request carried of a trace, packed. */
  readonly trace?: string;
}

export interface Accepted {
  readonly id: number;
  readonly uuid: string;
}

export interface Stage {
  readonly dataDir: string;
  readonly store: QueueStore;
  readonly reader: Reader;
  accept(sketch?: Sketch): Accepted;
  /** In one transaction. */
  acceptAll(sketches: readonly Sketch[]): Accepted[];
  settle(id: number, change: Partial<Settlement>): void;
  act<T>(run: () => T): T;
  uuid(id: number): string;
  /** A new reader on the same folder, as after a restart; `between` runs while there is none. */
  reopenReader(between?: () => void): void;
  remove(): void;
}

export function createStage(): Stage {
  const dataDir = join(mkdtempSync(join(tmpdir(), "postrider-search-")), "data");
  const opened = openSqliteStore({ dataDir, random: systemRandom, ballastBytes: 0 });
  if (opened.kind === "refused") throw new Error(opened.text);
  const { store } = opened;
  let reader = createReader({ dataDir, clock: { now: () => NOW + 60_000 } });
  let count = 0;
  const act = <T>(run: () => T): T => committed(store.transaction(run));
  const uuid = (id: number): string => uuidOf(id, store.facts.tag);
  const acceptAll = (sketches: readonly Sketch[]): Accepted[] =>
    act(() =>
      sketches.map((sketch) => {
        const id = (sketch.at ?? NOW) * IDS_PER_MS + count++;
        acceptInto(store, id, sketch);
        return { id, uuid: uuid(id) };
      }),
    );
  return {
    dataDir,
    store,
    get reader() {
      return reader;
    },
    act,
    uuid,
    accept: (sketch = {}) => acceptAll([sketch])[0] as Accepted,
    acceptAll,
    settle(id, change) {
      const done = act(() =>
        store.settle({
          message: id,
          n: 0,
          claim: null,
          next: { at: "delivered", endedAt: NOW + 9, attempts: 1 },
          step: null,
          event: "email.delivered",
          at: NOW + 9,
          ...change,
        }),
      );
      if (!done) throw new Error("the settlement found nothing to change");
    },
    reopenReader(between) {
      reader.close();
      between?.();
      reader = createReader({ dataDir, clock: { now: () => NOW + 60_000 } });
    },
    remove() {
      reader.close();
      store.close();
      rmSync(join(dataDir, ".."), { recursive: true, force: true });
    },
  };
}

function acceptInto(store: QueueStore, id: number, sketch: Sketch): void {
  const {
    to = ["ann@example.com"],
    text = "Hello",
    priority = 1,
    at = NOW,
    dueAt = at,
    facts = {},
    sender = "bounce@s.example",
  } = sketch;
  const states = sketch.states ?? to.map(() => ({ at: "queued", dueAt, attempts: 0 }) as const);
  const {
    source = `From: shop@s.example\r\nTo: ${to.join(", ")}\r\nSubject: Hi\r\n\r\n${text}\r\n`,
  } = sketch;
  const body = new TextEncoder().encode(source);
  store.accept({
    head: {
      id,
      acceptedAt: at,
      from: sender.replace("{id}", uuidOf(id, store.facts.tag)),
      recipients: to,
      priority,
      dueAt,
      expiresAt: null,
      sizeBytes: body.length,
      sha256: createHash("sha256").update(body).digest("base64url"),
      eightBit: false,
      utf8: false,
      trace: sketch.trace,
      facts: JSON.stringify(factsOf(id, store.facts.tag, to, facts)),
      body: { kind: "inline", length: body.length },
    },
    body,
    recipients: to.map((address, n) => ({
      n,
      address,
      site: 0,
      state: states[n] ?? { at: "queued", dueAt, attempts: 0 },
    })),
  });
}

function factsOf(
  id: number,
  tag: string,
  to: readonly string[],
  more: Partial<MessageFacts>,
): MessageFacts {
  return {
    message_id: `<${uuidOf(id, tag)}@mail.s.example>`,
    from: "Shop <shop@s.example>",
    to,
    cc: null,
    bcc: null,
    reply_to: null,
    subject: "Hi",
    tags: [],
    metadata: null,
    reference: null,
    ...more,
  };
}

export function committed<T>(result: Committed<T>): T {
  if (result.kind === "failed") throw new Error(result.text);
  return result.value;
}

export function attempt(more: Partial<AttemptStep> = {}): string {
  return packStep({
    kind: "attempt",
    at: NOW + 5,
    durationMs: 4,
    outcome: "delivered",
    class: "none",
    doubt: false,
    via: "mx",
    site: "example.com",
    host: "mx1.example.com",
    address: "192.0.2.1",
    source: "198.51.100.7",
    session: "s1",
    phase: "dot",
    code: 250,
    enhanced: "2.0.0",
    text: "Ok: queued",
    tls: null,
    ...more,
  });
}

export async function view<T>(answer: Promise<Answer> | Answer): Promise<T> {
  const found = await answer;
  if (found.kind !== "found") throw new Error(`answered ${JSON.stringify(found)}`);
  return found.view as T;
}

export async function listed(stage: Stage, filter: Partial<ListFilter>): Promise<string[]> {
  const asked = stage.reader.ask({ ask: "list", filter: { limit: 20, ...filter } });
  return (await view<ListView<EmailView>>(asked)).data.map((one) => one.id);
}

export async function timeline(stage: Stage, uuid: string): Promise<readonly EventView[]> {
  return (await view<ListView<EventView>>(stage.reader.ask({ ask: "events", id: uuid }))).data;
}
