// What is kept of a form while it comes: fields in memory within a bound, files in memory while they are small together, and beyond
// that in one nameless file on the disk.
import type { Budget } from "./budget.ts";
import { type StoredContent, storedContent } from "./content.ts";
import { type Fault, type Problem, pointerOf, problemOf } from "./problem.ts";
import { createGathered } from "./gathered.ts";
import type { Scratch, Spool } from "./spool.ts";

const FILES_IN_MEMORY_MAX_BYTES = 262_144;
/** Up to here fields are not charged to the budget of bodies in memory. Most mail is far below. */
const FIELDS_FREE_BYTES = 65_536;
/** All fields of a form together: beyond that a text is better sent in JSON, which waits for its memory. */
const FIELDS_MAX_BYTES = 2_000_000;

export interface FieldKeeper {
  /** In the order in which they came. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  begin(name: string): void;
  add(bytes: Uint8Array): Promise<Problem | undefined> | Problem | undefined;
  end(): Problem | undefined;
  release(): void;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function createFieldKeeper(budget: Budget): FieldKeeper {
  const values = new Map<string, string[]>();
  const gathered = createGathered();
  let name = "";
  let totalBytes = 0;
  let charged = 0;
  const wrong = (code: Fault["code"], detail: string): Problem =>
    problemOf([{ pointer: pointerOf([name]), code, detail }]);

  return {
    values,
    begin(next) {
      name = next;
      totalBytes += next.length;
    },
    add(bytes) {
      gathered.add(bytes);
      totalBytes += bytes.length;
      if (totalBytes > FIELDS_MAX_BYTES)
        return wrong(
          "too_long",
          `The fields of a form hold at most ${FIELDS_MAX_BYTES} bytes together. Send long texts in JSON.`,
        );
      if (totalBytes <= FIELDS_FREE_BYTES || charged > 0) return undefined;
      charged = FIELDS_MAX_BYTES;
      return budget.take(charged)?.then(() => undefined);
    },
    end() {
      let text: string;
      try {
        text = UTF8.decode(gathered.take());
      } catch {
        return wrong("invalid_value", `The field ${JSON.stringify(name)} is not UTF-8.`);
      }
      const list = values.get(name);
      if (list === undefined) values.set(name, [text]);
      else list.push(text);
      return undefined;
    },
    release() {
      budget.release(charged);
      charged = 0;
    },
  };
}

export interface FileKeeper {
  begin(): void;
  add(bytes: Uint8Array): Promise<undefined> | undefined;
  end(): Uint8Array | StoredContent;
  /** What `end` gave can no longer be read. */
  release(): Promise<void>;
}

export function createFileKeeper(spool: Pick<Spool, "scratch">): FileKeeper {
  const gathered = createGathered();
  let scratch: Scratch | undefined;
  let storedFrom = 0;
  let totalBytes = 0;

  const store = async (bytes: Uint8Array): Promise<undefined> => {
    if (scratch === undefined) {
      scratch = await spool.scratch();
      const before = gathered.take();
      if (before.length > 0) await scratch.write(before);
    }
    await scratch.write(bytes);
  };
  return {
    begin() {
      storedFrom = scratch?.length ?? 0;
    },
    add(bytes) {
      totalBytes += bytes.length;
      if (scratch !== undefined || totalBytes > FILES_IN_MEMORY_MAX_BYTES) return store(bytes);
      gathered.add(bytes);
      return undefined;
    },
    end: () =>
      scratch === undefined ? gathered.take() : storedContent(scratch, storedFrom, scratch.length),
    async release() {
      await scratch?.close();
    },
  };
}
