// Where the dashboard is: its address, its search, its pages.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { cursorsOf, listPath } from "../../src/ui/model/listing.ts";
import {
  emailsPath,
  fieldFor,
  idIn,
  queryOf,
  type Search,
  searchFields,
  searchIn,
} from "../../src/ui/model/search.ts";
import { home, linkTo, readRoute, sections } from "../../src/ui/route.ts";

describe("an address", () => {
  test("that a link makes is read back, whatever its names and its query hold", () => {
    const name = fc
      .string({ minLength: 1, unit: "grapheme" })
      .filter((text) => text.isWellFormed());
    fc.assert(
      fc.property(
        fc.constantFrom(...sections),
        fc.array(name, { maxLength: 2 }),
        fc.dictionary(fc.constantFrom("to", "after", "tag"), name),
        (section, names, query) => {
          expect(readRoute(linkTo(section, names, query))).toEqual({
            ...{ section, names },
            query: { ...query },
          });
        },
      ),
    );
  });

  test("that is empty is the overview, and one of no place is none", () => {
    for (const hash of ["", "#", "#/", "#/overview"]) expect(readRoute(hash)).toEqual(home);
    for (const hash of ["#/attic", "#/messages/%E0%A4%A", "#/__proto__"])
      expect(readRoute(hash)).toBeNull();
  });
});

describe("the search", () => {
  test("stands in the address and is read back from it", () => {
    const search: Search = {
      ...{ field: "reference", text: "order 4711", status: "deferred" },
      ...{ since: "2026-11-23T13:00", until: "" },
    };
    expect(searchIn(queryOf(search))).toEqual(search);
  });

  test("asks the API in UTC, with its cursor", () => {
    const path = emailsPath({ to: "ann@example.org", since: "2026-11-23T13:00", after: "x" });
    const asked = new URL(path, "http://a.test");
    expect(asked.pathname).toBe("/emails");
    expect(Object.fromEntries(asked.searchParams)).toEqual({
      ...{ limit: "25", to: "ann@example.org", after: "x" },
      since: "2026-11-23T13:00:00Z",
    });
  });

  test("takes a text for what it can only be", () => {
    const id = "019AB0F2-7c1e-7a4b-8d22-5e0f9a1c3b7d";
    expect([idIn(` ${id}\n`), idIn("order-7")]).toEqual([id.toLowerCase(), null]);
    expect(fieldFor("<a.b@mail.example>", "to")).toBe("message_id");
    expect(fieldFor("4bf92f3577b34da6a3ce929d0e0e4736", "to")).toBe("trace");
    expect(fieldFor("ann@example.org", "domain")).toBe("to");
    expect(fieldFor("ann@example.org", "from")).toBe("from");
    for (const [name] of searchFields) expect(fieldFor("plain", name)).toBe(name);
  });
});

describe("pages", () => {
  const list = (ids: readonly string[], has_more: boolean) =>
    ({ object: "list", has_more, data: ids.map((id) => ({ id })) }) as const;

  test("the first one has none before it, and one after it when there is more", () => {
    expect(cursorsOf("messages", { tag: "a" }, list(["9", "8"], true))).toEqual({
      ...{ newer: null, older: "#/messages?tag=a&after=8" },
    });
    expect(cursorsOf("messages", {}, list(["9"], false))).toEqual({ newer: null, older: null });
  });

  test("one that was reached forwards leads back", () => {
    expect(cursorsOf("inbox", { after: "8" }, list(["7"], false))).toEqual({
      ...{ newer: "#/inbox?before=7", older: null },
    });
  });

  test("of one that was reached backwards, more means newer rows", () => {
    const { newer, older } = cursorsOf("inbox", { before: "7" }, list(["9", "8"], false));
    expect([newer, older]).toEqual([null, "#/inbox?after=8"]);
  });

  test("an empty one leads nowhere, and filters are passed on", () => {
    expect(cursorsOf("inbox", { after: "1" }, list([], true))).toEqual({
      newer: null,
      older: null,
    });
    expect(
      listPath("/suppressions", { origin: "bounce", strange: "x", after: "5" }, ["origin"]),
    ).toBe("/suppressions?limit=25&origin=bounce&after=5");
  });
});
