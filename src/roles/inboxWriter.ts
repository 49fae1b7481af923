// The built-in inbox from the sender's side. It must cost the delivery nothing that shows: small messages wait in memory and are written
// a few at a time between deliveries, the oldest of them giving way under a load that no person reads; a large one goes to its file as
// it comes. Nothing is synced: the inbox survives a restart, not a power cut.
import {
  closeSync,
  openSync,
  readdirSync,
  renameSync,
  statSync,
  ftruncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Clock, type EpochMs, iso, type Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import { createIds, hostTag, uuidOf } from "../mail/id.ts";
import { inboxFile, inboxId, packInboxFacts } from "../mail/inbox.ts";
import { createUnstuffer } from "../sink/content.ts";
import type { Tap } from "../sink/dialogue.ts";

export interface InboxEnvelope {
  readonly from: string;
  readonly recipients: readonly string[];
}

/** A message that is coming in. One of the two ends it. */
export interface InboxDraft extends Tap {
  keep(): void;
  drop(): void;
}

export interface InboxWriter {
  draft(envelope: InboxEnvelope): InboxDraft;
  configure(messagesMax: number): void;
  /** Writes what waits. */
  close(): void;
}

/** All files together; the oldest go first. */
const INBOX_BYTES_MAX = 256_000_000;
/** A message that is larger does not wait in memory. */
const SMALL_BYTES_MAX = 262_144;
/** Messages that wait to be written. */
const WAITING_BYTES_MAX = 16_000_000;
/** So many files at a time, so often: a thousand a second, for some percent of a core. */
const FILES_AT_ONCE = 10;
const WRITE_EVERY_MS = 10;
/** While more comes than is kept: what is written then is soon removed. */
const FILES_UNDER_LOAD = 1;
/** No message takes longer to come in. */
const UNFINISHED_MS = 24 * 3_600_000;
const COMPLAIN_EVERY_MS = 60_000;
const TAG_BYTES = 8;
/** CRLF of the final dot's line, which itself goes as if it were stuffed. */
const DOT_LINE_REST_BYTES = 2;

interface Waiting {
  readonly id: string;
  readonly facts: string;
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
}

interface Kept {
  readonly file: string;
  readonly sizeBytes: number;
}

export function createInboxWriter(deps: {
  readonly folder: string;
  readonly messagesMax: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}): InboxWriter {
  const { folder, clock, log } = deps;
  let { messagesMax } = deps;
  const ids = createIds(0);
  const tag = hostTag(deps.random.bytes(TAG_BYTES));
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let timer: Timer | undefined;
  /** Some were left out since the last writing. */
  let overflowed = false;
  /** What lies in the folder, the oldest first; undefined: it was not looked at yet. */
  let kept: Kept[] | undefined;
  let keptBytes = 0;
  let complainedAtMono = -Infinity;

  const complain = (error: unknown): void => {
    const nowMono = clock.monotonicMs();
    if (nowMono - complainedAtMono < COMPLAIN_EVERY_MS) return;
    complainedAtMono = nowMono;
    log("warn", "inbox.not_written", { folder, text: (error as Error).message });
  };
  /** Failures cost a message of the inbox and nothing else. */
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      complain(error);
    }
  };
  const enter = (file: string, sizeBytes: number): void => {
    if (kept === undefined) {
      kept = lookInto(folder, clock.now());
      for (const one of kept) keptBytes += one.sizeBytes;
    } else {
      kept.push({ file, sizeBytes });
      keptBytes += sizeBytes;
    }
    while (kept.length > messagesMax || keptBytes > INBOX_BYTES_MAX) {
      const oldest = kept.shift();
      if (oldest === undefined) break;
      keptBytes -= oldest.sizeBytes;
      removeIfThere(join(folder, oldest.file));
    }
  };
  const write = (one: Waiting): void => {
    const file = inboxFile(one.id);
    const path = join(folder, file);
    const bytes = wholeOf(one);
    // Hidden until it is whole.
    writeFileSync(`${path}.part`, bytes, { mode: 0o600 });
    renameSync(`${path}.part`, path);
    enter(file, bytes.length);
  };
  const portion = (): number => {
    const isMuch = overflowed;
    overflowed = false;
    return isMuch ? FILES_UNDER_LOAD : FILES_AT_ONCE;
  };
  const flush = (filesMax: number): void => {
    timer = undefined;
    const now = waiting.slice(0, filesMax);
    waiting = waiting.slice(now.length);
    for (const one of now) {
      waitingBytes -= one.sizeBytes;
      attempt(() => write(one));
    }
    if (waiting.length > 0) timer = clock.after(WRITE_EVERY_MS, () => flush(portion()));
  };
  const add = (one: Waiting): void => {
    waiting.push(one);
    waitingBytes += one.sizeBytes;
    while (waiting.length > messagesMax || waitingBytes > WAITING_BYTES_MAX) {
      const oldest = waiting.shift();
      if (oldest === undefined) break;
      waitingBytes -= oldest.sizeBytes;
      overflowed = true;
    }
    timer ??= clock.after(0, () => flush(portion()));
  };

  return {
    draft({ from, recipients }) {
      if (messagesMax === 0) return nothing;
      const now = clock.now();
      const id = uuidOf(ids(now), tag);
      const to = [...recipients];
      const facts = packInboxFacts({ from, to, received_at: iso(now) });
      let pieces: Uint8Array[] = [];
      let sizeBytes = 0;
      let large: LargeFile | undefined;
      return {
        add(chunk) {
          sizeBytes += chunk.length;
          if (large !== undefined) return attempt(() => large?.write(chunk));
          pieces.push(chunk);
          if (sizeBytes <= SMALL_BYTES_MAX) return;
          const begun = pieces;
          pieces = [];
          attempt(() => {
            large = openLarge(join(folder, inboxFile(id)), facts);
            for (const piece of begun) large.write(piece);
          });
        },
        keep() {
          if (large === undefined) return add({ id, facts, pieces, sizeBytes });
          attempt(() => enter(inboxFile(id), (large as LargeFile).keep()));
        },
        drop: () => large?.drop(),
      };
    },
    configure(next) {
      messagesMax = next;
      // Other threads may have written meanwhile.
      kept = undefined;
      keptBytes = 0;
    },
    close() {
      timer?.cancel();
      flush(Number.MAX_SAFE_INTEGER);
    },
  };
}

