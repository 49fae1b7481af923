// Who stands behind a request, once the gate has let it in. Every door (HTTP, SMTP, local sockets) hands one to what it calls.
import type { MessageHead } from "../mail/message.ts";

/** What a key may be used for: submit mail, see what became of it, change anything. */
export type Scope = "send" | "read" | "manage";

export interface Caller {
  /** The API key's number; 0: the first key, or a socket of this host's owner. It is the scope of idempotency keys. */
  readonly key: number;
  readonly scopes: ReadonlySet<Scope>;
  /** Sender domains that it may use, in wire form, their subdomains included; null: all. */
  readonly domains: readonly string[] | null;
  /** Nothing that it sends leaves the host. */
  readonly capture: boolean;
}

/** What of it is kept with each of its messages. */
export function markOf({ key, capture }: Caller): Pick<MessageHead, "key" | "capture"> {
  if (key === 0 && !capture) return noMark;
  return { ...(key === 0 ? {} : { key }), ...(capture ? { capture } : {}) };
}

const noMark = {};

export const owner: Caller = {
  key: 0,
  scopes: new Set<Scope>(["send", "read", "manage"]),
  domains: null,
  capture: false,
};
