// A message that waits in a pickup folder until the daemon takes it: one file, its envelope in the first line, and behind it the
// message as it came. Who writes it and who reads it are different processes, perhaps of different users.
import { createHash } from "node:crypto";
import type { EpochMs } from "../base/clock.ts";

/** What is known besides the message; addresses are in wire form, an empty sender is the null reverse-path. */
export interface PickupEnvelope {
  readonly from: string;
  readonly to: readonly string[];
  /** As the parameters of POST /send have them. */
  readonly notify?: string | undefined;
  readonly ret?: string | undefined;
  readonly envid?: string | undefined;
}

/** Of the first line, its LF not counted: some thousand recipients. */
export const ENVELOPE_BYTES_MAX = 1_000_000;
export const PICKUP_RECIPIENTS_MAX = 3_000;
/** Recipients of one submission: as many as `to` may have unless `max_recipients` says otherwise. */
export const RECIPIENTS_AT_ONCE = 50;
/** Of the recipients in a request's first line, which servers bound. */
const QUERY_OCTETS_MAX = 8_000;

const RANDOM_BYTES = 16;
const NAME = /^[0-9a-f]{12}-[0-9a-f]{32}\.mail$/;

/** A name that nobody else has, in order of time; the idempotency key of what it holds. */
export function pickupName(now: EpochMs, bytes: (count: number) => Uint8Array): string {
  const random = Buffer.from(bytes(RANDOM_BYTES)).toString("hex");
  return `${Math.max(0, now).toString(16).padStart(12, "0").slice(-12)}-${random}.mail`;
}

export function isPickupName(name: string): boolean {
  return NAME.test(name);
}

const MESSAGE_ID_CHARACTERS = 32;

/**
 * For a message without one; without angle brackets. It does not tell the name: who gets the message could read all its recipients in a
 * folder that is everybody's, and take the keys of its other parts.
 */
export function pickupMessageId(name: string, hostname: string): string {
  const left = createHash("sha256").update(name).digest("hex").slice(0, MESSAGE_ID_CHARACTERS);
  return `${left}@${hostname}`;
}

function stemOf(name: string): string {
  return name.replace(/\.mail$/, "");
}

export function packEnvelope(envelope: PickupEnvelope): string {
  return `${JSON.stringify(envelope)}\n`;
}

/** Undefined for anything that `packEnvelope` did not write. */
export function unpackEnvelope(line: string): PickupEnvelope | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { from, to, notify, ret, envid } = value as Readonly<Record<string, unknown>>;
  const words = [notify, ret, envid];
  if (typeof from !== "string" || !words.every((one) => one === undefined || isText(one)))
    return undefined;
  if (!Array.isArray(to) || to.length === 0 || to.length > PICKUP_RECIPIENTS_MAX) return undefined;
  if (!to.every(isText)) return undefined;
  return { from, to, ...(words.some(isText) ? { notify, ret, envid } : {}) } as PickupEnvelope;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

export interface PickupPart {
  /** Of POST /send. */
  readonly query: string;
  /** The same for the same part of the same message, whoever submits it. */
  readonly idempotencyKey: string;
}

/** Of a message that is sent whole: new each time, and of less weight than a key that the message itself carries. */
export function wholeKey(now: EpochMs, bytes: (count: number) => Uint8Array): string {
  return partKey(pickupName(now, bytes), 0);
}

function partKey(name: string, part: number): string {
  return `sendmail-${stemOf(name)}-${part}`;
}

const PART_KEY = /^sendmail-[0-9a-f]{12}-[0-9a-f]{32}-(\d{1,3})$/;

/** Which part of its message a key of `partsOf` is for; undefined for other keys. */
export function partOfKey(idempotencyKey: string): number | undefined {
  const found = PART_KEY.exec(idempotencyKey)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** A request may name only so many recipients, in so long a line, so a message to more of them is several submissions. */
export function partsOf(name: string, envelope: PickupEnvelope): readonly PickupPart[] {
  return groupsOf(envelope.to).map((group, i) => {
    const query = new URLSearchParams({ from: envelope.from });
    for (const address of group) query.append("to", address);
    for (const word of ["notify", "ret", "envid"] as const) {
      const value = envelope[word];
      if (value !== undefined) query.set(word, value);
    }
    return { query: query.toString(), idempotencyKey: partKey(name, i) };
  });
}

function groupsOf(addresses: readonly string[]): string[][] {
  const groups: string[][] = [];
  let room = 0;
  for (const address of addresses) {
    // With `&to=`; encoded, an octet takes three at most.
    const octets = encodeURIComponent(address.toWellFormed()).length + 4;
    const last = groups.at(-1);
    if (last === undefined || last.length >= RECIPIENTS_AT_ONCE || octets > room) {
      groups.push([address]);
      room = QUERY_OCTETS_MAX - octets;
    } else {
      last.push(address);
      room -= octets;
    }
  }
  return groups;
}
