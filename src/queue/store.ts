// The few verbs of a queue that survives. `sqlite.ts` is the one that is shipped, `memory.ts` the one that the simulator crashes;
// both pass tests/queue/store.conformance.ts. All verbs are synchronous, and all that write run inside `transaction`.
import type { EpochMs } from "../base/clock.ts";
import type { EventRow, EventType } from "../mail/event.ts";
import type { HostTag, MessageId } from "../mail/id.ts";
import type { DsnRequest, MessageHead, Priority } from "../mail/message.ts";
import type { PauseKind } from "../mail/query.ts";
import type { StateName } from "../mail/state.ts";
import type { Once, Suppressed } from "../mail/submission.ts";
import type { Suppression } from "../mail/suppression.ts";
import type { RecipientState } from "./lifecycle.ts";

/** A site's number in this database; names are interned by `siteId`. */
export type SiteId = number;

/** The site of recipients whose domain has not been routed yet. */
export const UNROUTED: SiteId = 0;

export interface NewRecipient {
  readonly n: number;
  readonly address: string;
  readonly site: SiteId;
  readonly state: RecipientState;
  /** Of one that is suppressed from the beginning: why. */
  readonly step?: string | undefined;
}

export interface NewMessage {
  readonly head: MessageHead;
  /** Null when the head names a spool file. */
  readonly body: Uint8Array | null;
  readonly recipients: readonly NewRecipient[];
}

/** A change of one recipient's state, and the event that tells it, which stand or fall together. */
export interface Settlement {
  readonly message: MessageId;
  readonly n: number;
  /** The lease under which it was decided; null for changes that hold no lease (they apply to waiting states only). */
  readonly claim: number | null;
  readonly next: RecipientState;
  /** The site may become known, or change, while a job waits. */
  readonly site?: SiteId;
  /** Packed step to append to the timeline. */
  readonly step: string | null;
  /** What was said, packed; kept as long as the event that it belongs to. */
  readonly dialogue?: string | undefined;
  readonly event: EventType | null;
  readonly at: EpochMs;
}

export interface ClaimRequest {
  readonly site: SiteId;
  readonly priority: Priority;
  /** At most so many recipients, and no further one once their messages hold so many bytes. */
  readonly limit: number;
  readonly bytesMax: number;
  readonly now: EpochMs;
  readonly leaseUntil: EpochMs;
  /** Recipients of these domains are not leased: they move to the line that the domain names, as they are. */
  readonly parked?: ReadonlyMap<string, SiteId>;
}

/** A leased recipient with all that its job needs. The bytes are read apart, once a message. */
export interface Claimed {
  readonly message: MessageId;
  readonly n: number;
  readonly address: string;
  readonly claim: number;
  readonly attempts: number;
  readonly site: SiteId;
  readonly priority: Priority;
  readonly from: string;
  /** When its lifetime began: of scheduled mail at its release. */
  readonly acceptedAt: EpochMs;
  /** What the sender of the message asked for; null: the lifetime of the priority. */
  readonly expiresAt: EpochMs | null;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  readonly dsn: DsnRequest | undefined;
  /** Nothing of it leaves the host. */
  readonly capture: boolean;
  readonly requireTls: boolean;
  /** As in `MessageHead`. */
  readonly trace: string | undefined;
  /** The spool file's name, or null when the bytes are in the store. */
  readonly spool: string | null;
}

/** A lease found in the store, for the sweep at start and for leases that ran out. */
export interface Lease {
  readonly message: MessageId;
  readonly n: number;
  readonly claim: number;
  readonly leaseUntil: EpochMs;
  readonly attempts: number;
  readonly site: SiteId;
  readonly priority: Priority;
}

/** Recipients in a state, counted in the same transactions that change them, so that a count costs nothing at start. */
export interface Tally {
  readonly state: StateName;
  readonly priority: Priority;
  readonly recipients: number;
}

/**
 * - `full`: the disk, a size limit, or another program writes to the file; nothing of the transaction stands, and it may be tried again later.
 * - `io`: a write or a sync failed. What is on the disk is not known: the process must end and open anew (DESIGN 11).
 */
export type Committed<T> =
  | { readonly kind: "committed"; readonly value: T }
  | { readonly kind: "failed"; readonly why: "full" | "io"; readonly text: string };

/** So far apart the claims of two openings begin: as many as are given in five days at 10,000 a second. */
export const CLAIMS_PER_OPENING = 2 ** 32;

/** What one `forget` did. */
export interface Forgotten {
  readonly messages: number;
  /** It came to the end of its stretch, or to its limit: there may be more to remove. */
  readonly more: boolean;
}

