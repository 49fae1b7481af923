// What a message can be found by, as keys of the index; and the rows of a batch, gathered key by key.
import { soughtAddress } from "../mail/address.ts";
import { type HostTag, type MessageId, uuidOf } from "../mail/id.ts";
import { domainOf, type MessageFacts, priorities, type Priority } from "../mail/message.ts";
import { recipientStates, type StateNumber } from "../mail/state.ts";
import { traceIdOf } from "../mail/traceContext.ts";
import { termKey, type TermKind } from "./index-file.ts";

export interface Found {
  readonly id: MessageId;
  readonly trace: string | null;
  readonly facts: MessageFacts;
  readonly addresses: readonly string[];
}

const stateKeys = recipientStates.map((_, number) => termKey("state", String(number)));
const openKeys = priorities.map((priority) => termKey("open", String(priority)));

/** Rows to be, each key's in the order in which its messages were added. */
export interface Terms {
  add(key: number, message: MessageId): void;
  addState(number: StateNumber, message: MessageId): void;
  addOpen(priority: Priority, message: MessageId): void;
  /** In the order of the keys, so that the index is walked once from left to right. */
  each(see: (key: number, message: MessageId) => void): void;
}

export function createTerms(): Terms {
  const byKey = new Map<number, MessageId[]>();
  const add = (key: number, message: MessageId): void => {
    const messages = byKey.get(key);
    if (messages === undefined) byKey.set(key, [message]);
    else messages.push(message);
  };
  return {
    add,
    addState: (number, message) => add(stateKeys[number] ?? 0, message),
    addOpen: (priority, message) => add(openKeys[priority] ?? 0, message),
    each(see) {
      for (const key of Float64Array.from(byKey.keys()).sort())
        for (const message of byKey.get(key) ?? []) see(key, message);
    },
  };
}

export function addFound(terms: Terms, { id, trace, facts, addresses }: Found, tag: HostTag): void {
  const add = (kind: TermKind, value: string): void => terms.add(termKey(kind, value), id);
  for (const address of addresses) {
    const lower = address.toLowerCase();
    add("to", lower);
    add("domain", domainOf(lower));
  }
  add("from", bareAddress(facts.from));
  for (const { name, value } of facts.tags) {
    add("tag", name);
    add("tag", `${name}=${value}`);
  }
  if (facts.reference !== null) add("reference", facts.reference);
  // A trace id of our own is the message's UUID.
  if (trace !== null) add("trace", traceIdOf(id, tag, trace));
  // The id that we made up ourselves holds the message's own UUID: it is found without a row.
  if (!facts.message_id.includes(uuidOf(id, tag))) add("message_id", facts.message_id);
}

/** `Name <a@b.example>` and `a@b.example` are the same sender, and so are two spellings of one domain. */
export function bareAddress(mailbox: string): string {
  const inner = mailbox.includes("<") ? /<([^<>]*)>\s*$/.exec(mailbox)?.[1] : undefined;
  return soughtAddress(inner ?? mailbox);
}
