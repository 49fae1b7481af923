// Signs messages just before they leave: the From field says whose keys, every key makes a signature. Runs in the sender threads,
// and RSA on further ones where there are any, since such a signature takes as long as twenty deliveries.
import type { EpochMs } from "../../base/clock.ts";
import { keepNewest } from "../../base/keepNewest.ts";
import { parseMailboxes } from "../address.ts";
import type { MessageId } from "../id.ts";
import { domainOf } from "../message.ts";
import type { SignApart } from "./apart.ts";
import { bodyHashOf, createBodyHash } from "./body.ts";
import { type Header, readHeader, select, type Selection } from "./header.ts";
import type { SigningKey } from "./key.ts";
import type { Keyring } from "./keyring.ts";
import { createTemplate, type Template } from "./signature.ts";

export interface Signatures {
  /** The fields to be sent in front of the message, each with CRLF; ASCII. A promise while they are made; it never rejects. */
  readonly header: string | Promise<string>;
  /** Known from the start. */
  readonly octets: number;
  /** For the timeline, such as `example.com/s1 example.com/s2`. */
  readonly by: string;
}

export interface Signer {
  /** False: nothing is ever signed, so nothing need be asked. */
  readonly active: boolean;
  /** Null when there is no key for its From. */
  sign(message: Uint8Array, at: EpochMs): Signatures | null;
  /** The same for one that is read piece by piece; reads no further than the header when there is no key. */
  signStream(message: AsyncIterable<Uint8Array>, at: EpochMs): Promise<Signatures | null>;
  /** What was lately signed, by message: the signature is the same for all its recipients, however many domains they are at. */
  readonly recent: Recent;
}

export interface Recent {
  get(message: MessageId): Signatures | undefined;
  keep(message: MessageId, signatures: Signatures): void;
}

/** Of 1.3 KB each. The recipients of a message are claimed close to each other. */
const RECENT_MAX = 256;
/** A header that the door takes is a quarter of it at most. */
const HEADER_OCTETS_MAX = 1_048_576;

const headerEnd = Buffer.from("\r\n\r\n");

/** `apart` signs with RSA; without it everything is signed at once. */
export function createSigner(keyring: Keyring, apart: SignApart | null = null): Signer {
  const plansFor = createPlans(keyring, apart);
  return {
    active: keyring.size > 0,
    recent: createRecent(),
    sign(message, at) {
      const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
      const { fieldsEnd, bodyStart } = borders(bytes);
      const header = readHeader(bytes, fieldsEnd);
      const plan = plansFor(header);
      return plan === null ? null : signaturesOf(plan, header, bodyHashOf(bytes, bodyStart), at);
    },
    async signStream(message, at) {
      let head = Buffer.alloc(0);
      let body: ReturnType<typeof createBodyHash> | null = null;
      for await (const chunk of message) {
        if (body !== null) {
          body.add(chunk);
          continue;
        }
        head = Buffer.concat([head, chunk]);
        if (head.indexOf(headerEnd) < 0) {
          if (head.length > HEADER_OCTETS_MAX) return null;
          continue;
        }
        const { fieldsEnd, bodyStart } = borders(head);
        if (plansFor(readHeader(head, fieldsEnd)) === null) return null;
        body = createBodyHash();
        body.add(head.subarray(bodyStart));
      }
      // Read again, since other messages have used the room in the meantime.
      const header = readHeader(head, borders(head).fieldsEnd);
      const plan = plansFor(header);
      const bodyHash = (body ?? createBodyHash()).digest();
      return plan === null ? null : signaturesOf(plan, header, bodyHash, at);
    },
  };
}

/** A message may end within its header: then it has no body. */
function borders(bytes: Buffer): { readonly fieldsEnd: number; readonly bodyStart: number } {
  const at = bytes.indexOf(headerEnd);
  if (at < 0) return { fieldsEnd: bytes.length, bodyStart: bytes.length };
  return { fieldsEnd: at + 2, bodyStart: at + headerEnd.length };
}

/** What is done to all messages of one author's domain whose headers have one shape. */
interface Plan {
  readonly places: Selection["places"];
  readonly templates: readonly Template[];
  readonly by: string;
}

