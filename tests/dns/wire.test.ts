import { describe, expect, test } from "bun:test";
import * as packet from "dns-packet";
import fc from "fast-check";
import type { RecordType } from "../../src/dns/answer.ts";
import { cleanName } from "../../src/dns/name.ts";
import { createFrameReader } from "../../src/dns/tcp.ts";
import { judge, makeQuery, withId, type Query, type WireRecord } from "../../src/dns/wire.ts";

const ID = 0x1234;
const queryFor = (type: RecordType, name = "a.test"): Query =>
  makeQuery({ type, name }, { edns: true });

function replyTo(query: Query, said: packet.Packet): Buffer {
  const questions = [{ type: query.type, name: query.name }];
  return packet.encode({ type: "response", id: ID, questions, ...said });
}

function recordsOf(query: Query, said: packet.Packet): readonly WireRecord[] {
  const judged = judge(query, ID, replyTo(query, said));
  if (judged.kind !== "reply") throw new Error(`judged ${judged.kind}`);
  return judged.reply.records;
}

const usual: packet.Answer = {
  type: "MX",
  name: "a.test",
  ttl: 60,
  data: { preference: 5, exchange: "MX.a.test" },
};

describe("a question", () => {
  test("carries recursion, AD, EDNS with the payload size, and the DO bit on demand", () => {
    const plain = packet.decode(Buffer.from(withId(queryFor("MX"), ID)));
    expect([plain.id, plain.flag_rd, plain.flag_ad]).toEqual([ID, true, true]);
    expect(plain.questions).toEqual([{ type: "MX", name: "a.test", class: "IN" }]);
    expect(plain.additionals?.[0]).toMatchObject({ udpPayloadSize: 1232, flag_do: false });
    const signed = makeQuery(
      { type: "TLSA", name: "_25._tcp.a.test" },
      { edns: true, dnssecOk: true },
    );
    expect(packet.decode(Buffer.from(signed.bytes)).additionals?.[0]).toMatchObject({
      flag_do: true,
    });
    const old = makeQuery({ type: "A", name: "a.test" }, { edns: false });
    expect(packet.decode(Buffer.from(old.bytes)).additionals).toEqual([]);
  });

  test("takes only names that fit the wire", () => {
    const long = `${"x".repeat(63)}.${"y".repeat(63)}.${"z".repeat(63)}.${"w".repeat(61)}`;
    expect(cleanName("A.Test.")).toBe("a.test");
    expect(cleanName("_25._tcp.mx.test")).toBe("_25._tcp.mx.test");
    expect(cleanName(long)).toBe(long);
    expect(packet.decode(Buffer.from(queryFor("A", long).bytes)).questions?.[0]?.name).toBe(long);
    for (const bad of [
      "",
      ".",
      "..",
      ".a",
      "a..b",
      "a b",
      "ä.test",
      "a\0b",
      `${long}v`,
      "x".repeat(64),
    ])
      expect(cleanName(bad)).toBeUndefined();
  });
});

