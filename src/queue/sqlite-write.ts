// The two verbs of the hot path: accept a message, settle a recipient. Each is a handful of prepared statements whose rows are
// appended, or still lie in the pages that were appended last.
import { eventNumber, type EventType, WHOLE_MESSAGE } from "../mail/event.ts";
import type { EpochMs } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { MessageId } from "../mail/id.ts";
import type { MessageHead, Priority } from "../mail/message.ts";
import { FIRST_FINAL, stateNumber, type StateNumber } from "../mail/state.ts";
import { attemptsOf, type RecipientState } from "./lifecycle.ts";
import type { Books } from "./sqlite-books.ts";
import type { Graves } from "./sqlite-dead.ts";
import type { Prepare } from "./sqlite-open.ts";
import type { Ring } from "./sqlite-ring.ts";
import type { NewMessage, NewRecipient, Settlement } from "./store.ts";

/** What settling needs to know of a recipient; none of it changes while its lease lasts. */
export interface Held {
  readonly message: MessageId;
  readonly n: number;
  readonly state: StateNumber;
  readonly priority: Priority;
  readonly steps: number;
  /** Recipients of the whole message. */
  readonly recipients: number;
  readonly sizeBytes: number;
  readonly spool: string | null;
}

/** Leases given by this process, by claim number. Only a cache: what is not in it is read from the tables. */
export interface HeldLeases {
  get(claim: number): Held | undefined;
  set(claim: number, held: Held): void;
  delete(claim: number): void;
}

const HELD_LEASES_MAX = 65_536;

export function createHeldLeases(): HeldLeases {
  const held = new Map<number, Held>();
  return {
    get: (claim) => held.get(claim),
    delete: (claim) => void held.delete(claim),
    set(claim, one) {
      held.set(claim, one);
      keepNewest(held, HELD_LEASES_MAX);
    },
  };
}

const INSERT_MESSAGE = `INSERT INTO message
  (id, sender, priority, due, expires, size, sha256, flags, recipients, facts, spool, ring, event,
    dsn, key, capture, require_tls, trace)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)`;
export const INSERT_BODY = "INSERT INTO body (message, bytes) VALUES (?1, ?2)";
const INSERT_RECIPIENT = `INSERT INTO recipient
  (message, n, address, state, priority, site, due, claim, attempts, steps, timeline, events)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, '', ?10)`;
const TELL_WHY = "UPDATE recipient SET steps = 1, timeline = ?3 WHERE message = ?1 AND n = ?2";
export const INSERT_EVENT =
  "INSERT INTO event (seq, message, n, type, at, step) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

export interface WriteDeps {
  readonly prepare: Prepare;
  readonly books: Books;
  readonly leases: HeldLeases;
  readonly ring: Ring;
}

/** What becomes of the bytes of a message that has come to its end. */
export interface SettleDeps extends WriteDeps {
  readonly graves: Graves;
}

