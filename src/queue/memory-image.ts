// What the store in memory holds, and every question that can be asked of it. The verbs that change it: memory.ts.
import type { EpochMs } from "../base/clock.ts";
import type { EventRow } from "../mail/event.ts";
import type { MessageId } from "../mail/id.ts";
import { type Priority, priorities } from "../mail/message.ts";
import { isFinal, recipientStates } from "../mail/state.ts";
import type { Suppression } from "../mail/suppression.ts";
import type { RecipientState } from "./lifecycle.ts";
import type {
  KeptAnswer,
  KeptOnce,
  Lease,
  NewMessage,
  Pause,
  RecipientRow,
  SiteId,
  Tally,
  Walked,
  WalkPlace,
} from "./store.ts";

export interface Row {
  readonly address: string;
  readonly site: SiteId;
  readonly state: RecipientState;
  readonly steps: readonly string[];
}

export interface Entry {
  readonly head: NewMessage["head"];
  readonly body: Uint8Array | null;
  readonly spool: string | null;
  /** Until when the bytes of a finished message are kept; null: it is not finished, or they are gone. */
  readonly keptUntil: EpochMs | null;
  /** In order of their number. */
  readonly rows: readonly (Row & { readonly n: number })[];
}

export interface ImageEvent {
  readonly row: EventRow;
  readonly dialogue: string | null;
}

/** Everything durable. Values are replaced, never changed, so that an undo is the old value put back. */
export interface Image {
  readonly messages: Map<MessageId, Entry>;
  readonly sites: string[];
  readonly answers: Map<string, KeptAnswer>;
  /** By key, in the order in which they came. */
  readonly onces: Map<string, KeptOnce & { readonly at: EpochMs }>;
  /** By kind and name. */
  readonly pauses: Map<string, Pause>;
  /** By address. */
  readonly suppressions: Map<string, Suppression>;
  /** In order of their number, without gaps. */
  readonly events: ImageEvent[];
  /** Of messages that are kept, from before those. */
  readonly keptEvents: ImageEvent[];
  readonly waiting: Set<MessageId>;
  readonly leased: Set<MessageId>;
}

export function createImage(): Image {
  return {
    messages: new Map(),
    sites: [""],
    answers: new Map(),
    onces: new Map(),
    pauses: new Map(),
    suppressions: new Map(),
    events: [],
    keptEvents: [],
    waiting: new Set(),
    leased: new Set(),
  };
}

