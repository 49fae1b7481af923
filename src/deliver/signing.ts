// Signatures in front of a message that is about to leave. As late as can be: what waits for hours is not signed for nothing, a
// changed key counts at once, and the octets are those that this server gets.
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Signatures, Signer } from "../mail/dkim/signer.ts";
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

/** Remembered on `holder`, so that another address or another transaction costs no second signature. */
export function signBody(
  deps: SigningDeps,
  holder: { signed?: SignedBody },
  body: Body,
): SignedBody {
  const known = holder.signed;
  if (known?.of === body) return known;
  const signer = deps.signer?.();
  const made =
    signer === undefined || !signer.active
      ? { of: body, body, addedBytes: 0, by: "" }
      : body.kind === "bytes"
        ? signBytes(signer, deps, body)
        : signStream(signer, deps, body);
  holder.signed = made;
  return made;
}

function signBytes(
  signer: Signer,
  { clock }: SigningDeps,
  body: Extract<Body, { kind: "bytes" }>,
): SignedBody {
  const signatures = signer.sign(body.bytes, clock.now());
  if (signatures === null) return { of: body, body, addedBytes: 0, by: "" };
  const { header, by } = signatures;
  const bytes = Buffer.concat([header, body.bytes]);
  return { of: body, body: { kind: "bytes", bytes }, addedBytes: header.length, by };
}

/** The octets must be read once to be hashed before the first of them can be sent. */
function signStream(
  signer: Signer,
  { clock }: SigningDeps,
  body: Extract<Body, { kind: "stream" }>,
): SignedBody {
  let once: Promise<Signatures | null> | undefined;
  const front = async (): Promise<Uint8Array | null> => {
    once ??= signer.signStream(body.open(), clock.now());
    const signatures = await once;
    signed.by = signatures?.by ?? "";
    return signatures?.header ?? null;
  };
  const signed: SignedBody = {
    of: body,
    body: { ...body, front },
    addedBytes: STREAM_GUESS_BYTES,
    by: "",
  };
  return signed;
}
