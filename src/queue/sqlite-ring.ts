// The bytes of messages that are with a sender thread. Most mail is delivered within a second of its acceptance: in a table its
// bytes would be written twice (WAL and database), summed twice and deleted again, which was 60 % of the writer's CPU. Here they are
// written once, into a file of fixed size that is used round and round, and synced before the commit that needs them. Whatever
// does not end quickly - a deferral, a straggler, a restart - moves its bytes into the table `body`.
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writevSync,
} from "node:fs";
import { dirname } from "node:path";
import { syncFolder } from "../base/folder.ts";
import type { MessageId } from "../mail/id.ts";
import { failureOf } from "./sqlite-failure.ts";

export interface Ring {
  /**
   * Inside a transaction: a place for these bytes, or null when they must go into the table. Only what was free before the
   * transaction is given: until its commit stands, what it frees must stay as it is.
   */
  put(message: MessageId, bytes: Uint8Array): number | null;
  read(message: MessageId): Uint8Array | undefined;
  has(message: MessageId): boolean;
  /** The place is free once the transaction stands. */
  drop(message: MessageId): void;
  /** The oldest message here, when this transaction found no place although half of the ring is free; undefined else. */
  straggler(): MessageId | undefined;
  /** Bytes that are too few to pay for a sync of their own, taken out again: they belong into the table. */
  takeFew(): readonly (readonly [MessageId, Uint8Array])[];
  /** Writes and syncs what the transaction put. Throws as the file system does. */
  flush(): void;
  keep(): void;
  undo(): void;
  /** Bytes at a place that an earlier process left; undefined when they cannot be read: one bad block must not end every start. */
  salvage(offset: number, length: number): Uint8Array | undefined;
  close(): void;
}

interface Place {
  readonly offset: number;
  readonly length: number;
}

interface Fresh extends Place {
  readonly bytes: Uint8Array;
}

export interface RingOptions {
  readonly file: string;
  readonly bytes: number;
  /** Messages of one transaction below which they go into the table: one sync instead of two for an idle daemon. */
  readonly fewest: number;
}

/** A message beyond this share of the ring goes into the table. */
const LARGEST_SHARE = 8;

export function createRing({ file, bytes: size, fewest }: RingOptions): Ring {
  const isNew = !existsSync(file);
  const handle = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
  if (fstatSync(handle).size < size) ftruncateSync(handle, size);
  // Syncing the file, as each commit does, says nothing of its name.
  if (isNew) syncFolder(dirname(file));
  /** In the order of the ring: the first one is where the free space ends. */
  const live = new Map<MessageId, Place>();
  const fresh = new Map<MessageId, Fresh>();
  const dropped = new Set<MessageId>();
  let head = 0;
  let keptHead = 0;
  let liveBytes = 0;
  let blocked = false;

  const tail = (): number | undefined => {
    for (const { offset } of live.values()) return offset;
    for (const { offset } of fresh.values()) return offset;
    return undefined;
  };

  const allot = (length: number): number | undefined => {
    const end = tail();
    if (end === undefined) return 0;
    // The head never meets the tail from behind: equal would look like empty.
    if (head < end) return head + length < end ? head : undefined;
    if (head + length <= size) return head;
    return length < end ? 0 : undefined;
  };

  const readAt = (offset: number, length: number): Uint8Array | undefined => {
    const bytes = new Uint8Array(length);
    return readSync(handle, bytes, 0, length, offset) === length ? bytes : undefined;
  };

  return {
    put(message, bytes) {
      if (bytes.length === 0 || bytes.length > size / LARGEST_SHARE) return null;
      const offset = allot(bytes.length);
      if (offset === undefined) {
        blocked = true;
        return null;
      }
      fresh.set(message, { offset, length: bytes.length, bytes });
      head = offset + bytes.length;
      return offset;
    },
    read(message) {
      const found = fresh.get(message);
      if (found !== undefined) return found.bytes;
      const place = live.get(message);
      return place === undefined ? undefined : readAt(place.offset, place.length);
    },
    has: (message) => !dropped.has(message) && (live.has(message) || fresh.has(message)),
    drop: (message) => void dropped.add(message),
    straggler() {
      if (!blocked || liveBytes * 2 > size) return undefined;
      for (const message of live.keys()) if (!dropped.has(message)) return message;
      return undefined;
    },
    takeFew() {
      if (fresh.size >= fewest) return [];
      const few = [...fresh].filter(([message]) => !dropped.has(message));
      fresh.clear();
      head = keptHead;
      return few.map(([message, { bytes }]) => [message, bytes] as const);
    },
    flush() {
      if (fresh.size === 0) return;
      for (const run of runsOf(fresh.values())) writeAll(handle, run.parts, run.offset);
      fdatasyncSync(handle);
    },
    keep() {
      for (const [message, { offset, length }] of fresh) {
        live.set(message, { offset, length });
        liveBytes += length;
      }
      for (const message of dropped) {
        liveBytes -= live.get(message)?.length ?? 0;
        live.delete(message);
      }
      fresh.clear();
      dropped.clear();
      blocked = false;
      keptHead = head;
    },
    undo() {
      fresh.clear();
      dropped.clear();
      blocked = false;
      head = keptHead;
    },
    salvage(offset, length) {
      try {
        return readAt(offset, length);
      } catch (error) {
        if (failureOf(error) === undefined) throw error;
        return undefined;
      }
    },
    close: () => closeSync(handle),
  };
}

interface Run {
  readonly offset: number;
  readonly parts: Uint8Array[];
}

/** Neighbours are written by one call. */
function runsOf(places: Iterable<Fresh>): Run[] {
  const runs: Run[] = [];
  let end = -1;
  for (const { offset, length, bytes } of places) {
    const last = runs.at(-1);
    if (last === undefined || offset !== end || last.parts.length === PARTS_MAX) {
      runs.push({ offset, parts: [bytes] });
    } else {
      last.parts.push(bytes);
    }
    end = offset + length;
  }
  return runs;
}

/** What one call may gather (IOV_MAX). */
const PARTS_MAX = 1024;

/** A write may be cut short, by a signal or a disk that fills up; the rest is written until it fails or is done. */
function writeAll(handle: number, parts: Uint8Array[], offset: number): void {
  let left = parts;
  let at = offset;
  while (left.length > 0) {
    let written = writevSync(handle, left, at);
    at += written;
    const rest: Uint8Array[] = [];
    for (const part of left) {
      if (written >= part.length) written -= part.length;
      else {
        rest.push(written === 0 ? part : part.subarray(written));
        written = 0;
      }
    }
    left = rest;
  }
}
