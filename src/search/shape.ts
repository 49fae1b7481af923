// Who waits since when. No index tells it, and one that did would cost each message more than this question is worth: so a sample is
// looked at, drawn by number from the index of open mail, and in a queue that is short enough it is all of it.
import type { EpochMs } from "../base/clock.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { domainOf, priorities } from "../mail/message.ts";
import { type ShapeFilter, type ShapeRow, type ShapeView, shapeBoundsMin } from "../mail/shape.ts";
import { FIRST_FINAL, recipientStates } from "../mail/state.ts";
import { type Connection, termKey } from "./index-file.ts";
import type { Stored } from "./stored.ts";

/** Messages looked at: with a cold cache 8 us each. */
const SAMPLE_MAX = 40_000;
/** Messages in one statement: other questions are answered between two of them. */
const STRETCH = 500;
/** Names that are counted apart. */
const NAMES_MAX = 100_000;

export const shapeSql = {
  /** Every `?3`-th one: ids are milliseconds times 4096 and a counter, so a prime that is no round number meets them evenly. */
  open: `SELECT message FROM term WHERE key = ?1 AND message > ?2 AND message % ?3 = 0
    ORDER BY message LIMIT ${STRETCH}`,
  recipients: `SELECT message, site, state, address FROM recipient
    WHERE message IN (SELECT value FROM json_each(?1)) AND state < ${FIRST_FINAL}`,
  siteName: "SELECT name FROM site WHERE id = ?1",
} as const;

type Row = readonly [message: MessageId, site: number, state: number, address: string];

export interface ShapeDeps {
  readonly store: Connection;
  readonly index: Connection;
  readonly stored: Stored;
  /** Lets others go first. */
  readonly rest: () => Promise<void>;
  readonly sampleMax?: number;
}

export function createShape(deps: ShapeDeps) {
  const { store, index, stored, rest, sampleMax = SAMPLE_MAX } = deps;
  const open = index.prepare(shapeSql.open);
  const recipients = store.prepare(shapeSql.recipients);
  const siteName = store.prepare(shapeSql.siteName);
  const nameOf = (site: number): string =>
    (siteName.values(site)[0] as [string] | undefined)?.[0] ?? "";

  /** Recipients that are not final, by the books that the queue keeps. */
  const owed = (state?: string): number =>
    stored
      .tally()
      .filter((row) => recipientStates.indexOf(row.state) < FIRST_FINAL)
      .filter((row) => state === undefined || row.state === state)
      .reduce((sum, row) => sum + row.recipients, 0);

  async function look(step: number, see: (row: Row) => void): Promise<number> {
    let looked = 0;
    for (const priority of priorities) {
      const key = termKey("open", String(priority));
      let last: MessageId | undefined = -1;
      while (last !== undefined) {
        const ids: MessageId[] = (open.values(key, last, step) as [MessageId][]).map(([id]) => id);
        for (const row of recipients.values(JSON.stringify(ids)) as unknown as Row[]) see(row);
        looked += ids.length;
        last = ids.length === STRETCH ? ids.at(-1) : undefined;
        await rest();
      }
    }
    return looked;
  }

  return async ({ by, state, limit }: ShapeFilter, now: EpochMs): Promise<ShapeView> => {
    const all = owed(state);
    // Every message has a recipient at least, so there are no more of them than this.
    const step = stepFor(owed() / sampleMax);
    const total = emptyAges();
    const names = new Map<string | number, number[]>();
    const looked = await look(step, ([message, site, number, address]) => {
      if (state !== undefined && recipientStates[number] !== state) return;
      const place = placeOf(now - acceptedAtOf(message));
      total[place] = (total[place] ?? 0) + 1;
      const key = by === "site" ? site : domainOf(address).toLowerCase();
      const ages = names.get(key) ?? emptyAges();
      ages[place] = (ages[place] ?? 0) + 1;
      if (names.size < NAMES_MAX || names.has(key)) names.set(key, ages);
    });
    const seen = sum(total);
    const scale = step === 1 || seen === 0 ? 1 : all / seen;
    const rows = [...names]
      .map(([key, ages]) => scaled(typeof key === "number" ? nameOf(key) : key, ages, scale))
      .sort((a, b) => b.recipients - a.recipients || (a.name < b.name ? -1 : 1));
    return {
      object: "queue_ages",
      ...{ by, state: state ?? null, bounds_minutes: shapeBoundsMin },
      total: scaled("", total, scale),
      data: rows.slice(0, limit),
      more: Math.max(0, rows.length - limit),
      sample: step === 1 ? null : looked,
    };
  };
}

/** 1, or a prime that shares nothing with the steps of the ids. */
export function stepFor(wanted: number): number {
  if (wanted <= 1) return 1;
  for (let step = Math.max(7, Math.ceil(wanted)); ; step++) if (isPrime(step)) return step;
}

function isPrime(number: number): boolean {
  for (let i = 2; i * i <= number; i++) if (number % i === 0) return false;
  return true;
}

function emptyAges(): number[] {
  return new Array<number>(shapeBoundsMin.length + 1).fill(0);
}

function placeOf(ageMs: number): number {
  const place = shapeBoundsMin.findIndex((bound) => ageMs < bound * 60_000);
  return place < 0 ? shapeBoundsMin.length : place;
}

function scaled(name: string, ages: readonly number[], scale: number): ShapeRow {
  const all = ages.map((count) => Math.round(count * scale));
  return { name, recipients: Math.round(sum(ages) * scale), ages: all };
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, one) => all + one, 0);
}
