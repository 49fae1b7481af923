// Where small messages are written. Each lies here for a moment, until it was copied to the queue; new memory for each costs more in page
// faults and cold caches than writing it does, so the same blocks are used again and again.

export interface Room {
  /** To be written to the last octet. */
  readonly bytes: Buffer;
  /** The octets were copied, and nobody looks at them any more. Where it is not called, the collector takes them. */
  free(): void;
}

const BLOCK_BYTES = 131_072;
const SHARED_MAX_BYTES = 16_384;
/** Blocks that are kept for later. */
const SPARE_MAX = 16;

interface Block {
  readonly bytes: Buffer;
  used: number;
  /** Rooms in it that are not free. */
  taken: number;
}

function createBlock(): Block {
  return { bytes: Buffer.allocUnsafeSlow(BLOCK_BYTES), used: 0, taken: 0 };
}

let current: Block | undefined;
const spare: Block[] = [];

export function roomFor(sizeBytes: number): Room {
  if (sizeBytes > SHARED_MAX_BYTES)
    return { bytes: Buffer.allocUnsafeSlow(sizeBytes), free: () => {} };
  let block = current;
  if (block === undefined || block.used + sizeBytes > BLOCK_BYTES)
    current = block = spare.pop() ?? createBlock();
  return roomIn(block, sizeBytes);
}

function roomIn(block: Block, sizeBytes: number): Room {
  const start = block.used;
  block.used += sizeBytes;
  block.taken++;
  let isFree = false;
  return {
    bytes: block.bytes.subarray(start, block.used),
    free() {
      if (isFree) return;
      isFree = true;
      if (--block.taken > 0) return;
      block.used = 0;
      if (block !== current && spare.length < SPARE_MAX) spare.push(block);
    },
  };
}