describe("a reply", () => {
  test("gives the records of the type that was asked for, and aliases", () => {
    const query = queryFor("MX");
    const cname: packet.Answer = { type: "CNAME", name: "A.test", ttl: 7, data: "b.test" };
    const other: packet.Answer = { type: "A", name: "a.test", ttl: 7, data: "192.0.2.1" };
    expect(recordsOf(query, { answers: [cname, other, usual] })).toEqual([
      { owner: "a.test", ttlS: 7, type: "CNAME", value: "b.test" },
      { owner: "a.test", ttlS: 60, type: "MX", value: { preference: 5, exchange: "mx.a.test" } },
    ]);
  });

  test("joins TXT strings, gives TLSA as hexadecimal, and the null MX as the empty name", () => {
    const name = "a.test";
    const text = recordsOf(queryFor("TXT"), {
      answers: [{ type: "TXT", name, ttl: 1, data: ["v=spf1 ", "", "-all"] }],
    });
    expect(text[0]?.value).toBe("v=spf1 -all");
    const data = {
      usage: 3,
      selector: 1,
      matchingType: 1,
      certificate: Buffer.from("00ffaa", "hex"),
    };
    const tlsa = recordsOf(queryFor("TLSA"), { answers: [{ type: "TLSA", name, ttl: 1, data }] });
    expect(tlsa[0]?.value).toEqual({ usage: 3, selector: 1, matchingType: 1, data: "00ffaa" });
    const none = { ...usual, data: { preference: 0, exchange: "." } };
    expect(recordsOf(queryFor("MX"), { answers: [none] })[0]?.value).toEqual({
      preference: 0,
      exchange: "",
    });
  });

  test("a TTL with its top bit set is zero (RFC 2181 section 8)", () => {
    const record = { ...usual, ttl: 0x80000000 };
    expect(recordsOf(queryFor("MX"), { answers: [record] })[0]?.ttlS).toBe(0);
  });

  test("an absence lasts as long as the SOA's TTL and minimum allow (RFC 2308)", () => {
    const soa = (ttl: number, minimum: number): packet.Answer => ({
      type: "SOA",
      name: "test",
      ttl,
      data: { mname: "ns.test", rname: "root.test", minimum },
    });
    for (const [ttl, minimum] of [
      [300, 30],
      [30, 300],
    ] as const) {
      const judged = judge(
        queryFor("MX"),
        ID,
        replyTo(queryFor("MX"), { authorities: [soa(ttl, minimum)] }),
      );
      expect(judged).toMatchObject({ kind: "reply", reply: { negativeTtlS: 30, referral: false } });
    }
  });

  test("the upper bits of the response code come from EDNS", () => {
    const opt = { type: "OPT", name: ".", udpPayloadSize: 1232, ednsVersion: 0 } as const;
    const additionals = [{ ...opt, extendedRcode: 1, flags: 0, flag_do: false, options: [] }];
    const judged = judge(queryFor("MX"), ID, replyTo(queryFor("MX"), { additionals }));
    expect(judged).toMatchObject({ kind: "reply", reply: { rcode: 16 } });
  });

  test("another id, question, type, class or direction is not ours", () => {
    const query = queryFor("MX");
    const good = replyTo(query, { answers: [usual] });
    const kindOf = (bytes: Uint8Array) => judge(query, ID, bytes).kind;
    expect(kindOf(good)).toBe("reply");
    expect(kindOf(replyTo(query, { id: ID + 1 }))).toBe("foreign");
    expect(kindOf(replyTo(query, { type: "query" }))).toBe("foreign");
    expect(kindOf(replyTo(query, { questions: [] }))).toBe("foreign");
    expect(kindOf(replyTo(query, { questions: [{ type: "MX", name: "b.test" }] }))).toBe("foreign");
    expect(kindOf(replyTo(query, { questions: [{ type: "A", name: "a.test" }] }))).toBe("foreign");
    const questions = [{ type: "MX" as const, name: "a.test", class: "CH" as const }];
    expect(kindOf(replyTo(query, { questions }))).toBe("foreign");
    expect(kindOf(good.subarray(0, 20))).toBe("foreign");
    expect(kindOf(new Uint8Array())).toBe("foreign");
  });

  test("a record cut at any byte is broken, never a part of an answer", () => {
    const query = queryFor("MX");
    const bytes = replyTo(query, { answers: [usual] });
    for (let end = 12 + query.questionBytes; end < bytes.length; end++)
      expect(judge(query, ID, bytes.subarray(0, end)).kind).toBe("broken");
  });

  test("a record whose inner length lies is broken", () => {
    const query = queryFor("TXT");
    const text: packet.Answer = { type: "TXT", name: "a.test", ttl: 1, data: ["abcd"] };
    const bytes = Uint8Array.from(replyTo(query, { answers: [text] }));
    const at = bytes.lastIndexOf(4);
    for (const length of [5, 0xff]) {
      bytes[at] = length;
      expect(judge(query, ID, bytes).kind).toBe("broken");
    }
  });

  test("more text than anyone needs is broken", () => {
    const data = Array.from({ length: 200 }, () => "x".repeat(250));
    const text: packet.Answer = { type: "TXT", name: "a.test", ttl: 1, data };
    const bytes = replyTo(queryFor("TXT"), { answers: [text] });
    expect(judge(queryFor("TXT"), ID, bytes).kind).toBe("broken");
  });
});