/** Most mail of a host has the same few authors and shapes, so each plan is made once. */
const PLANS_MAX = 256;
const PLAN_KEY_MAX = 2000;

/** Null: there is no key. */
function createPlans(keyring: Keyring, apart: SignApart | null): (header: Header) => Plan | null {
  const selections = new Map<string, Selection>();
  const plans = new Map<string, Plan | null>();
  const remember = <T>(map: Map<string, T>, key: string, value: T): T => {
    if (map.size >= PLANS_MAX) map.clear();
    if (key.length <= PLAN_KEY_MAX) map.set(key, value);
    return value;
  };
  return (header) => {
    const { shape, octets, starts } = header;
    const selection = selections.get(shape) ?? remember(selections, shape, select(shape));
    if (selection.from < 0) return null;
    const start = (starts[selection.from] ?? 0) + "from:".length;
    const from = octets.toString("latin1", start, (starts[selection.from + 1] ?? 0) - 2);
    const key = `${shape}\n${from}`;
    const known = plans.get(key);
    if (known !== undefined) return known;
    const domain = fromDomain(from);
    const keys = domain === undefined ? [] : keyring.keysFor(domain);
    return remember(plans, key, keys.length === 0 ? null : planOf(keys, selection, apart));
  };
}

function planOf(
  keys: readonly SigningKey[],
  { names, places }: Selection,
  apart: SignApart | null,
): Plan {
  return {
    places,
    templates: keys.map((key) => createTemplate(key, names, apart)),
    by: keys.map(({ domain, selector }) => `${domain}/${selector}`).join(" "),
  };
}

let signedRoom = Buffer.alloc(16_384);

/** RFC 6376 3.7: the fields, then the signature's own with an empty `b=`. */
function signaturesOf(plan: Plan, header: Header, bodyHash: string, at: EpochMs): Signatures {
  const { octets, starts } = header;
  const made: (string | Promise<string>)[] = [];
  let length = 0;
  let fieldsEnd = -1;
  for (const template of plan.templates) {
    const own = template.canonical(at, bodyHash);
    if (fieldsEnd < 0) {
      const most = (starts.at(-1) ?? 0) + own.length * 2;
      if (signedRoom.length < most) signedRoom = Buffer.alloc(most);
      fieldsEnd = 0;
      for (const place of plan.places)
        fieldsEnd += octets.copy(signedRoom, fieldsEnd, starts[place], starts[place + 1]);
    }
    const end = fieldsEnd + signedRoom.write(own, fieldsEnd, "latin1");
    const unsigned = template.unsigned(at, bodyHash);
    length += template.octets(unsigned);
    made.push(template.sign(unsigned, signedRoom.subarray(0, end)));
  }
  return made.every((one) => typeof one === "string")
    ? { header: made.join(""), octets: length, by: plan.by }
    : whenMade(made, length, plan.by);
}

function whenMade(
  made: readonly (string | Promise<string>)[],
  octets: number,
  by: string,
): Signatures {
  const signatures: { -readonly [Key in keyof Signatures]: Signatures[Key] } = {
    header: Promise.all(made).then((all) => (signatures.header = all.join(""))),
    octets,
    by,
  };
  return signatures;
}

/** The oldest goes first. */
function createRecent(): Recent {
  const kept = new Map<MessageId, Signatures>();
  return {
    get: (message) => kept.get(message),
    keep(message, signatures) {
      kept.set(message, signatures);
      keepNewest(kept, RECENT_MAX);
    },
  };
}

/** One plain mailbox, as in nearly all mail. */
const plainFrom = /^[^"(),:;<>@\\]*<[^"(),:;<>@\\\s]+@([a-z0-9.-]+)>$/i;

/** The domain of the first author, in wire form. `value` is unfolded, one code unit an octet. */
export function fromDomain(value: string): string | undefined {
  const plain = plainFrom.exec(value)?.[1];
  if (plain !== undefined) return plain.toLowerCase();
  const list = parseMailboxes(Buffer.from(value, "latin1").toString("utf8"), "header");
  const first = list.kind === "ok" ? list.value[0] : undefined;
  return first === undefined ? undefined : domainOf(first.address);
}
