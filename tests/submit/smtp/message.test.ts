// A message by SMTP that is taken piece by piece.
import { expect, test } from "bun:test";
import { systemClock } from "../../../src/base/clock.ts";
import { createMeter } from "../../../src/base/meter.ts";
import { hostTag } from "../../../src/mail/id.ts";
import { createContentReader } from "../../../src/smtp/server/content.ts";
import { owner } from "../../../src/submit/caller.ts";
import { createTaker } from "../../../src/submit/smtp/message.ts";
import type { Spool } from "../../../src/submit/spool.ts";

test("a chunk of nothing but stuffed dots is written at once, and keeps each of them", async () => {
  let writtenBytes = 0;
  let writes = 0;
  const spool: Pick<Spool, "create"> = {
    create: async () => ({
      name: "x.eml",
      async write(chunk) {
        writes++;
        writtenBytes += chunk.length;
      },
      seal: async () => {},
      discard: async () => {},
    }),
  };
  const meter = createMeter(() => [1]);
  const taker = createTaker(
    {
      ...{ clock: systemClock, ids: () => 1, tag: hostTag(new Uint8Array(8)) },
      ...{ hostname: "mail.example.com", messageBytesMax: 1e9, recipientsPerField: 50 },
      spool: spool as Spool,
      accept: async () => ({ kind: "accepted" }),
      accepted: meter.counter("accepted"),
      duration: meter.histogram("seconds"),
    },
    { caller: owner, address: "192.0.2.1", lacks: () => undefined },
    { from: "a@example.com", recipients: ["b@example.net"], helo: "client", protocol: "ESMTP" },
  );
  const reader = createContentReader();
  const header = "From: a@example.com\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n\r\n";
  await taker.write(reader.read(Buffer.from(header), 0).bytes);
  const lines = 400_000;
  await taker.write(reader.read(Buffer.from("..\r\n".repeat(lines)), 0).bytes);
  expect(writtenBytes).toBeGreaterThan(3 * lines);
  expect(writes).toBeLessThan(5);
  expect(await taker.end()).toEqual({ got: "yes", value: expect.any(String) });
});
