// The wire between threads: CPU a message of 5 KB, there and back, for the batch of JSON heads and one transferred buffer
// (src/roles/wire.ts) against the structured clone of the same objects.
import { Worker, isMainThread, parentPort } from "node:worker_threads";
import { type Packed, type Piece, pack, transferOf, unpack } from "../../src/roles/wire.ts";

const BODY_BYTES = 5120;
const MESSAGES = 200_000;
const BATCHES = [1, 8, 32, 64, 256];

interface Head {
  readonly id: number;
  readonly from: string;
  readonly recipients: readonly string[];
  readonly sha256: string;
  readonly facts: string;
}

type Said =
  | { readonly kind: "packed"; readonly packed: Packed<Head> }
  | { readonly kind: "clone"; readonly pieces: readonly Piece<Head>[] };

function head(id: number): Head {
  const facts = JSON.stringify({ subject: `Order ${id}`, to: [`a${id}@example.com`], tags: [] });
  return {
    id,
    from: "shop@sender.example",
    recipients: [`a${id}@example.com`],
    sha256: "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg",
    facts,
  };
}

function run(worker: Worker, kind: Said["kind"], batch: number): Promise<number> {
  // Each its own body: structured clone would copy a shared one only once.
  const pieces = Array.from({ length: batch }, (_, i) => ({
    head: head(i),
    body: new Uint8Array(BODY_BYTES).fill(97),
  }));
  const rounds = Math.ceil(MESSAGES / batch);
  const before = process.cpuUsage();
  return new Promise((resolve) => {
    let left = rounds;
    const next = (): void => {
      if (kind === "clone") return worker.postMessage({ kind, pieces } satisfies Said);
      const packed = pack(pieces);
      worker.postMessage({ kind, packed } satisfies Said, transferOf(packed));
    };
    worker.removeAllListeners("message");
    worker.on("message", () => {
      if (--left > 0) return next();
      const { user, system } = process.cpuUsage(before);
      resolve((user + system) / (rounds * batch));
    });
    next();
  });
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  worker.on("error", (error) => {
    throw error;
  });
  const rows = [];
  for (const batch of BATCHES) {
    const packedUs = await run(worker, "packed", batch);
    const cloneUs = await run(worker, "clone", batch);
    rows.push({ batch, packedUs: +packedUs.toFixed(1), cloneUs: +cloneUs.toFixed(1) });
  }
  console.log(JSON.stringify({ bench: "wire", bodyBytes: BODY_BYTES, rows }, null, 1));
  await worker.terminate();
} else {
  parentPort?.on("message", (said: Said) => {
    const pieces = said.kind === "packed" ? unpack(said.packed) : said.pieces;
    parentPort?.postMessage(pieces.map((piece) => piece.head.id));
  });
}
