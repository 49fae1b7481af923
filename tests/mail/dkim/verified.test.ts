// Real messages, signed by us with both algorithms, verified by programs that we did not write.
import { describe, expect, test } from "bun:test";
import { peer } from "../../peers.ts";
import { messages } from "./messages.ts";
import { byDkimpy, byMailauth, keys, signerOf, zone } from "./verifiers.ts";

const AT = Date.UTC(2026, 10, 23, 7);
const signer = signerOf(keys);
const names = Object.keys(messages);
const bytesOf = (name: string): Buffer => Buffer.from(messages[name] ?? "");
/** A message with its signatures in front; the last line gets the end that SMTP gives it. */
async function signed(bytes: Buffer): Promise<Buffer> {
  const signatures = signer.sign(bytes, AT);
  if (signatures === null) throw new Error("not signed");
  const end = bytes.toString("latin1").endsWith("\r\n") ? "" : "\r\n";
  return Buffer.concat([Buffer.from(await signatures.header), bytes, Buffer.from(end)]);
}
const all = await Promise.all(names.map((name) => signed(bytesOf(name))));

describe("mailauth", () => {
  // It takes that octet for white space, which RFC 6376 2.8 does not.
  const known = names.filter((name) => !name.includes("no-break space"));

  test("verifies both signatures of every message", async () => {
    const results = await byMailauth(
      await Promise.all(known.map((name) => signed(bytesOf(name)))),
      zone,
    );
    const ours = results.map((list) => list.slice(0, 2));
    expect(Object.fromEntries(known.map((name, i) => [name, ours[i]]))).toEqual(
      Object.fromEntries(known.map((name) => [name, ["pass", "pass"]])),
    );
  });

  test("does not verify what was changed on the way", async () => {
    const plain = (await signed(bytesOf("plain"))).toString();
    const changed = [
      plain.replace("Hello.", "Hello!"),
      plain.replace("Subject: Your order", "Subject: Their order"),
      plain.replace("From: Shop", "From: Other <x@evil.example>\r\nFrom: Shop"),
      plain.replace("To: a@", "Reply-To: x@evil.example\r\nTo: a@"),
    ];
    const results = await byMailauth(
      changed.map((text) => Buffer.from(text)),
      zone,
    );
    for (const list of results) for (const result of list) expect(result).not.toBe("pass");
  });
});

const dkimpy = peer("dkimverify");
describe("python3-dkim", () => {
  dkimpy.test("verifies both signatures of every message", async () => {
    const results = await byDkimpy("/usr/bin/python3", all, { records: zone, signatures: 2 });
    expect(Object.fromEntries(names.map((name, i) => [name, results[i]]))).toEqual(
      Object.fromEntries(names.map((name) => [name, [true, true]])),
    );
  });
});
