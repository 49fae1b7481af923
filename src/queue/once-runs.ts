// Where many keys lie that hardly anybody asks for, for the least cost: an index by key would be a page written anew for each of them.
// So they are gathered and written together as a run, in parts by hash, with a Bloom filter that says which runs need not be asked.

/** A key's row. */
export interface Keyed {
  readonly key: string;
  readonly seq: number;
}

export interface KeyHash {
  readonly one: number;
  readonly two: number;
}

export interface Run {
  readonly filter: Uint8Array;
  /** By number; each is what `seqsIn` reads. */
  readonly parts: readonly Uint8Array[];
}

const PARTS = 128;
const PART_SHIFT = 25;
/** With four probes one filter in 400 says that a key may be there which is not. */
const BITS_A_KEY = 16;
const PROBES = 4;
const SEQ_BYTES = 8;
const HASH_BYTES = 4;

/** Two hashes of 32 bits: by the steps of FNV-1a and of MurmurHash2, each with the finish of MurmurHash3. */
export function hashOf(key: string): KeyHash {
  return { one: hashed(key, 0x811c9dc5, 0x01000193), two: hashed(key, 0x9747b28c, 0x5bd1e995) };
}

function hashed(key: string, seed: number, factor: number): number {
  let hash = seed;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), factor);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function partOf({ one }: KeyHash): number {
  return one >>> PART_SHIFT;
}

/** In flat arrays, since the queue stands still meanwhile: some milliseconds for 32,768 keys. */
export function buildRun(entries: readonly Keyed[]): Run {
  const hashes = new Uint32Array(entries.length);
  const counts = new Uint32Array(PARTS);
  const filter = new Uint8Array(filterBytes(entries.length));
  for (let i = 0; i < entries.length; i++) {
    const { one, two } = hashOf((entries[i] as Keyed).key);
    hashes[i] = one;
    counts[one >>> PART_SHIFT] = (counts[one >>> PART_SHIFT] as number) + 1;
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = probedBit(filter, one, two, probe);
      filter[bit >>> 3] = (filter[bit >>> 3] as number) | (1 << (bit & 7));
    }
  }
  const parts = Array.from(counts, (count) => viewsOf(bytesOf(count)));
  const filled = new Uint32Array(PARTS);
  for (let i = 0; i < entries.length; i++) {
    const hash = hashes[i] as number;
    const part = hash >>> PART_SHIFT;
    const at = filled[part] as number;
    const views = parts[part] as PartViews;
    views.seqs[at] = (entries[i] as Keyed).seq;
    views.hashes[at] = hash;
    filled[part] = at + 1;
  }
  return { filter, parts: parts.map(({ seqs }) => new Uint8Array(seqs.buffer)) };
}

/** A power of two, so that a bit is found by a mask. */
function filterBytes(keys: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(8, keys * BITS_A_KEY))) / 8;
}

function probedBit(filter: Uint8Array, one: number, two: number, probe: number): number {
  return (one + Math.imul(probe, two)) & (filter.length * 8 - 1);
}

interface PartViews {
  readonly seqs: Float64Array;
  readonly hashes: Uint32Array;
}

function bytesOf(count: number): ArrayBuffer {
  return new ArrayBuffer(count * (SEQ_BYTES + HASH_BYTES));
}

/** The numbers of the rows, and behind them the hashes of their keys in the same order. */
function viewsOf(buffer: ArrayBuffer): PartViews {
  const count = buffer.byteLength / (SEQ_BYTES + HASH_BYTES);
  return {
    seqs: new Float64Array(buffer, 0, count),
    hashes: new Uint32Array(buffer, count * SEQ_BYTES, count),
  };
}

/** False: the key is not in the run of this filter. */
export function mayHold(filter: Uint8Array, { one, two }: KeyHash): boolean {
  for (let probe = 0; probe < PROBES; probe++) {
    const bit = probedBit(filter, one, two, probe);
    if (((filter[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false;
  }
  return true;
}

/** The rows whose keys have this hash, the youngest first: mostly one or none. */
export function seqsIn(part: Uint8Array, { one }: KeyHash): number[] {
  // Copied: what the database gives need not lie where numbers may be read.
  const { buffer } = new Uint8Array(part);
  const { seqs, hashes } = viewsOf(buffer);
  const found: number[] = [];
  for (let i = 0; i < hashes.length; i++) if (hashes[i] === one) found.unshift(seqs[i] as number);
  return found;
}
