// Who stands behind a request, once the gate has let it in. Every door (HTTP, SMTP, local sockets) hands one to what it calls.
import type { Scope } from "../mail/apiKey.ts";
import type { MessageHead } from "../mail/message.ts";
import type { Problem } from "./problem.ts";
import type { Allowance } from "./rates.ts";

export type { Scope } from "../mail/apiKey.ts";

export interface Caller {
  /** The API key's number; 0: the first key, or a socket of this host's owner. It is the scope of idempotency keys. */
  readonly key: number;
  readonly scopes: ReadonlySet<Scope>;
  /** Sender domains that it may use, in wire form, their subdomains included; null: all. */
  readonly domains: readonly string[] | null;
  /** Nothing that it sends leaves the host. */
  readonly capture: boolean;
  /** What it may still do today and at this moment; absent: no limit of its own, and nothing is counted. */
  readonly allowance?: Allowance | undefined;
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

/**
 * Whether it may send as all of these addresses, in wire form: those of From, Sender and their resent kind, and the reverse-path that
 * it chose.
 */
export function admitSender(
  caller: Pick<Caller, "domains">,
  addresses: readonly string[],
): Problem | undefined {
  for (const address of addresses) {
    const detail = whyForeign(caller, address);
    if (detail !== undefined) return { name: "domain_not_allowed", detail };
  }
  return undefined;
}

/** Why it may not send as this address; undefined: it may. The null reverse-path names nobody. */
export function whyForeign(
  { domains }: Pick<Caller, "domains">,
  address: string,
): string | undefined {
  if (domains === null || address === "") return undefined;
  const domain = address.slice(address.lastIndexOf("@") + 1).toLowerCase();
  if (domains.some((one) => isWithin(domain, one))) return undefined;
  return `This API key may not send from ${domain}; it may from ${domains.join(", ")}.`;
}

export function isWithin(domain: string, parent: string): boolean {
  return domain === parent || domain.endsWith(`.${parent}`);
}