/** Messages looked at by one `forget` besides those that it meets by their events. */
export const FORGET_STRETCH = 200;
/** Events met by one `forget` for each message that it may remove: accepted, attempts, outcome. */
export const FORGET_EVENTS = 8;

/** What a store says when it is opened. */
export interface StoreFacts {
  readonly tag: HostTag;
  /** Greatest message id ever accepted; 0 for none. */
  readonly lastId: MessageId;
  /** Claims of this opening are above this number: any lease at or below it belongs to a process that is gone. */
  readonly claimBase: number;
  /** True when the last process did not close the store. */
  readonly unclean: boolean;
  /** What does not add up in the file, in words for the operator: gaps in the events, counts that differ. Empty is well. */
  readonly faults: readonly string[];
}

/** A recipient as it is stored. */
export interface RecipientRow {
  readonly message: MessageId;
  readonly n: number;
  readonly address: string;
  readonly state: RecipientState;
  readonly site: SiteId;
  readonly priority: Priority;
  /** Packed steps (mail/timeline.ts). */
  readonly timeline: string;
}

export interface StoreSize {
  /** Bytes of all messages that are not final, spooled ones included. */
  readonly pendingBytes: number;
  /** Bytes of finished messages that are kept, spooled ones included. */
  readonly keptBytes: number;
  readonly databaseBytes: number;
  readonly walBytes: number;
}

/** What an operator has stopped, until it is resumed. `name` is empty for everything. */
export interface Pause {
  readonly kind: PauseKind;
  readonly name: string;
  readonly at: EpochMs;
}

/** Which bytes stay when the last recipient of a message becomes final. */
export interface Keeping {
  /** Those of bounced and expired mail stay so long; 0: not at all. */
  readonly deadMs: number;
  /** All bytes stay as long as the message's history. */
  readonly all: boolean;
}

/** A place in the order of a walk; what is behind it comes next. */
export interface WalkPlace {
  readonly site: SiteId;
  readonly priority: Priority;
  readonly dueAt: EpochMs;
  readonly message: MessageId;
  readonly n: number;
}

/** A recipient that a walk came by. */
export interface Walked extends WalkPlace {
  readonly address: string;
  readonly state: RecipientState;
  /** What the sender of the message asked for. */
  readonly expiresAt: EpochMs | null;
}

/** An operator's wish opens a new generation of a recipient that is bounced or expired. */
export interface Reopening {
  readonly message: MessageId;
  readonly n: number;
  readonly dueAt: EpochMs;
  /** From now on the message lives until then: its first life may be over. */
  readonly expiresAt: EpochMs;
  readonly step: string;
  readonly at: EpochMs;
}

/** What is kept of a request that carried an idempotency key. */
export interface KeptOnce {
  readonly request: string;
  readonly answer: string;
  /** Absent: none of its recipients was. */
  readonly suppressed?: Suppressed;
}

/** What is noted so far ahead of the clock was noted by a clock that was wrong. */
export const WRONG_MS = 24 * 3_600_000;

/** Which requests are forgotten: those noted before an instant, and the oldest beyond so many bytes. */
export interface OnceTrim {
  readonly before: EpochMs;
  /** What a wrong clock noted counts from now on. */
  readonly now: EpochMs;
  readonly bytesMax: number;
  readonly limit: number;
}

export type NewSuppression = Omit<Suppression, "id">;

/** A fact about a recipient that has come to its end already: its state stays. */
export interface Annotation {
  readonly message: MessageId;
  readonly n: number;
  readonly step: string;
  readonly event: EventType;
  readonly at: EpochMs;
}

export interface QueueStore {
  readonly facts: StoreFacts;
  /** Holds from the next settlement on; a new store keeps nothing. */
  keep(keeping: Keeping): void;
  /** Runs `run` and makes its changes durable before it returns, or leaves none of them. */
  transaction<T>(run: () => T): Committed<T>;

