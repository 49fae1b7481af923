// RSA signatures on other threads than the caller's: the runtime's own, of which the process has one a core. Files are read and written
// there too, so only few signatures are there at a time, and the others wait here.
import { type KeyObject, sign } from "node:crypto";
import { type SigningKey, signOctets } from "./key.ts";

/** `input` is the caller's again at once. Never rejects. */
export type SignApart = (
  key: Pick<SigningKey, "algorithm" | "key">,
  input: Buffer,
) => Promise<string>;

/** One is made and one waits, so that no core waits for us. */
const EACH_CORE = 2;

/** How many signatures one of so many senders may have there: its part of the process's, and one at least. */
export function signaturesApart(cores: number, senders: number): number {
  return Math.ceil((cores * EACH_CORE) / Math.max(1, senders));
}

type SignOnPool = (
  digest: string,
  input: Buffer,
  key: KeyObject,
  done: (error: Error | null, signature: Buffer) => void,
) => void;

/** `most` is asked anew for each. */
export function createSignApart(most: () => number, signOnPool: SignOnPool = sign): SignApart {
  const waiting: (() => void)[] = [];
  let under = 0;
  const beginSome = (): void => {
    while (under < most()) {
      const begin = waiting.shift();
      if (begin === undefined) return;
      under++;
      begin();
    }
  };
  return (signing, input) => {
    const own = Buffer.from(input);
    return new Promise((resolve) => {
      waiting.push(() => {
        try {
          signOnPool("sha256", own, signing.key, (error, signature) => {
            under--;
            beginSome();
            resolve(error ? signOctets(signing, own) : signature.toString("base64"));
          });
        } catch {
          // Where the runtime's threads cannot, here as above, it is done by this one.
          under--;
          resolve(signOctets(signing, own));
        }
      });
      beginSome();
    });
  };
}
