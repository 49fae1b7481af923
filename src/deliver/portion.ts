// What one transaction takes of a job on a given connection: which of its recipients, and the message in a form that the server bears.
import { downgrade, downgraded, hasHighBits, NotSevenBit } from "../mail/downgrade.ts";
import type { Job, JobRecipient } from "../mail/job.ts";
import { domainOf } from "../mail/message.ts";
import type { Offer } from "../smtp/extensions.ts";
import { createChecker, type Body } from "./body.ts";

/** A job, as far as it is not decided. */
export interface Load {
  readonly job: Job;
  readonly body: Body;
  readonly left: readonly JobRecipient[];
  /** The body without octets above 127, once it was wanted; null when it cannot be had. */
  sevenBit?: Body | null;
  /** Its header needs SMTPUTF8; known once it was looked at. */
  utf8Header?: boolean;
}

export interface Portion {
  readonly recipients: readonly JobRecipient[];
  /** For a further transaction. */
  readonly rest: readonly JobRecipient[];
  readonly utf8: boolean;
  readonly body: Body;
  readonly eightBit: boolean;
  /** Undefined when it is known only once it has been read. */
  readonly sizeBytes: number | undefined;
}

const nobody: readonly JobRecipient[] = [];

export function portionOf(load: Load, offer: Offer, recipientsMax: number): Portion {
  const { job, left, body } = load;
  const recipients = left.length === 1 ? left : choose(load, offer, recipientsMax);
  const rest =
    recipients.length === left.length ? nobody : left.filter((one) => !recipients.includes(one));
  const utf8 = job.utf8 && (needsUtf8(job, recipients) || headerNeedsUtf8(load));
  const { eightBit, sizeBytes } = job;
  const whole = { recipients, rest, utf8, body, eightBit, sizeBytes };
  if (!eightBit || utf8 || offer.eightBitMime) return whole;
  const plain = sevenBitOf(load);
  if (plain === null) return whole;
  const octets = plain.kind === "bytes" ? plain.bytes.length : undefined;
  return { ...whole, body: plain, eightBit: false, sizeBytes: octets };
}

function choose(load: Load, offer: Offer, recipientsMax: number): readonly JobRecipient[] {
  const { job, left } = load;
  const max = Math.min(recipientsMax, offer.limits.recipients);
  let fit = left;
  // One recipient's address must not keep the message from the others.
  if (job.utf8 && !offer.smtpUtf8 && isAscii(job.from)) {
    const ascii = left.filter((one) => isAscii(one.address));
    if (ascii.length > 0) fit = ascii;
  }
  if (offer.limits.domains !== Infinity) fit = ofFewDomains(fit, offer.limits.domains);
  return fit.length > max ? fit.slice(0, max) : fit;
}

/** RFC 9422 6.3. */
function ofFewDomains(left: readonly JobRecipient[], domainsMax: number): readonly JobRecipient[] {
  const domains = new Set<string>();
  return left.filter(({ address }) => {
    const domain = domainOf(address);
    if (!domains.has(domain) && domains.size >= domainsMax) return false;
    domains.add(domain);
    return true;
  });
}

/** RFC 6531 3.4: only when it is needed. A domain is in A-labels here, so that it never needs it. */
function needsUtf8({ from }: Job, recipients: readonly JobRecipient[]): boolean {
  return !isAscii(from) || recipients.some((one) => !isAscii(one.address));
}

function headerNeedsUtf8(load: Load): boolean {
  const { job, body } = load;
  if (!job.eightBit) return false;
  // A stream would have to be opened for it; it is told as the door saw it.
  if (body.kind === "stream") return true;
  return (load.utf8Header ??= hasHighBits(headerIn(body.bytes)));
}

const HEADER_END = Buffer.from("\r\n\r\n");

function headerIn(bytes: Uint8Array): Uint8Array {
  const end: number = Buffer.prototype.indexOf.call(bytes, HEADER_END);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

function sevenBitOf(load: Load): Body | null {
  if (load.sevenBit !== undefined) return load.sevenBit;
  const { body } = load;
  load.sevenBit = body.kind === "bytes" ? sevenBitBytes(body.bytes) : sevenBitStream(body);
  return load.sevenBit;
}

function sevenBitBytes(bytes: Uint8Array): Body | null {
  try {
    return { kind: "bytes", bytes: downgrade(bytes) };
  } catch (error) {
    if (error instanceof NotSevenBit) return null;
    throw error;
  }
}

/** What is wrong with it shows only on the way: the same answer then, at the price of a connection. */
function sevenBitStream(body: Extract<Body, { kind: "stream" }>): Body {
  const checked = async function* (): AsyncGenerator<Uint8Array, void, void> {
    const checker = createChecker(body);
    for await (const chunk of body.open()) {
      checker.add(chunk);
      yield chunk;
    }
    const fault = checker.fault();
    if (fault !== undefined) throw new Error(fault);
  };
  return {
    kind: "stream",
    open: () => downgraded(checked()),
    sizeBytes: undefined,
    sha256: undefined,
  };
}
