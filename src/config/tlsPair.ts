// The certificate and the key of `tls_cert` and `tls_key`, looked at before anything listens: what does not fit together would show as
// handshakes that fail, client by client.
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Surroundings } from "./machine.ts";
import { certificatesIn } from "./tlsCa.ts";

export interface PairFault {
  readonly setting: "tlsCert" | "tlsKey";
  readonly found: string;
  readonly allowed: string;
}

const pemFile = "a readable file in PEM";

export function pairFault(
  { tlsCert, tlsKey }: { readonly tlsCert?: string | null; readonly tlsKey?: string | null },
  readFile: Surroundings["readFile"],
): PairFault | undefined {
  if (tlsCert === undefined || tlsKey === undefined) return undefined;
  if (tlsCert === null && tlsKey === null) return undefined;
  if (tlsCert === null)
    return { setting: "tlsCert", found: "none", allowed: `${pemFile}, since tls_key is set` };
  if (tlsKey === null)
    return { setting: "tlsKey", found: "none", allowed: `${pemFile}, since tls_cert is set` };
  const chain = readOr(tlsCert, readFile);
  if (chain.kind === "fault") return { setting: "tlsCert", found: chain.why, allowed: pemFile };
  const [leaf] = certificatesIn(chain.text);
  const certificate = leaf === undefined ? undefined : attempt(() => new X509Certificate(leaf));
  if (certificate === undefined) {
    const found = `${tlsCert}, which holds no certificate`;
    return { setting: "tlsCert", found, allowed: "a certificate, then those of its authorities" };
  }
  const secret = readOr(tlsKey, readFile);
  if (secret.kind === "fault") return { setting: "tlsKey", found: secret.why, allowed: pemFile };
  const key = attempt(() => createPrivateKey(secret.text));
  if (key === undefined) {
    const found = `${tlsKey}, which holds no private key, or one with a passphrase`;
    return { setting: "tlsKey", found, allowed: "a private key without a passphrase" };
  }
  if (certificate.checkPrivateKey(key)) return undefined;
  const found = `${tlsKey}, which belongs to another certificate`;
  return { setting: "tlsKey", found, allowed: "the private key of the first one in tls_cert" };
}

type Read =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "fault"; readonly why: string };

function readOr(path: string, readFile: Surroundings["readFile"]): Read {
  try {
    const text = readFile(path);
    if (text !== undefined) return { kind: "text", text };
    return { kind: "fault", why: `${path}, which is not there` };
  } catch (error) {
    return { kind: "fault", why: `${path}: ${(error as Error).message}` };
  }
}

/** What cannot be parsed is thrown, in words that name OpenSSL's own affairs. */
function attempt<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    return undefined;
  }
}