export function createReads(image: Image) {
  return {
    body: (id: MessageId) => image.messages.get(id)?.body ?? null,
    recipients(id: MessageId): RecipientRow[] {
      const entry = image.messages.get(id);
      if (entry === undefined) return [];
      return entry.rows.map(({ n, address, site, state, steps }) => ({
        message: id,
        n,
        address,
        state,
        site,
        priority: entry.head.priority,
        timeline: steps.join(","),
      }));
    },
    timeline: (id: MessageId, n: number): string =>
      image.messages
        .get(id)
        ?.rows.find((row) => row.n === n)
        ?.steps.join(",") ?? "",
    scheduledAt: (id: MessageId) => image.messages.get(id)?.head.dueAt ?? 0,
    expiresAt: (id: MessageId) => image.messages.get(id)?.head.expiresAt ?? null,
    traceOf: (id: MessageId) => image.messages.get(id)?.head.trace,
    events: (after: number, limit: number) => {
      const first = image.events[0]?.row.seq ?? 1;
      const from = Math.max(0, after + 1 - first);
      const owed = image.keptEvents.filter(({ row }) => row.seq > after).slice(0, limit);
      const found = [...owed, ...image.events.slice(from, from + limit - owed.length)];
      return found.map(({ row }) => row);
    },
    dialogue: (event: number) =>
      (
        image.events[event - (image.events[0]?.row.seq ?? 1)] ??
        image.keptEvents.find(({ row }) => row.seq === event)
      )?.dialogue ?? null,
    lastEvent: () => image.events.at(-1)?.row.seq ?? 0,
    sitesWaiting: () =>
      [...new Set(waitingRows(image).map(({ row }) => row.site))].sort((a, b) => a - b),
    nextDue(site: SiteId, priority: Priority): EpochMs | undefined {
      const due = waitingRows(image)
        .filter(({ entry, row }) => row.site === site && entry.head.priority === priority)
        .map(({ dueAt }) => dueAt);
      return due.length === 0 ? undefined : Math.min(...due);
    },
    leases(options: { claimMax: number; now: EpochMs; limit: number }): Lease[] {
      const found: Lease[] = [];
      for (const id of [...image.leased].sort((a, b) => a - b)) {
        const entry = image.messages.get(id) as Entry;
        for (const { n, state, site } of entry.rows) {
          if (state.at !== "sending") continue;
          const { claim, leaseUntil, attempts } = state;
          if (claim > options.claimMax && leaseUntil >= options.now) continue;
          const { priority } = entry.head;
          found.push({ message: id, n, claim, leaseUntil, attempts, site, priority });
        }
      }
      return found.slice(0, options.limit);
    },
    tally(): Tally[] {
      const rows = [...image.messages.values()].flatMap((entry) =>
        entry.rows.map((row) => ({ state: row.state.at, priority: entry.head.priority })),
      );
      return recipientStates
        .flatMap((state) =>
          priorities.map((priority) => ({
            state,
            priority,
            recipients: rows.filter((row) => row.state === state && row.priority === priority)
              .length,
          })),
        )
        .filter((row) => row.recipients > 0);
    },
    size() {
      const open = [...image.messages.values()].filter((entry) =>
        entry.rows.some((one) => !isFinal(one.state.at)),
      );
      const pendingBytes = open.reduce((sum, { head }) => sum + head.sizeBytes, 0);
      const kept = [...image.messages.values()].filter(({ keptUntil }) => keptUntil !== null);
      const keptBytes = kept.reduce((sum, { head }) => sum + head.sizeBytes, 0);
      return { pendingBytes, keptBytes, databaseBytes: 0, walBytes: 0 };
    },
    historyBytes: () => 0,
    pauses: () =>
      [...image.pauses.values()].sort((a, b) => (keyOfPause(a) < keyOfPause(b) ? -1 : 1)),
    walk(
      which: "waiting" | "held",
      { after, limit }: { readonly after: WalkPlace | null; readonly limit: number },
    ): Walked[] {
      const rows = which === "held" ? heldRows(image) : waitingPlaces(image);
      const sorted = rows.sort(which === "held" ? byMessage : byPlace);
      const order = which === "held" ? byMessage : byPlace;
      return sorted.filter((row) => after === null || order(row, after) > 0).slice(0, limit);
    },
    recall: () => [...image.answers.values()].sort((a, b) => (a.key < b.key ? -1 : 1)),
    recallOne: (key: string): KeptAnswer | undefined => image.answers.get(key),
    spooled: () =>
      [...image.messages.values()].flatMap(({ spool }) => (spool === null ? [] : [spool])).sort(),
  };
}

/** Puts a message in its place and keeps the two sets that stand for the indexes. */
export function place(image: Image, id: MessageId, entry: Entry | undefined): void {
  if (entry === undefined) image.messages.delete(id);
  else image.messages.set(id, entry);
  const states = entry?.rows.map((one) => one.state) ?? [];
  keep(
    image.leased,
    id,
    states.some((state) => state.at === "sending"),
  );
  keep(
    image.waiting,
    id,
    states.some((state) => waitsUntil(state) !== undefined),
  );
}

function keep(set: Set<MessageId>, id: MessageId, there: boolean): void {
  if (there) set.add(id);
  else set.delete(id);
}

export function waitingRows(image: Image) {
  return [...image.waiting].flatMap((id) => {
    const entry = image.messages.get(id) as Entry;
    return entry.rows.flatMap((row) => {
      const dueAt = waitsUntil(row.state);
      return dueAt === undefined ? [] : [{ entry, row, dueAt }];
    });
  });
}

/** Undefined: it does not wait for time. */
function waitsUntil(state: RecipientState): EpochMs | undefined {
  switch (state.at) {
    case "scheduled":
    case "queued":
    case "deferred":
      return state.dueAt;
    default:
      return undefined;
  }
}

export function keyOfPause({ kind, name }: Pick<Pause, "kind" | "name">): string {
  return `${kind} ${name}`;
}

function heldRows(image: Image): Walked[] {
  return [...image.messages].flatMap(([message, { head, rows }]) =>
    rows.flatMap(({ n, address, site, state }) =>
      state.at === "held"
        ? [
            {
              site,
              priority: head.priority,
              dueAt: 0,
              message,
              n,
              address,
              state,
              expiresAt: head.expiresAt,
            },
          ]
        : [],
    ),
  );
}

function waitingPlaces(image: Image): Walked[] {
  return waitingRows(image).map(({ entry: { head }, row, dueAt }) => {
    const { n, address, site, state } = row;
    const { id: message, priority, expiresAt } = head;
    return { site, priority, dueAt, message, n, address, state, expiresAt };
  });
}

function byMessage(a: WalkPlace, b: WalkPlace): number {
  return a.message - b.message || a.n - b.n;
}

function byPlace(a: WalkPlace, b: WalkPlace): number {
  return a.site - b.site || a.priority - b.priority || a.dueAt - b.dueAt || byMessage(a, b);
}
