// How many messages a core can sign and do nothing else: bare signatures of a text as long as a header. One process a core, since
// that is how many sign at the same time. Prints one JSON line.
import { generateKeyPairSync, sign } from "node:crypto";

export interface SignRate {
  readonly rsa: number;
  readonly ed25519: number;
}

const SECONDS = 1;
/** As many octets as are signed of a usual message. */
const INPUT = Buffer.alloc(700, "subject:signed ");
/** The clock is asked so seldom that it does not count. */
const AT_ONCE = 50;

function rate(run: () => unknown): number {
  const startedAtMs = performance.now();
  let count = 0;
  while (performance.now() - startedAtMs < SECONDS * 1000) {
    for (let i = 0; i < AT_ONCE; i++) run();
    count += AT_ONCE;
  }
  return count / ((performance.now() - startedAtMs) / 1000);
}

export function measureSignRate(): SignRate {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ed25519 = generateKeyPairSync("ed25519").privateKey;
  return {
    rsa: rate(() => sign("sha256", INPUT, rsa)),
    ed25519: rate(() => sign(null, INPUT, ed25519)),
  };
}

if (import.meta.main) console.log(JSON.stringify(measureSignRate()));
