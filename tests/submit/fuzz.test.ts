// Whatever is sent, the door answers with a reason and never with its own failure.
import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeCbor } from "../../src/submit/cbor.ts";
import { createFixture, message } from "./doorFixture.ts";

const fixture = createFixture();
afterAll(() => fixture.close());

const statuses = [202, 400, 413, 422];
const runs = { numRuns: 300 };

const fields = [...Object.keys(message), "cc", "bcc", "reply_to", "html", "headers"].concat(
  ["attachments", "tags", "metadata", "reference", "scheduled_at", "expires_at"],
  ["expires_in", "priority", "return_path", "require_tls"],
);

const piece = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom("ada@example.org", "\r\n", "p0", "5m", "2026-01-01T00:00:00Z", "<>", "\ud800"),
  fc.jsonValue({ depthSize: "small" }),
);

/** A good message with some of its fields replaced by anything. */
const nearly = fc
  .dictionary(fc.constantFrom(...fields), fc.oneof(piece, fc.array(piece, { maxLength: 4 })))
  .map((change) => ({ ...message, ...change }));

test("random JSON is answered with a reason", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.json(),
        nearly.map((one) => JSON.stringify(one)),
      ),
      async (body) => {
        const response = await fixture.post("/send", body);
        expect(statuses).toContain(response.status);
      },
    ),
    runs,
  );
  expect(fixture.logged).toEqual([]);
});

test("random batches are answered with a reason", async () => {
  const batch = fc.oneof(fc.array(nearly, { maxLength: 5 }), fc.jsonValue());
  await fc.assert(
    fc.asyncProperty(batch, fc.constantFrom("strict", "permissive"), async (body, mode) => {
      const headers = { "x-batch-validation": mode };
      const response = await fixture.post("/send/batch", JSON.stringify(body), headers);
      expect(statuses).toContain(response.status);
    }),
    runs,
  );
});

test("random bytes and broken CBOR are answered with a reason", async () => {
  const cbor = { "content-type": "application/cbor" };
  const broken = fc
    .tuple(nearly, fc.nat(), fc.integer({ min: 0, max: 255 }))
    .map(([one, at, byte]) => {
      const bytes = encodeCbor(one);
      bytes[at % bytes.length] = byte;
      return bytes;
    });
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array(), broken), async (body) => {
      const response = await fixture.post("/send", body, cbor);
      expect(statuses).toContain(response.status);
    }),
    runs,
  );
  expect(fixture.logged).toEqual([]);
});

test("random raw mail is answered with a reason", async () => {
  const line = fc.oneof(
    fc.constantFrom(
      "From: a@example.com",
      "To: b@example.org",
      "",
      " folded",
      "Bcc: c@example.net",
    ),
    fc.string({ unit: "binary", maxLength: 40 }),
  );
  const mail = fc.array(line, { maxLength: 12 }).map((lines) => lines.join("\r\n"));
  await fc.assert(
    fc.asyncProperty(mail, async (body) => {
      const response = await fixture.post("/send", body, { "content-type": "message/rfc822" });
      expect(statuses).toContain(response.status);
    }),
    runs,
  );
});

test("no accepted message holds a header that nobody wrote", async () => {
  const hostile = fc
    .string({ unit: "binary", maxLength: 30 })
    .map((text) => `${text}\r\nX-Evil: 1`);
  await fc.assert(
    fc.asyncProperty(hostile, fc.constantFrom(...fields), async (text, field) => {
      const before = fixture.taken.length;
      await fixture.post("/send", { ...message, [field]: text });
      for (const { body } of fixture.taken.slice(before)) {
        const source = Buffer.from(body ?? []).toString();
        expect(source.slice(0, source.indexOf("\r\n\r\n"))).not.toMatch(/^X-Evil/im);
      }
    }),
    runs,
  );
});
