// Two verifiers that we did not write: Debian's python3-dkim and npm's mailauth.
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { join } from "node:path";
import type { SignApart } from "../../../src/mail/dkim/apart.ts";
import { readKey, publicRecord, type DkimKey } from "../../../src/mail/dkim/key.ts";
import { openKeyring } from "../../../src/mail/dkim/keyring.ts";
import { createSigner, type Signer } from "../../../src/mail/dkim/signer.ts";
import * as rfc from "./rfc8463.ts";

/** Name to text. */
export type TextZone = Readonly<Record<string, string>>;

/** Keys of both kinds for one domain, and what its DNS says. */
export const keys: readonly DkimKey[] = [
  { domain: "shop.example", selector: "s1", pem: rfc.rsaPem },
  { domain: "shop.example", selector: "s1-ed", pem: rfc.edPem },
];
export const zone: TextZone = zoneOf(keys);

export function signerOf(all: readonly DkimKey[], apart: SignApart | null = null): Signer {
  const keyring = openKeyring(all, ({ selector }, why) => {
    throw new Error(`${selector}: ${why}`);
  });
  return createSigner(keyring, apart);
}

function zoneOf(all: readonly DkimKey[]): TextZone {
  const records: Record<string, string> = {};
  for (const { domain, selector, pem } of all) {
    const read = readKey(pem);
    if (read.kind === "unusable") throw new Error(read.why);
    records[`${selector}._domainkey.${domain}`] = publicRecord(read);
  }
  return records;
}

/** One list of results a message, in the order of its signatures; `pass` is what is hoped for. */
export async function byMailauth(
  messages: readonly Uint8Array[],
  records: TextZone,
): Promise<string[][]> {
  const resolver = async (name: string): Promise<string[][]> => {
    const text = records[name];
    if (text === undefined) throw Object.assign(new Error(name), { code: "ENOTFOUND" });
    return [[text]];
  };
  const results: string[][] = [];
  for (const message of messages) {
    // Keys of 1024 bits are those that the RFC prints.
    const verified = await dkimVerify(Buffer.from(message), { resolver, minBitLength: 1024 });
    results.push(verified.results.map((one) => one.status.result));
  }
  return results;
}

/** `python` runs tests/mail/dkim/verify.py; the results are true, false or what it complains about. */
export async function byDkimpy(
  python: string,
  messages: readonly Uint8Array[],
  options: { readonly records: TextZone; readonly signatures: number },
): Promise<(boolean | string)[][]> {
  const given = JSON.stringify({
    zone: options.records,
    signatures: options.signatures,
    messages: messages.map((message) => Buffer.from(message).toString("base64")),
  });
  const child = Bun.spawn([python, join(import.meta.dir, "verify.py")], {
    stdin: Buffer.from(given),
    stdout: "pipe",
    stderr: "inherit",
  });
  const said = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error("the verifier failed");
  return JSON.parse(said) as (boolean | string)[][];
}