describe("hostile bytes", () => {
  const types: readonly RecordType[] = ["MX", "A", "AAAA", "TXT", "TLSA", "PTR"];

  test("behind a good header and question anything may follow: it never throws or hangs", () => {
    const counts = fc.tuple(
      ...Array.from({ length: 3 }, () => fc.integer({ min: 0, max: 0xffff })),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        counts,
        fc.uint8Array({ maxLength: 600 }),
        (type, n, tail) => {
          const query = queryFor(type);
          const bytes = Buffer.concat([replyTo(query, {}), tail]);
          n.forEach((count, i) => void bytes.writeUInt16BE(count, 6 + 2 * i));
          expect(judge(query, ID, bytes).kind).not.toBe("foreign");
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("a true reply with some bytes changed never throws, and its records keep their types", () => {
    const name = "a.test";
    const samples: Record<RecordType, packet.Answer> = {
      MX: usual,
      A: { type: "A", name, ttl: 1, data: "192.0.2.1" },
      AAAA: { type: "AAAA", name, ttl: 1, data: "2001:db8::1" },
      TXT: { type: "TXT", name, ttl: 1, data: ["abc", "def"] },
      PTR: { type: "PTR", name, ttl: 1, data: "mx1.a.test" },
      TLSA: {
        type: "TLSA",
        name,
        ttl: 1,
        data: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.alloc(32) },
      },
    };
    const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.array(change, { minLength: 1, maxLength: 6 }),
        (type, changes) => {
          const query = queryFor(type);
          const bytes = replyTo(query, { answers: [samples[type], samples[type]] });
          for (const [at, value] of changes) bytes[2 + (at % (bytes.length - 2))] = value;
          const judged = judge(query, ID, bytes);
          if (judged.kind !== "reply") return;
          for (const record of judged.reply.records) expect([type, "CNAME"]).toContain(record.type);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("64 KB of pointers to pointers are not followed", () => {
    const query = queryFor("MX");
    const head = replyTo(query, {});
    const bytes = Buffer.alloc(65_000);
    head.copy(bytes);
    // One record holds a long chain of pointers; many others have a name that starts at its end.
    const chain = 8_000;
    let at = head.length;
    bytes.set([0, 0, 99, 0, 1, 0, 0, 0, 0], at);
    bytes.writeUInt16BE(chain * 2, at + 9);
    at += 11;
    const first = at;
    const end = first + 2 * (chain - 1);
    for (let i = 0; i < chain; i++, at += 2)
      bytes.writeUInt16BE(0xc000 | (i === 0 ? 12 : first + 2 * (i - 1)), at);
    let count = 1;
    for (; at + 16 < bytes.length; at += 16, count++) {
      bytes.writeUInt16BE(0xc000 | end, at);
      bytes.set([0, 15, 0, 1, 0, 0, 0, 60, 0, 4, 0, 1], at + 2);
      bytes.writeUInt16BE(0xc000 | end, at + 14);
    }
    bytes.writeUInt16BE(count, 6);
    expect(judge(query, ID, bytes).kind).toBe("broken");
  });
});

test("messages are cut out of a stream by their lengths, however it is torn", () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 5 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 9 })), (all, cuts) => {
      const stream = Buffer.concat(all.flatMap((one) => [Uint8Array.of(0, one.length), one]));
      const reader = createFrameReader();
      const got: Uint8Array[] = [];
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        got.push(...reader.push(stream.subarray(at, at + cut)));
        at += cut;
      }
      expect(got.map((one) => [...one])).toEqual(all.map((one) => [...one]));
    }),
    { numRuns: 200 },
  );
});
