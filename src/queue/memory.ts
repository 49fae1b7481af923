// The queue store over Maps: what the simulator crashes, and the other side of the property test of `sqlite.ts`. It has the same
// verbs and the same answers in the same order; its disk outlives it, as a file outlives a process.
import type { EpochMs } from "../base/clock.ts";
import { type EventRow, WHOLE_MESSAGE } from "../mail/event.ts";
import { redated } from "../mail/compose/redate.ts";
import type { HostTag, MessageId } from "../mail/id.ts";
import { isFinal } from "../mail/state.ts";
import type { RecipientState } from "./lifecycle.ts";
import { createClaim } from "./memory-claim.ts";
import { createForget } from "./memory-forget.ts";
import {
  createImage,
  createReads,
  type Entry,
  type Image,
  keyOfPause,
  place,
} from "./memory-image.ts";
import { createOnces } from "./memory-once.ts";
import { createSuppressions } from "./memory-suppress.ts";
import {
  CLAIMS_PER_OPENING,
  type Committed,
  type Keeping,
  type NewMessage,
  type Pause,
  type QueueStore,
  type Reopening,
  type Settlement,
} from "./store.ts";

/** What a commit is told to do: fail and leave nothing, or fail after it stands, as a sync whose answer was lost. */
export type CommitFault = "full" | "io_before" | "io_after";

export interface MemoryDisk {
  /** Ends the store that is open, as a kill would: what was not committed is gone, and its verbs throw from then on. */
  crash(): void;
  open(): QueueStore;
  /** The next commits meet these faults, in order; undefined is a good one. */
  fail(faults: readonly (CommitFault | undefined)[]): void;
}

export function createMemoryDisk(tag: HostTag): MemoryDisk {
  const image = createImage();
  let epoch = 0;
  let unclean = false;
  let faults: (CommitFault | undefined)[] = [];
  let session: Session | undefined;
  return {
    crash() {
      session?.end();
      session = undefined;
      unclean = true;
    },
    fail: (next) => void (faults = [...next]),
    open() {
      if (session !== undefined) throw new Error("the memory store is open already");
      epoch++;
      const lastId = Math.max(0, ...image.messages.keys());
      const claimBase = Math.max(epoch * CLAIMS_PER_OPENING, lastClaim(image));
      const facts = { tag, lastId, claimBase, unclean, faults: [] };
      session = createSession(image, facts, () => faults.shift());
      const { store } = session;
      return {
        ...store,
        close() {
          session?.end();
          session = undefined;
          unclean = false;
        },
      };
    },
  };
}

interface Session {
  readonly store: QueueStore;
  end(): void;
}

