import { expect, test } from "bun:test";
import fc from "fast-check";
import { IDS_PER_MS, acceptedAtOf, createIds, hostTag, idOf, uuidOf } from "../../src/mail/id.ts";

const tags = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(hostTag);
/** Until 2039, when an id would pass 2^53. */
const ids = fc.integer({ min: 0, max: Date.UTC(2039, 0, 1) * IDS_PER_MS });

test("an id is shown as a UUIDv7 of this host, and read back", () => {
  fc.assert(
    fc.property(ids, tags, (id, tag) => {
      const uuid = uuidOf(id, tag);
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(idOf(uuid, tag)).toBe(id);
      expect(idOf(uuid.toUpperCase(), tag)).toBe(id);
    }),
  );
});

test("the UUID begins with its milliseconds, as RFC 9562 5.7 lays them out", () => {
  const at = 0x017f22e279b0;
  const uuid = uuidOf(
    at * IDS_PER_MS + 0xcc3,
    hostTag(Uint8Array.from([0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f])),
  );
  // The example of RFC 9562 A.6, with our tag in place of its random bits.
  expect(uuid).toBe("017f22e2-79b0-7cc3-a8c4-dc0c0c07398f");
  expect(acceptedAtOf(at * IDS_PER_MS + 0xcc3)).toBe(at);
});

test("a UUID of another host, or what is no UUIDv7, is not found", () => {
  const tag = hostTag(new Uint8Array(8));
  const other = hostTag(new Uint8Array(8).fill(255));
  expect(idOf(uuidOf(42, other), tag)).toBeUndefined();
  for (const text of [
    "",
    "42",
    "00000000-0000-4000-8000-000000000000",
    `${uuidOf(42, tag)}0`,
    ` ${uuidOf(42, tag)}`,
  ])
    expect(idOf(text, tag)).toBeUndefined();
});

test("ids only grow, whatever the clock does, and sort as their UUIDs", () => {
  fc.assert(
    fc.property(
      ids,
      fc.array(fc.nat(Date.UTC(2038, 0, 1)), { maxLength: 50 }),
      tags,
      (last, clock, tag) => {
        const next = createIds(last);
        const given = [last, ...clock.map((now) => next(now))];
        for (const [i, id] of given.entries()) {
          const before = given[i - 1] ?? -1;
          expect(id).toBeGreaterThan(before);
          if (i > 0) expect(uuidOf(id, tag) > uuidOf(before, tag)).toBe(true);
        }
      },
    ),
  );
});

test("more ids than a millisecond holds borrow from the next one", () => {
  const next = createIds(0);
  const all = Array.from({ length: IDS_PER_MS + 10 }, () => next(5));
  expect(new Set(all).size).toBe(all.length);
  expect(acceptedAtOf(all.at(-1) as number)).toBe(6);
});

test("a clock that was far in the future for a moment does not end the ids", () => {
  const next = createIds(createIds(0)(Date.UTC(2080, 0, 1)));
  const given = [Date.UTC(2080, 0, 1), Date.UTC(2026, 0, 1), Date.UTC(2026, 0, 2)].map(next);
  expect(new Set(given).size).toBe(3);
  for (const id of given) expect(Number.isSafeInteger(id)).toBe(true);
});
