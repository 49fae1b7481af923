// Every message of a load has one end in the books, in whatever order its ends are heard.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { uuidOf } from "../../src/mail/id.ts";
import { createBook, type Trouble, troubles } from "../../src/stress/book.ts";
import type { Outcome } from "../../src/stress/client.ts";

const AT = 1_800_000_000_000;
const TAG = "8123456789abcdef";

const acceptedAt = (at: number): Outcome => ({
  kind: "answered",
  reply: {
    status: 202,
    id: uuidOf(at * 4096, TAG),
    name: "",
    retryAfterS: null,
    closes: false,
  },
});
const refused = (status: number, name: string): Outcome => ({
  kind: "answered",
  reply: { status, id: "", name, retryAfterS: null, closes: false },
});
const lost: Outcome = { kind: "lost", why: "ECONNRESET" };

test("how long a delivery took is measured from the id of its message, whichever is heard first", () => {
  const book = createBook();
  book.started(0);
  book.started(1);
  book.delivered(0, AT + 40);
  book.ended(0, acceptedAt(AT), 3);
  book.ended(1, acceptedAt(AT + 100), 5);
  book.delivered(1, AT + 160);
  expect(book.delivering()).toMatchObject({ count: 2, mean_ms: 50, max_ms: 60 });
  expect(book.accepting()).toMatchObject({ count: 2, mean_ms: 4, max_ms: 5 });
  expect(book.deliveredWithinMs()).toBe(160);
});

test("a message that is taken twice was delivered once", () => {
  const book = createBook();
  book.ended(0, acceptedAt(AT), 1);
  for (const at of [AT + 1, AT + 2, AT + 3]) book.delivered(0, at);
  expect(book.counts()).toMatchObject({ delivered: 1, repeated: 2 });
  expect(book.delivering()?.count).toBe(1);
});

test("what was tried again and delivered is no failure, and is told", () => {
  const book = createBook();
  book.ended(0, acceptedAt(AT), 1);
  book.troubled(0, "deferred", "greylist 450", AT + 300_000);
  expect(book.counts()).toMatchObject({ deferred: 1 });
  expect(book.isQuietUntil(AT + 30_000)).toBe(true);
  expect(book.isQuietUntil(AT + 400_000)).toBe(false);
  book.delivered(0, AT + 300_010);
  expect(book.counts()).toMatchObject({ deferred: 0, delivered: 1, deliveredLate: 1, failed: 0 });
  expect(book.deliveryFailures()).toEqual([]);
});

test("failures are told by class, the most frequent first", () => {
  const book = createBook();
  for (let n = 0; n < 10; n++) book.ended(n, acceptedAt(AT), 1);
  for (let n = 0; n < 5; n++) book.troubled(n, "bounced", "mailbox 550", null);
  for (let n = 5; n < 7; n++) book.troubled(n, "deferred", "other 451", AT + 60_000);
  for (let n = 7; n < 10; n++) book.delivered(n, AT + 5);
  for (let n = 10; n < 13; n++) book.ended(n, refused(503, "queue_full"), 1);
  book.ended(13, lost, 1);
  expect(book.deliveryFailures()).toEqual([
    { class: "bounced mailbox 550", count: 5 },
    { class: "deferred other 451", count: 2 },
  ]);
  expect(book.acceptFailures()).toEqual([
    { class: "503 queue_full", count: 3 },
    { class: "unanswered ECONNRESET", count: 1 },
  ]);
});

test("what others call their refusals fills no memory", () => {
  const book = createBook();
  for (let n = 0; n < 5_000; n++) book.ended(n, refused(400, `name${n}`), 1);
  const classes = book.acceptFailures();
  expect(classes.length).toBeLessThanOrEqual(201);
  expect(classes.reduce((sum, { count }) => sum + count, 0)).toBe(5_000);
});

/** What may be heard of one message, in any order. */
const heard = fc.oneof(
  fc.constant<"accepted" | "lost" | "refused" | "delivered">("accepted"),
  fc.constantFrom("lost" as const, "refused" as const, "delivered" as const),
  fc.constantFrom<Trouble>(...troubles),
);

test("whatever is heard in whatever order, the sums stand", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(heard, { maxLength: 6 }), { minLength: 1, maxLength: 40 }),
      (stories) => {
        const book = createBook();
        stories.forEach((story, n) => {
          book.started(n);
          let isAnswered = false;
          for (const word of story) {
            if (word === "accepted" || word === "lost" || word === "refused") {
              // A request ends once.
              if (isAnswered) continue;
              isAnswered = true;
              const outcome = { accepted: acceptedAt(AT), lost, refused: refused(429, "x") }[word];
              book.ended(n, outcome, 1);
            } else if (word === "delivered") book.delivered(n, AT + 10);
            else book.troubled(n, word, "class", AT + 60_000);
          }
        });
        const counts = book.counts();
        const ended = counts.accepted + counts.refused + counts.unanswered;
        expect(ended).toBeLessThanOrEqual(counts.started);
        expect(counts.delivered + counts.failed + counts.deferred).toBeLessThanOrEqual(
          stories.length,
        );
        expect(counts.unseen).toBeLessThanOrEqual(counts.unanswered);
        const classes = book.deliveryFailures().reduce((sum, { count }) => sum + count, 0);
        expect(classes).toBe(counts.failed + counts.deferred);
        expect(book.delivering()?.count ?? 0).toBeLessThanOrEqual(counts.delivered);
      },
    ),
    { numRuns: 300 },
  );
});