export function createAccept({ prepare, books, leases, ring }: WriteDeps) {
  const insertMessage = prepare(INSERT_MESSAGE);
  const insertBody = prepare(INSERT_BODY);
  const insertRecipient = prepare(INSERT_RECIPIENT);
  const insertEvent = prepare(INSERT_EVENT);

  const tellWhy = prepare(TELL_WHY);

  const tellSuppressed = (
    { id, acceptedAt }: MessageHead,
    { n, step }: Pick<NewRecipient, "n" | "step">,
  ): number => {
    const seq = books.nextSeq();
    const place = step === undefined ? -1 : 0;
    insertEvent.run(seq, id, n, eventNumber["email.suppressed"], acceptedAt, place);
    return seq;
  };

  const addRecipient = ({ head, recipients }: NewMessage, one: NewRecipient): void => {
    const { state } = one;
    const number = stateNumber[state.at];
    const claim = state.at === "sending" ? state.claim : 0;
    const events = state.at === "suppressed" ? `,${tellSuppressed(head, one)}` : "";
    insertRecipient.run(
      head.id,
      one.n,
      one.address,
      number,
      head.priority,
      one.site,
      dueOf(state),
      claim,
      attemptsOf(state),
      events,
    );
    books.move(null, number, head.priority);
    if (one.step !== undefined) tellWhy.run(head.id, one.n, one.step);
    if (claim === 0) return;
    leases.set(claim, {
      message: head.id,
      n: one.n,
      state: number,
      priority: head.priority,
      steps: 0,
      recipients: recipients.length,
      sizeBytes: head.sizeBytes,
      spool: head.body.kind === "spool" ? head.body.file : null,
    });
  };

  /** Only what is with a sender now belongs there; and what is read back after a kill is read by the message's size. */
  const placeInRing = ({ head, recipients }: NewMessage, body: Uint8Array): number | null => {
    const waits = recipients.some(({ state }) => {
      return state.at !== "sending" && stateNumber[state.at] < FIRST_FINAL;
    });
    return waits || body.length !== head.sizeBytes ? null : ring.put(head.id, body);
  };

  return function accept(message: NewMessage): void {
    const { head, body, recipients } = message;
    const open = recipients.some((one) => stateNumber[one.state.at] < FIRST_FINAL);
    const spool = head.body.kind === "spool" ? head.body.file : null;
    const place = open && body !== null ? placeInRing(message, body) : null;
    const seq = books.nextSeq();
    insertMessage.run(
      head.id,
      head.from,
      head.priority,
      head.dueAt,
      head.expiresAt,
      head.sizeBytes,
      head.sha256,
      (head.eightBit ? EIGHT_BIT : 0) | (head.utf8 ? UTF8 : 0),
      recipients.length,
      head.facts,
      open ? spool : null,
      place,
      seq,
      head.dsn === undefined ? null : JSON.stringify(head.dsn),
      head.key ?? 0,
      head.capture === true ? 1 : 0,
      head.requireTls === true ? 1 : 0,
      head.trace ?? null,
    );
    if (open) {
      books.owe(head.sizeBytes);
      if (body !== null && place === null) insertBody.run(head.id, body);
    } else if (spool !== null) {
      books.drop(spool);
    }
    const type = eventNumber[acceptEvent(message)];
    insertEvent.run(seq, head.id, WHOLE_MESSAGE, type, head.acceptedAt, -1);
    for (const one of recipients) addRecipient(message, one);
  };
}

export const EIGHT_BIT = 1;
export const UTF8 = 2;

const READ_HELD = `SELECT r.state, r.priority, r.steps, m.recipients, m.size, m.spool
  FROM recipient r JOIN message m ON m.id = r.message WHERE r.message = ?1 AND r.n = ?2`;
/** A claim is part of the condition: a verdict of a lost lease finds no row. */
const UPDATE_RECIPIENT = `UPDATE recipient
  SET state = ?5, due = ?6, claim = ?7, attempts = ?8, steps = ?9, timeline = timeline || ?10,
    events = events || ?11
  WHERE message = ?1 AND n = ?2 AND state = ?3 AND claim = ?4`;
const UPDATE_SITE = "UPDATE recipient SET site = ?3 WHERE message = ?1 AND n = ?2 AND site <> ?3";
const READ_OPEN = `SELECT 1 FROM recipient WHERE message = ?1 AND state < ${FIRST_FINAL} LIMIT 1`;

