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
