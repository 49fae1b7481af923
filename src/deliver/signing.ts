// Signatures in front of a message that is about to leave. As late as can be: what waits for hours is not signed for nothing, a
// changed key counts at once, and the octets are those that this server gets.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Signatures, Signer } from "../mail/dkim/signer.ts";
import type { MessageId } from "../mail/id.ts";
import type { Job } from "../mail/job.ts";
import type { Body } from "./body.ts";

export interface SigningDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Absent: nothing is signed. */
  readonly signer?: () => Signer;
}

export interface SignedBody {
  /** What was signed. */
  readonly of: Body;
  readonly body: Body;
  /** Octets that came in front; of a stream, a guess that is rather too large (RFC 1870 6.1). */
  readonly addedBytes: number;
  /** Whose signatures they are; of a stream, known once it has been read. */
  by: string;
}

/** Two RSA and two Ed25519 signatures with long domains. */
const STREAM_GUESS_BYTES = 4096;

/** The part of a job that is signed. */
export interface Signable {
  readonly job: Pick<Job, "message">;
  /** As it was accepted. */
  readonly body: Body;
  signed?: SignedBody;
}

/** `body` is what this server gets. Remembered, so that another address or another transaction costs no second signature. */
export function signBody(deps: SigningDeps, work: Signable, body: Body): SignedBody {
  const known = work.signed;
  if (known?.of === body) return known;
  const signer = deps.signer?.();
  const made =
    signer === undefined || !signer.active
      ? { of: body, body, addedBytes: 0, by: "" }
      : body.kind === "bytes"
        ? signBytes(signer, deps, work, body)
        : signStream(signer, deps, work, body);
  work.signed = made;
  return made;
}

/** Null for octets that are not those of the message itself. */
function nameOf({ job, body }: Signable, sent: Body): MessageId | null {
  return sent === body ? job.message : null;
}

function signBytes(
  signer: Signer,
  { clock }: SigningDeps,
  work: Signable,
  body: Extract<Body, { kind: "bytes" }>,
): SignedBody {
  const name = nameOf(work, body);
  const before = name === null ? undefined : signer.recent.get(name);
  const signatures = before ?? signer.sign(body.bytes, clock.now());
  if (signatures === null) return { of: body, body, addedBytes: 0, by: "" };
  if (name !== null && before === undefined) signer.recent.keep(name, signatures);
  const { octets, by } = signatures;
  return { of: body, body: { ...body, front: signatures }, addedBytes: octets, by };
}

/** The octets must be read once to be hashed before the first of them can be sent. */
function signStream(
  signer: Signer,
  { clock }: SigningDeps,
  work: Signable,
  body: Extract<Body, { kind: "stream" }>,
): SignedBody {
  const name = nameOf(work, body);
  let once: Promise<Signatures | null> | undefined;
  const sign = async (): Promise<Signatures | null> => {
    const before = name === null ? undefined : signer.recent.get(name);
    if (before !== undefined) return before;
    const signatures = await signer.signStream(body.open(), clock.now());
    if (name !== null && signatures !== null) signer.recent.keep(name, signatures);
    return signatures;
  };
  const front = async (): Promise<Uint8Array | null> => {
    const signatures = await (once ??= sign());
    signed.by = signatures?.by ?? "";
    return signatures === null ? null : Buffer.from(await signatures.header, "latin1");
  };
  const signed: SignedBody = {
    of: body,
    body: { ...body, front },
    addedBytes: STREAM_GUESS_BYTES,
    by: "",
  };
  return signed;
}