export function createSettle({ prepare, books, leases, ring, graves }: SettleDeps) {
  const readHeld = prepare(READ_HELD);
  const update = prepare(UPDATE_RECIPIENT);
  const updateSite = prepare(UPDATE_SITE);
  const readOpen = prepare(READ_OPEN);
  const insertBody = prepare(INSERT_BODY);
  const deleteBody = prepare("DELETE FROM body WHERE message = ?1");
  const forgetSpool = prepare("UPDATE message SET spool = NULL WHERE id = ?1");
  const insertEvent = prepare(INSERT_EVENT);
  const insertDialogue = prepare("INSERT INTO dialogue (event, packed) VALUES (?1, ?2)");

  const find = (message: MessageId, n: number): Held | undefined => {
    const row = readHeld.values(message, n)[0] as
      [number, Priority, number, number, number, string | null] | undefined;
    if (row === undefined) return undefined;
    const [state, priority, steps, recipients, sizeBytes, spool] = row;
    return { message, n, state, priority, steps, recipients, sizeBytes, spool };
  };

  /** Undefined when there is nothing that this settlement may change. */
  const heldBy = ({ message, n, claim }: Settlement): Held | undefined => {
    if (claim === null) {
      const found = find(message, n);
      const waits =
        found !== undefined && found.state !== stateNumber.sending && found.state < FIRST_FINAL;
      return waits ? found : undefined;
    }
    const known = leases.get(claim);
    if (known !== undefined) return known.message === message && known.n === n ? known : undefined;
    const found = find(message, n);
    return found?.state === stateNumber.sending ? found : undefined;
  };

  const dropBody = (held: Held, final: StateNumber, at: EpochMs): void => {
    if (held.recipients > 1 && readOpen.values(held.message).length > 0) return;
    books.owe(-held.sizeBytes);
    if (graves.takes(held, final)) {
      if (ring.has(held.message)) settleDown(held.message);
      graves.bury(held, at);
    } else if (held.spool === null) {
      if (ring.has(held.message)) ring.drop(held.message);
      else deleteBody.run(held.message);
    } else {
      forgetSpool.run(held.message);
      books.drop(held.spool);
    }
  };

  /** It will be longer than a moment: the bytes go where they may lie for days. */
  const settleDown = (message: MessageId): void => {
    const bytes = ring.read(message);
    if (bytes === undefined) throw new Error(`the bytes of message ${message} cannot be read back`);
    insertBody.run(message, bytes);
    ring.drop(message);
  };

  return function settle(settlement: Settlement): boolean {
    const { message, n, claim, next, step, event, at, site } = settlement;
    const held = heldBy(settlement);
    if (held === undefined) return false;
    const number = stateNumber[next.at];
    const nextClaim = next.at === "sending" ? next.claim : 0;
    const steps = step === null ? held.steps : held.steps + 1;
    const text = step === null ? "" : held.steps === 0 ? step : `,${step}`;
    const { changes } = update.run(
      message,
      n,
      held.state,
      claim ?? 0,
      number,
      dueOf(next),
      nextClaim,
      attemptsOf(next),
      steps,
      text,
      event === null ? "" : `,${books.lastSeq() + 1}`,
    );
    if (changes === 0) return false;
    if (site !== undefined) updateSite.run(message, n, site);
    books.move(held.state, number, held.priority);
    if (claim !== null) leases.delete(claim);
    if (nextClaim !== 0) leases.set(nextClaim, { ...held, state: number, steps });
    if (number >= FIRST_FINAL) dropBody(held, number, at);
    else if (number !== stateNumber.sending && ring.has(message)) settleDown(message);
    if (event !== null) {
      const place = step === null ? -1 : held.steps;
      const seq = books.nextSeq();
      insertEvent.run(seq, message, n, eventNumber[event], at, place);
      if (settlement.dialogue !== undefined) insertDialogue.run(seq, settlement.dialogue);
    }
    return true;
  };
}

function acceptEvent({ recipients }: NewMessage): EventType {
  return recipients.some((one) => one.state.at === "scheduled") ? "email.scheduled" : "email.sent";
}

/** The one instant that belongs to a state: the table's `due`. */
function dueOf(state: RecipientState): number | null {
  switch (state.at) {
    case "scheduled":
    case "queued":
    case "deferred":
      return state.dueAt;
    case "sending":
      return state.leaseUntil;
    case "held":
      return null;
    default:
      return state.endedAt;
  }
}
