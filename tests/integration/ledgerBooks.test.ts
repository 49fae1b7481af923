import { expect, test } from "bun:test";
import { createBooks } from "../../scripts/ledgerBooks.ts";

test("a promise that is kept once is no violation, nor is an unanswered request that arrived or not", () => {
  const books = createBooks();
  for (const key of ["a", "b", "c"]) books.offered(key);
  books.promised("a", "id-a");
  books.taken("a", 1);
  books.taken("b", 2);
  expect(books.violations()).toEqual([]);
  expect(books.missing()).toEqual([]);
});

test("a promised message that does not arrive is found", () => {
  const books = createBooks();
  books.offered("a");
  books.promised("a", "id-a");
  expect(books.violations()).toEqual([
    { key: "a", what: "id-a was answered with 2xx and never arrived" },
  ]);
});

test("a duplicate is told, and is a violation when no kill lies between", () => {
  const books = createBooks();
  for (const key of ["a", "b"]) books.offered(key);
  books.taken("a", 1);
  books.killed(2);
  books.taken("a", 3);
  expect(books.duplicates()).toEqual([{ key: "a", id: undefined }]);
  expect(books.violations()).toEqual([]);
  books.taken("b", 4);
  books.taken("b", 5);
  expect(books.violations()).toEqual([{ key: "b", what: "arrived twice with no kill in between" }]);
});

test("a message that nobody sent is found", () => {
  const books = createBooks();
  books.taken("x", 1);
  expect(books.violations()).toEqual([{ key: "x", what: "arrived and was never sent" }]);
});

test("what was repeated until it was answered is one message, marked when it came again", () => {
  const books = createBooks();
  for (const key of ["a", "b", "c", "d", "e"]) books.offered(key);
  books.promised("a", "id-a");
  books.promised("a", "id-a");
  books.taken("a", 1, "id-a");
  books.killed(2);
  books.taken("a", 3, "id-a");
  expect(books.violationsOfOnce().map(({ key }) => key)).toEqual(["b", "c", "d", "e"]);
  books.promised("b", "id-b");
  books.taken("b", 1, "other");
  books.promised("c", "id-c");
  books.promised("c", "id-c2");
  books.taken("c", 1, "id-c2");
  books.promised("d", "id-d");
  books.taken("d", 1, "id-d");
  books.taken("d", 3, "id-d2");
  books.promised("e", "id-e");
  books.unmarked("e");
  books.taken("e", 1, "id-e");
  expect(books.violationsOfOnce()).toEqual([
    { key: "c", what: "was answered with id-c and then with id-c2" },
    { key: "d", what: "arrived as two messages: id-d and id-d2" },
    { key: "e", what: "was answered twice and not marked" },
    { key: "b", what: "was answered with id-b and arrived as other" },
  ]);
});
