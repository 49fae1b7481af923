import { describe, expect, test } from "bun:test";
import { generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { createSignApart, signaturesApart } from "../../../src/mail/dkim/apart.ts";
import { readKey, signOctets } from "../../../src/mail/dkim/key.ts";
import { fromDomain } from "../../../src/mail/dkim/signer.ts";
import { messages } from "./messages.ts";
import * as rfc from "./rfc8463.ts";
import type { Signatures } from "../../../src/mail/dkim/signer.ts";
import { keys, signerOf } from "./verifiers.ts";

const AT = Date.UTC(2026, 10, 23, 7);
const signer = signerOf(keys);
const from = (value: string): Buffer => Buffer.from(`From: ${value}\r\n\r\nText\r\n`);

const headerOf = async (signatures: Signatures | null): Promise<string> =>
  (await signatures?.header) ?? "";

async function* inPieces(bytes: Uint8Array, octets: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += octets) yield bytes.subarray(at, at + octets);
}

describe("a signature", () => {
  test("tells when it was made, and no l=", async () => {
    const header = await headerOf(signer.sign(from("a@shop.example"), AT));
    expect(header.match(/ t=1795417200;/g)).toHaveLength(2);
    expect(header).not.toContain("l=");
  });

  test("keeps to the lines that SMTP likes, and never breaks one within a word", async () => {
    for (const text of Object.values(messages)) {
      const lines = (await headerOf(signer.sign(Buffer.from(text), AT))).split("\r\n");
      expect(lines.pop()).toBe("");
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(78);
      for (const line of lines) expect(line).toMatch(/^(DKIM-Signature:)? ?\S/);
    }
  });

  test("is the same for a message that comes in pieces", async () => {
    for (const text of Object.values(messages)) {
      const bytes = Buffer.from(text);
      const whole = signer.sign(bytes, AT);
      const octets = bytes.length > 10_000 ? 65_536 : 7;
      const pieced = await signer.signStream(inPieces(bytes, octets), AT);
      expect(pieced).toEqual(whole);
      expect(pieced?.by).toBe("shop.example/s1 shop.example/s1-ed");
    }
  });

  test("comes for any octets at all, the same in one piece as in many", async () => {
    const parts = fc.oneof(
      fc.constantFrom(
        "\r\n",
        "\r",
        "\n",
        ":",
        " ",
        "\t",
        "From: x@shop.example\r\n",
        "\r\n\r\n",
        "Cc:",
      ),
      fc.string({ unit: "binary", maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(parts, { maxLength: 30 }),
        fc.integer({ min: 1, max: 9 }),
        async (list, octets) => {
          const bytes = Buffer.from(`From: a@shop.example\r\nTo: b\r\n${list.join("")}`);
          const whole = signer.sign(bytes, AT);
          expect(await signer.signStream(inPieces(bytes, octets), AT)).toEqual(whole);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("is the same when it is made on other threads, while further messages are read", async () => {
    const apart = signerOf(
      keys,
      createSignApart(() => 2),
    );
    const all = Object.values(messages).map((text) => Buffer.from(text));
    const begun = all.map((bytes) => apart.sign(bytes, AT));
    for (const [i, bytes] of all.entries()) {
      const header = await headerOf(begun[i] ?? null);
      expect(header).toBe(await headerOf(signer.sign(bytes, AT)));
      expect(begun[i]).toMatchObject({ header, octets: header.length });
    }
  });

  test("comes in its turn when more are wanted than have room on the other threads", async () => {
    const apart = createSignApart(() => 2);
    const read = readKey(keys[0]?.pem ?? "");
    if (read.kind === "unusable") throw new Error(read.why);
    const order: number[] = [];
    const room = Buffer.alloc(4);
    const all = Array.from({ length: 20 }, async (_, i) => {
      room.writeInt32LE(i);
      const own = Buffer.from(room);
      expect(await apart(read, room)).toBe(signOctets(read, own));
      order.push(i);
    });
    await Promise.all(all);
    expect(order.toSorted((a, b) => a - b)).toEqual(all.map((_, i) => i));
  });

  test("takes no room any more once it is made, also where the other threads refuse it", async () => {
    let under = 0;
    let refusals = 3;
    const counts: number[] = [];
    const apart = createSignApart(
      () => 2,
      (digest, input, key, done) => {
        if (refusals-- > 0) throw new Error("no thread can be had");
        counts.push(++under);
        sign(digest, input, key, (error, signature) => {
          under--;
          done(refusals % 2 === 0 ? new Error("it could not") : error, signature);
        });
      },
    );
    const read = readKey(keys[0]?.pem ?? "");
    if (read.kind === "unusable") throw new Error(read.why);
    const input = Buffer.from("octets");
    const all = await Promise.all(Array.from({ length: 9 }, () => apart(read, input)));
    expect(new Set(all)).toEqual(new Set([signOctets(read, input)]));
    expect([counts.length, Math.max(...counts)]).toEqual([6, 2]);
  });

  test("has room on the other threads by how many senders share them", async () => {
    expect([1, 2, 3, 4, 9].map((senders) => signaturesApart(2, senders))).toEqual([4, 2, 2, 1, 1]);
    let most = 1;
    const begun: (() => void)[] = [];
    const apart = createSignApart(
      () => most,
      (_digest, _input, _key, done) => void begun.push(() => done(null, Buffer.from("signed"))),
    );
    const read = readKey(keys[0]?.pem ?? "");
    if (read.kind === "unusable") throw new Error(read.why);
    const made = Array.from({ length: 5 }, () => apart(read, Buffer.alloc(1)));
    expect(begun).toHaveLength(1);
    most = 3;
    begun[0]?.();
    expect(begun).toHaveLength(4);
    most = 1;
    begun[1]?.();
    begun[2]?.();
    expect(begun).toHaveLength(4);
    begun[3]?.();
    begun[4]?.();
    expect(await Promise.all(made)).toEqual(Array(5).fill("c2lnbmVk"));
  });

  test("waits for no other thread with Ed25519 alone", () => {
    const apart = signerOf(
      keys.slice(1),
      createSignApart(() => 2),
    );
    expect(apart.sign(from("a@shop.example"), AT)?.header).toBeString();
  });

  test("stands there also when the same key has signed already", async () => {
    const first = await headerOf(signer.sign(from("a@shop.example"), AT));
    const again = signer.sign(Buffer.concat([Buffer.from(first), from("a@shop.example")]), AT);
    expect(again?.header).toBe(first);
  });
});

describe("the keys", () => {
  test("are those of the author's domain, or of the nearest one above it", () => {
    const sub = { domain: "news.shop.example", selector: "n1", pem: rfc.edPem };
    const both = signerOf([...keys, sub]);
    const by = (address: string) => both.sign(from(address), AT)?.by;
    expect(by("a@shop.example")).toBe("shop.example/s1 shop.example/s1-ed");
    expect(by("a@mail.shop.example")).toBe("shop.example/s1 shop.example/s1-ed");
    expect(by("a@news.shop.example")).toBe("news.shop.example/n1");
    expect(by("a@x.news.shop.example")).toBe("news.shop.example/n1");
    expect(by("a@myshop.example")).toBeUndefined();
    expect(by("a@example")).toBeUndefined();
  });

  test("of RSA sign first, whatever their order", () => {
    const turned = signerOf([...keys].reverse());
    expect(turned.sign(from("a@shop.example"), AT)?.by).toBe("shop.example/s1 shop.example/s1-ed");
  });

  test("that are not there leave a message as it is, and read no more than its header", async () => {
    let read = 0;
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        read++;
        yield from("a@other.example");
      }
    }
    expect(await signer.signStream(endless(), AT)).toBeNull();
    expect(read).toBe(1);
    expect(signerOf([]).active).toBe(false);
    expect(signer.sign(Buffer.from("Subject: nobody\r\n\r\n"), AT)).toBeNull();
    expect(signer.sign(Buffer.from("\r\nText\r\n"), AT)).toBeNull();
  });
});

describe("the author's domain", () => {
  test("is found in whatever form From has", () => {
    const domains: readonly (readonly [string, string | undefined])[] = [
      ["a@shop.example", "shop.example"],
      ["Shop <a@Shop.Example>", "shop.example"],
      ['"Shop, Inc. <x@evil.example>" <a@shop.example>', "shop.example"],
      ["Shop (the <x@evil.example> one) <a@shop.example>", "shop.example"],
      ["a@shop.example, b@other.example", "shop.example"],
      ["=?utf-8?q?=40evil.example?= <a@shop.example>", "shop.example"],
      [Buffer.from("a@bücher.example").toString("latin1"), "xn--bcher-kva.example"],
      ["nobody", undefined],
      ["", undefined],
    ];
    for (const [value, domain] of domains)
      expect([value, fromDomain(value)]).toEqual([value, domain]);
  });
});

describe("a private key", () => {
  const pem = (bits: number): string =>
    generateKeyPairSync("rsa", { modulusLength: bits })
      .privateKey.export({ type: "pkcs8", format: "pem" })
      .toString();

  test("of RSA has at least 1024 bits", () => {
    expect(readKey(pem(512))).toMatchObject({ kind: "unusable" });
    expect(readKey(pem(1024))).toMatchObject({ kind: "key", bits: 1024 });
  });

  test("that is none, or of another kind, says so", () => {
    const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const text = ec.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(readKey(text)).toEqual({
      kind: "unusable",
      why: "it is of type ec, not RSA or Ed25519",
    });
    const halves = [
      "",
      "secret",
      rfc.rsaPem.slice(0, 200),
      ec.publicKey.export({ type: "spki", format: "pem" }).toString(),
    ];
    for (const half of halves)
      expect(readKey(half)).toEqual({
        kind: "unusable",
        why: "it is no private key in PEM form (PKCS#8 or PKCS#1)",
      });
  });
});
