// Compares what became of a case with what must become of it, in words for the table.
import type { Expect, FaultCase, Outcome, Seen, Telling, Told } from "./case.ts";

const COMPLAINT_MAX = 400;

export interface Standard {
  /** It keeps a queue, so that what comes after a retry counts. */
  readonly queue: boolean;
}

/** What is wrong; empty is well. */
export function complaints(one: FaultCase, seen: Seen, standard: Standard): string[] {
  const { expect } = one;
  const found: string[] = [];
  for (const told of seen.told) found.push(...aboutRecipient(expect, told, seen, standard));
  if (expect.never !== undefined) {
    const { never } = expect;
    const line = seen.servers.flatMap((server) => server.lines()).find((text) => never.test(text));
    if (line !== undefined) found.push(`the server heard ${line.slice(0, 60)}`);
  }
  const more = expect.check?.(seen);
  if (more !== undefined) found.push(more);
  return [...new Set(found)].map((text) => text.slice(0, COMPLAINT_MAX));
}

function aboutRecipient(expect: Expect, told: Told, seen: Seen, { queue }: Standard): string[] {
  const found: string[] = [];
  const isOurs = told.events.length > 0;
  const { ours } = expect;
  const wanted = isOurs && ours !== undefined ? [ours] : wantedFirst(expect, told.to);
  const first = told.outcomes[0];
  if (first === undefined || !wanted.includes(first))
    found.push(`${first ?? "nothing"} instead of ${wanted.join(" or ")}${wordOf(told)}`);
  const last = told.outcomes.at(-1);
  const then = queue ? expect.then : undefined;
  if (then !== undefined && last !== then) found.push(`then ${last} instead of ${then}`);
  const telling = expect.told ?? expect.toldOf?.[localPart(told.to)];
  if (first !== undefined && telling !== undefined && isOurs)
    found.push(...aboutEvent(telling, told, first));
  const copies = copiesOf(seen, told.to);
  const due = expect.copies ?? (last === "delivered" ? messagesTo(seen, told.to) : 0);
  if (!Number.isNaN(due) && copies !== due && found.length === 0)
    found.push(`${copies} copies instead of ${due}`);
  return found;
}

function wantedFirst({ first }: Expect, to: string): readonly Outcome[] {
  if (typeof first === "string") return [first];
  if (Array.isArray(first)) return first as readonly Outcome[];
  const own = (first as Readonly<Record<string, Outcome>>)[localPart(to)];
  return own === undefined ? [] : [own];
}

const localPart = (to: string): string => to.slice(0, to.indexOf("@"));

const outcomeTypes: Readonly<Record<string, Outcome>> = {
  "email.delivered": "delivered",
  "email.delivery_delayed": "deferred",
  "email.bounced": "bounced",
  "email.failed": "expired",
};

export function outcomeOf(type: string): Outcome | undefined {
  return outcomeTypes[type];
}

function firstOutcome({ events }: Told) {
  return events.find(({ type }) => outcomeOf(type) !== undefined)?.postrider ?? {};
}

function wordOf(told: Told): string {
  if (told.events.length === 0) return "";
  const { phase, class: trouble, code, enhanced, text } = firstOutcome(told);
  return ` (${[phase, trouble, code, enhanced, text].filter((word) => word != null).join(" ")})`;
}

function aboutEvent(wanted: Telling, told: Told, first: Outcome): string[] {
  const event = firstOutcome(told);
  return Object.entries(wanted).flatMap(([name, value]: [string, unknown]) => {
    // A delivery has a code and an enhanced code of its own.
    if (first === "delivered" && name !== "host" && name !== "doubt") return [];
    const found = event[name] ?? null;
    const well = value instanceof RegExp ? value.test(String(found)) : found === value;
    return well ? [] : [`${name} ${String(found)} instead of ${String(value)}${wordOf(told)}`];
  });
}

function copiesOf({ servers }: Seen, to: string): number {
  const taken = servers.flatMap((server) => server.taken());
  return taken.filter((one) => one.to.includes(to)).length;
}

/** The same recipient may have been written to in several messages. */
function messagesTo({ told }: Seen, to: string): number {
  return told.filter((one) => one.to === to).length;
}
