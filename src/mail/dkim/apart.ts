// Signatures on other threads than the caller's: the runtime's own, of which there is one a core. Files are read and written there too,
// so only few signatures are there at a time, and the others wait here.
import { sign } from "node:crypto";
import { type SigningKey, signOctets } from "./key.ts";

/** `input` is the caller's again at once. Never rejects. */
export type SignApart = (
  key: Pick<SigningKey, "algorithm" | "key">,
  input: Buffer,
) => Promise<string>;

/** One is made and one waits, so that no core waits for us. */
const EACH_CORE = 2;

export function createSignApart(cores: number): SignApart {
  const most = cores * EACH_CORE;
  const waiting: (() => void)[] = [];
  let under = 0;
  return (signing, input) => {
    const own = Buffer.from(input);
    return new Promise((resolve) => {
      const begin = (): void => {
        under++;
        signOnPool(signing, own, (base64) => {
          under--;
          waiting.shift()?.();
          resolve(base64);
        });
      };
      if (under < most) begin();
      else waiting.push(begin);
    });
  };
}

function signOnPool(
  signing: Parameters<SignApart>[0],
  input: Buffer,
  done: (base64: string) => void,
): void {
  if (signing.algorithm !== "rsa-sha256") return done(signOctets(signing, input));
  sign("sha256", input, signing.key, (error, signature) =>
    // Where the runtime's threads cannot, it is done here.
    done(error ? signOctets(signing, input) : signature.toString("base64")),
  );
}