function createSession(
  image: Image,
  facts: QueueStore["facts"],
  nextFault: () => CommitFault | undefined,
): Session {
  let alive = true;
  let claims = facts.claimBase;
  const nextClaim = (): number => ++claims;
  /** Undoes the open transaction, last change first; undefined outside of one. */
  let journal: (() => void)[] | undefined;
  let dropping: string[] = [];
  let dropped: string[] = [];
  let keeping: Keeping = { deadMs: 0, all: false };

  const living = (): void => {
    if (!alive) throw new Error("the memory store has ended");
  };
  const changed = (undo: () => void): void => {
    living();
    if (journal === undefined) throw new Error("a change outside of a transaction");
    journal.push(undo);
  };
  const put = (id: MessageId, entry: Entry | undefined): void => {
    const old = image.messages.get(id);
    changed(() => place(image, id, old));
    place(image, id, entry);
  };
  const tell = (event: Omit<EventRow, "seq">, dialogue: string | null = null): void => {
    const seq = (image.events.at(-1)?.row.seq ?? 0) + 1;
    changed(() => void image.events.pop());
    image.events.push({ row: { seq, ...event }, dialogue });
  };
  const undoAll = (): void => {
    for (const undo of (journal ?? []).reverse()) undo();
    journal = undefined;
    dropping = [];
  };
  const commit = (): void => {
    journal = undefined;
    dropped.push(...dropping);
    dropping = [];
  };

  function transaction<T>(run: () => T): Committed<T> {
    living();
    if (journal !== undefined) throw new Error("a transaction within a transaction");
    journal = [];
    let value: T;
    try {
      value = run();
    } catch (error) {
      undoAll();
      throw error;
    }
    const fault = nextFault();
    if (fault === "full" || fault === "io_before") undoAll();
    else commit();
    if (fault === undefined) return { kind: "committed", value };
    return { kind: "failed", why: fault === "full" ? "full" : "io", text: `simulated ${fault}` };
  }

  function accept({ head, body, recipients }: NewMessage): void {
    if (image.messages.has(head.id)) throw new Error(`message ${head.id} is there already`);
    const open = recipients.some((one) => !isFinal(one.state.at));
    const spool = head.body.kind === "spool" ? head.body.file : null;
    const rows = recipients
      .map(({ step, ...row }) => ({ ...row, steps: step === undefined ? [] : [step] }))
      .sort((a, b) => a.n - b.n);
    put(head.id, {
      head,
      body: open && body !== null ? body.slice() : null,
      spool: open ? spool : null,
      keptUntil: null,
      rows,
    });
    if (!open && spool !== null) dropping.push(spool);
    const scheduled = recipients.some((one) => one.state.at === "scheduled");
    const type = scheduled ? "email.scheduled" : "email.sent";
    const { id: message, acceptedAt: at } = head;
    tell({ message, n: WHOLE_MESSAGE, type, at, step: -1 });
    for (const { n, state, step } of recipients) {
      const place = step === undefined ? -1 : 0;
      const event = { message, n, type: "email.suppressed", at, step: place } as const;
      if (state.at === "suppressed") tell(event);
    }
  }

  function settle(settlement: Settlement): boolean {
    const { message, n, claim, next, site, step, event, at, dialogue } = settlement;
    living();
    const entry = image.messages.get(message);
    const row = entry?.rows.find((one) => one.n === n);
    if (entry === undefined || row === undefined) return false;
    const { state } = row;
    if (claim === null ? state.at === "sending" || isFinal(state.at) : !holds(state, claim)) {
      return false;
    }
    const steps = step === null ? row.steps : [...row.steps, step];
    const changedRow = { ...row, state: next, site: site ?? row.site, steps };
    const rows = entry.rows.map((one) => (one === row ? changedRow : one));
    const open = rows.some((one) => !isFinal(one.state.at));
    if (open) put(message, { ...entry, rows });
    else put(message, ended({ ...entry, rows }, at));
    const place = step === null ? -1 : row.steps.length;
    if (event !== null) tell({ message, n, type: event, at, step: place }, dialogue);
    return true;
  }

  /** The last recipient has come to its end. */
  const ended = (entry: Entry, at: EpochMs): Entry => {
    const dead = entry.rows.some(({ state }) => state.at === "bounced" || state.at === "expired");
    if (keeping.all) return { ...entry, keptUntil: Number.MAX_SAFE_INTEGER };
    if (dead && keeping.deadMs > 0) return { ...entry, keptUntil: at + keeping.deadMs };
    return withoutBytes(entry);
  };

  const dropFile = ({ spool }: Entry): void => {
    if (spool !== null) dropping.push(spool);
  };

  const withoutBytes = (entry: Entry): Entry => {
    dropFile(entry);
    return { ...entry, body: null, spool: null, keptUntil: null };
  };

  const remove = (id: MessageId, entry: Entry): void => {
    dropFile(entry);
    put(id, undefined);
  };

  function reopen({ message, n, dueAt, expiresAt, step, at }: Reopening): boolean {
    const entry = image.messages.get(message);
    const row = entry?.rows.find((one) => one.n === n);
    if (entry === undefined || row === undefined) return false;
    if (row.state.at !== "bounced" && row.state.at !== "expired") return false;
    if (entry.body === null && entry.spool === null) return false;
    const state: RecipientState = { at: "queued", dueAt, attempts: 0 };
    const reopened = { ...row, state, steps: [...row.steps, step] };
    const rows = entry.rows.map((one) => (one === row ? reopened : one));
    put(message, { ...entry, head: { ...entry.head, expiresAt }, rows, keptUntil: null });
    tell({ message, n, type: "email.requeued", at, step: row.steps.length });
    return true;
  }

  function fade(before: EpochMs, limit: number): number {
    const faded = [...image.messages]
      .flatMap(([id, { keptUntil }]) => (keptUntil === null ? [] : [{ id, keptUntil }]))
      .filter(({ keptUntil }) => keptUntil < before)
      .sort((a, b) => a.keptUntil - b.keptUntil || a.id - b.id)
      .slice(0, limit);
    for (const { id } of faded) put(id, withoutBytes(image.messages.get(id) as Entry));
    return faded.length;
  }

  const setPause = (key: string, pause: Pause | undefined): void => {
    const old = image.pauses.get(key);
    const write = (value: Pause | undefined): void => {
      if (value === undefined) image.pauses.delete(key);
      else image.pauses.set(key, value);
    };
    changed(() => write(old));
    write(pause);
  };

  const store: QueueStore = {
    facts,
    transaction,
    accept,
    settle,
    claim: createClaim({ image, put, nextClaim }),
    forget: createForget({ image, changed, remove }),
    keep: (next) => void (keeping = next),
    reopen,
    reschedule(message, dueAt) {
      const entry = image.messages.get(message);
      if (entry === undefined) return;
      const { body, head } = entry;
      const dated = body === null ? null : redated(body, head.dueAt, dueAt);
      const { bytes, sha256 } = dated ?? { bytes: body, sha256: head.sha256 };
      put(message, { ...entry, body: bytes, head: { ...head, dueAt, sha256 } });
    },
    fade,
    pause: (pause) => setPause(keyOfPause(pause), pause),
    resume: (pause) => setPause(keyOfPause(pause), undefined),
    nextClaim,
    siteId(name) {
      const known = image.sites.indexOf(name);
      if (known !== -1) return known;
      changed(() => void image.sites.pop());
      return image.sites.push(name) - 1;
    },
    siteName: (id) => image.sites[id] ?? "",
    remember(rows) {
      for (const row of rows) {
        const old = image.answers.get(row.key);
        changed(() => {
          if (old === undefined) image.answers.delete(row.key);
          else image.answers.set(row.key, old);
        });
        image.answers.set(row.key, row);
      }
    },
    ...createReads(image),
    ...createOnces(image, changed),
    ...createSuppressions({
      ...{ image, changed, put },
      tell: ({ message, n, event: type, at }, step) => tell({ message, n, type, at, step }),
    }),
    takeDropped() {
      const taken = dropped;
      dropped = [];
      return taken;
    },
    writeBack() {},
    tidy: () => false,
    close() {},
  };
  return {
    store,
    end() {
      undoAll();
      alive = false;
    },
  };
}

/** The greatest that any lease has; 0 for none. */
function lastClaim({ leased, messages }: Image): number {
  const rows = [...leased].flatMap((id) => messages.get(id)?.rows ?? []);
  return Math.max(0, ...rows.map(({ state }) => (state.at === "sending" ? state.claim : 0)));
}

function holds(state: RecipientState, claim: number): boolean {
  return state.at === "sending" && state.claim === claim;
}