const nothing: InboxDraft = { add() {}, keep() {}, drop() {} };

function wholeOf({ facts, pieces }: Waiting): Uint8Array {
  const unstuff = createUnstuffer();
  const whole = Buffer.concat([Buffer.from(facts), ...pieces.map(unstuff)]);
  return whole.subarray(0, whole.length - DOT_LINE_REST_BYTES);
}

interface LargeFile {
  write(chunk: Uint8Array): void;
  /** Its size. */
  keep(): number;
  drop(): void;
}

function openLarge(path: string, facts: string): LargeFile {
  const part = `${path}.part`;
  const unstuff = createUnstuffer();
  const fd = openSync(part, "w", 0o600);
  let sizeBytes = 0;
  const write = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    sizeBytes += bytes.length;
  };
  write(Buffer.from(facts));
  return {
    write: (chunk) => write(unstuff(chunk)),
    keep() {
      sizeBytes -= DOT_LINE_REST_BYTES;
      ftruncateSync(fd, sizeBytes);
      closeSync(fd);
      renameSync(part, path);
      return sizeBytes;
    },
    drop() {
      closeSync(fd);
      removeIfThere(part);
    },
  };
}

/** Also removes what a thread that died has left unfinished. */
function lookInto(folder: string, now: EpochMs): Kept[] {
  const found: Kept[] = [];
  for (const file of readdirSync(folder).sort()) {
    const facts = statSync(join(folder, file), { throwIfNoEntry: false });
    if (facts === undefined) continue;
    if (inboxId(file) !== undefined) found.push({ file, sizeBytes: facts.size });
    else if (now - facts.mtimeMs > UNFINISHED_MS) removeIfThere(join(folder, file));
  }
  return found;
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
