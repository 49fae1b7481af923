import { afterAll, expect, test } from "bun:test";
import { uuidOf } from "../../src/mail/id.ts";
import { returnPaths } from "../../src/roles/settings.ts";
import { createFixture, tag } from "./doorFixture.ts";

const own = { domain: "s.test", relay: null, source: null };
const fixture = createFixture({
  returnPathOf: returnPaths({ senders: [{ ...own, returnPath: "bounces+{id}@b.s.test" }] }),
});
afterAll(() => fixture.close());

async function pathOf(body: unknown, path = "/send", type?: string): Promise<string> {
  const headers = type === undefined ? {} : { "content-type": type };
  const response = await fixture.post(path, body, headers);
  expect(response.status).toBe(202);
  const head = fixture.taken.at(-1)?.head;
  if (head === undefined) throw new Error("nothing was taken");
  return head.from.replace(uuidOf(head.id, tag), "ID");
}

const letter = (from: string, more: object = {}) => ({
  from,
  to: "a@r.test",
  subject: "s",
  text: "t",
  ...more,
});

test("a sender's domain may have a return path of its own, which a message may still replace", async () => {
  expect(await pathOf(letter("Shop <x@S.test>"))).toBe("bounces+ID@b.s.test");
  expect(await pathOf(letter("x@other.test"))).toBe("x@other.test");
  expect(await pathOf(letter("x@s.test", { return_path: "y@s.test" }))).toBe("y@s.test");
});

test("so it is with a raw message, where the query's sender counts", async () => {
  const raw = Buffer.from("From: x@s.test\r\nTo: a@r.test\r\nSubject: s\r\n\r\nt\r\n");
  expect(await pathOf(raw, "/send", "message/rfc822")).toBe("bounces+ID@b.s.test");
  expect(await pathOf(raw, "/send?from=z@s.test", "message/rfc822")).toBe("z@s.test");
});