  // Inside a transaction:
  accept(message: NewMessage): void;
  /** False when the lease was lost: nothing has changed. Drops the body when the last recipient becomes final. */
  settle(settlement: Settlement): boolean;
  /** Leases due recipients of a site and lane, earliest due first. Their `attempts` are not raised: a verdict does that. */
  claim(request: ClaimRequest): Claimed[];
  /** A new claim number, for recipients that are inserted already leased. */
  nextClaim(): number;
  siteId(name: string): SiteId;
  /** False when its bytes are gone, or it is neither bounced nor expired: nothing has changed. */
  reopen(reopening: Reopening): boolean;
  /**
   * A scheduled message gets another time, which its recipients' states must be given too. The Date that was written for the old time
   * becomes that of the new one, unless the bytes lie in a file.
   */
  reschedule(message: MessageId, dueAt: EpochMs): void;
  pause(pause: Pause): void;
  resume(pause: Pick<Pause, "kind" | "name">): void;
  /** Drops the kept bytes of at most `limit` dead letters whose time was up before `before`, the oldest first. */
  fade(before: EpochMs, limit: number): number;
  remember(rows: readonly KeptAnswer[]): void;
  /** Notes a request with its idempotency key; if the key is there already, what was noted first, and nothing has changed. */
  noteOnce(once: Once, at: EpochMs): KeptOnce | undefined;
  suppressOnce(key: string, suppressed: Suppressed): void;
  /** Looks at the oldest requests, so many at most, and forgets from the first on; returns how many. */
  trimOnces(trim: OnceTrim): number;
  /** The one that stands already comes back, and nothing has changed. */
  suppress(entry: NewSuppression): Suppression | undefined;
  /** What stood; undefined: nothing did. */
  unsuppress(address: string): Suppression | undefined;
  /** False when it is not there, or is not final: nothing has changed. */
  annotate(annotation: Annotation): boolean;
  /**
   * Removes finished messages to which nothing happened from `before` on, those that ended first before all others, at most `limit`. Their
   * events go with them, but never the last one of all. One call meets a bounded stretch of events, those of what is owed among them, and the
   * next goes on from there.
   */
  forget(before: EpochMs, limit: number): Forgotten;

  // Reading, in or out of a transaction:
  suppression(address: string): Suppression | undefined;
  suppressionById(id: number): Suppression | undefined;
  /** While there is none nobody need ask for one. */
  anySuppressed(): boolean;
  /** The number of the last event; 0 for none. */
  lastEvent(): number;
  findOnce(key: string): KeptOnce | undefined;
  body(message: MessageId): Uint8Array | null;
  recipients(message: MessageId): readonly RecipientRow[];
  /** Of one recipient alone, as `RecipientRow` has it; empty for one that is not there. */
  timeline(message: MessageId, n: number): string;
  /** The limit that the sender of a message asked for; null for none, and for a message that is not there. */
  expiresAt(message: MessageId): EpochMs | null;
  /** Not before this instant, as its sender wanted it; of mail that was not scheduled when it was accepted, and 0 for none. */
  scheduledAt(message: MessageId): EpochMs;
  /** As in `MessageHead`. */
  traceOf(message: MessageId): string | undefined;
  /** Events after `after`, in order. */
  events(after: number, limit: number): readonly EventRow[];
  /** What was said, of the settlement whose event has this number; null for none. */
  dialogue(event: number): string | null;
  siteName(id: SiteId): string;
  pauses(): readonly Pause[];
  /**
   * Recipients that wait for time (`waiting`) or for an operator (`held`), in a fixed order from behind `after` on. A held one is
   * placed by its message alone: site, lane and time of its place say nothing there.
   */
  walk(
    which: "waiting" | "held",
    options: { readonly after: WalkPlace | null; readonly limit: number },
  ): Walked[];
  /** Sites that have waiting recipients, due or not. */
  sitesWaiting(): readonly SiteId[];
  /** The earliest due time among the waiting recipients of a site's lane. */
  nextDue(site: SiteId, priority: Priority): EpochMs | undefined;
  /** Leases with `claim` at most `claimMax`, or that ended before `now`; in order of message. */
  leases(options: {
    readonly claimMax: number;
    readonly now: EpochMs;
    readonly limit: number;
  }): Lease[];
  tally(): readonly Tally[];
  size(): StoreSize;
  /** Bytes of what is over and done with: of the database neither mail that is owed nor free pages. */
  historyBytes(): number;
  recall(): Iterable<KeptAnswer>;
  recallOne(key: string): KeptAnswer | undefined;
  /** Spool files that messages still need; what else lies in the folder at start is an orphan. */
  spooled(): Iterable<string>;
  /** Spool files that committed transactions made needless since the last call: to be deleted by the caller. */
  takeDropped(): readonly string[];

  /**
   * Writes the log back into the database where it has grown long: to be called when the answers of a commit are out, so that none of
   * them waits for it. A fault that leaves the disk unknown is told by the next transaction.
   */
  writeBack(): void;
  /** Small steps of upkeep for an idle moment: checkpoint, incremental vacuum. True when there is more to do. */
  tidy(): boolean;
  close(): void;
}

/** A row of the DNS cache's second level, or of another small book: survives a restart. Those that end first go first. */
export interface KeptAnswer {
  /** For example `MX example.com`; lower-case first words are not of the DNS. */
  readonly key: string;
  readonly answer: string;
  readonly expiresAt: EpochMs;
}
