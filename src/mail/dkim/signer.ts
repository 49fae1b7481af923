// Signs messages just before they leave: the From field says whose keys, every key makes a signature. Runs in the sender threads,
// since an RSA signature takes as long as five deliveries.
import type { EpochMs } from "../../base/clock.ts";
import { parseMailboxes } from "../address.ts";
import type { MessageId } from "../id.ts";
import { domainOf } from "../message.ts";
import { bodyHashOf, createBodyHash } from "./body.ts";
import { cutFields, type Field, select, type Selection, signedFields } from "./header.ts";
import type { SigningKey } from "./key.ts";
import type { Keyring } from "./keyring.ts";
import { nameLines, signatureField } from "./signature.ts";

export interface Signatures {
  /** The fields to be sent in front of the message, each with CRLF. */
  readonly header: Uint8Array;
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
/** From fields whose keys are remembered; most senders have few. */
const FROM_MAX = 1000;
const FROM_LENGTH_MAX = 500;

const headerEnd = Buffer.from("\r\n\r\n");

export function createSigner(keyring: Keyring): Signer {
  const known = new Map<string, readonly SigningKey[]>();
  const planFor = createPlans();
  const signaturesOf = (
    keys: readonly SigningKey[],
    fields: readonly Field[],
    bodyHash: string,
    at: EpochMs,
  ): Signatures => {
    const { lines, places } = planFor(fields);
    const signed = { names: lines, fields: signedFields(fields, places), bodyHash, at };
    let text = "";
    for (const key of keys) text += signatureField(key, signed);
    return { header: Buffer.from(text, "latin1"), by: signersOf(keys) };
  };
  const keysFor = (fields: readonly Field[]): readonly SigningKey[] => {
    const from = fields.find((field) => field.name === "from")?.value ?? "";
    const found = known.get(from);
    if (found !== undefined) return found;
    const domain = fromDomain(from);
    const keys = domain === undefined ? [] : keyring.keysFor(domain);
    if (known.size >= FROM_MAX) known.clear();
    if (from.length <= FROM_LENGTH_MAX) known.set(from, keys);
    return keys;
  };
  return {
    active: keyring.size > 0,
    recent: createRecent(),
    sign(message, at) {
      const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
      const { fieldsEnd, bodyStart } = borders(bytes);
      const fields = cutFields(bytes.toString("latin1", 0, fieldsEnd));
      const keys = keysFor(fields);
      if (keys.length === 0) return null;
      return signaturesOf(keys, fields, bodyHashOf(bytes, bodyStart), at);
    },
    async signStream(message, at) {
      let head = Buffer.alloc(0);
      let body: ReturnType<typeof createBodyHash> | null = null;
      let fields: readonly Field[] = [];
      for await (const chunk of message) {
        if (body !== null) {
          body.add(chunk);
          continue;
        }
        head = Buffer.concat([head, chunk]);
        const { fieldsEnd, bodyStart } = borders(head);
        if (bodyStart === head.length && head.indexOf(headerEnd) < 0) {
          if (head.length > HEADER_OCTETS_MAX) return null;
          continue;
        }
        fields = cutFields(head.toString("latin1", 0, fieldsEnd));
        if (keysFor(fields).length === 0) return null;
        body = createBodyHash();
        body.add(head.subarray(bodyStart));
      }
      if (body === null) fields = cutFields(head.toString("latin1", 0, borders(head).fieldsEnd));
      const keys = keysFor(fields);
      if (keys.length === 0) return null;
      return signaturesOf(keys, fields, (body ?? createBodyHash()).digest(), at);
    },
  };
}

/** A message may end within its header: then it has no body. */
function borders(bytes: Buffer): { readonly fieldsEnd: number; readonly bodyStart: number } {
  const at = bytes.indexOf(headerEnd);
  if (at < 0) return { fieldsEnd: bytes.length, bodyStart: bytes.length };
  return { fieldsEnd: at + 2, bodyStart: at + headerEnd.length };
}

/** The oldest goes first. */
function createRecent(): Recent {
  const kept = new Map<MessageId, Signatures>();
  return {
    get: (message) => kept.get(message),
    keep(message, signatures) {
      kept.set(message, signatures);
      if (kept.size <= RECENT_MAX) return;
      for (const oldest of kept.keys()) {
        kept.delete(oldest);
        return;
      }
    },
  };
}

interface Plan extends Selection {
  readonly lines: string;
}

/** Most mail of a host has the same fields in the same order, so what is signed of them is found out once. */
const PLANS_MAX = 256;

function createPlans(): (fields: readonly Field[]) => Plan {
  const plans = new Map<string, Plan>();
  return (fields) => {
    let shape = "";
    for (const { name } of fields) shape += `${name}:`;
    const known = plans.get(shape);
    if (known !== undefined) return known;
    const selection = select(fields);
    const plan = { ...selection, lines: nameLines(selection.names) };
    if (plans.size >= PLANS_MAX) plans.clear();
    if (shape.length <= SHAPE_LENGTH_MAX) plans.set(shape, plan);
    return plan;
  };
}

const SHAPE_LENGTH_MAX = 2000;

function signersOf(keys: readonly SigningKey[]): string {
  return keys.map(({ domain, selector }) => `${domain}/${selector}`).join(" ");
}

/** One plain mailbox, as in nearly all mail. */
const plainFrom = /^[^"(),:;<>@\\\r]*<[^"(),:;<>@\\\s]+@([a-z0-9.-]+)>\s*$/i;

/** The domain of the first author, in wire form. */
export function fromDomain(value: string): string | undefined {
  const plain = plainFrom.exec(value)?.[1];
  if (plain !== undefined) return plain.toLowerCase();
  const text = Buffer.from(value, "latin1").toString("utf8").replaceAll("\r\n", "").trim();
  const list = parseMailboxes(text, "header");
  const first = list.kind === "ok" ? list.value[0] : undefined;
  return first === undefined ? undefined : domainOf(first.address);
}
