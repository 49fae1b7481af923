import { expect, test } from "bun:test";
import { deliverDefaults } from "../../src/deliver/settings.ts";
import type { Signer } from "../../src/mail/dkim/signer.ts";
import { byMailauth, keys, signerOf, zone } from "../mail/dkim/verifiers.ts";
import { usualOffers } from "./fakeMx.ts";
import { createRig, recipients, stepOf, type Rig } from "./rig.ts";
import { createSignApart } from "../../src/mail/dkim/apart.ts";
import { signOctets } from "../../src/mail/dkim/key.ts";

const text = (more: string, body: string): Buffer =>
  Buffer.from(`From: Shop <a@shop.example>\r\nTo: b@example.net\r\n${more}\r\n${body}`);
const plain = text("Subject: one\r\n", ".Hello  there \r\n\r\n");
const accented = text(
  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
    "Content-Transfer-Encoding: 8bit\r\n",
  "Grüße\r\n",
);

/** Signs as `keys` do, and counts. */
function counting(): { readonly signer: () => Signer; signed: number } {
  const real = signerOf(keys);
  const count = {
    signed: 0,
    signer: (): Signer => ({
      ...real,
      sign(message, at) {
        count.signed++;
        return real.sign(message, at);
      },
    }),
  };
  return count;
}

/** As the recipient gets them: without the dots that SMTP adds, and with the last line end, which the server leaves out. */
function taken(rig: Rig): Buffer[] {
  const messages = rig.servers.flatMap((server) => server.messages());
  return messages.map((one) => Buffer.from(`${one.replace(/(^|\r\n)\./g, "$1")}\r\n`, "latin1"));
}

const BOTH = ["pass", "pass"];

test("what the server takes bears signatures that others can verify", async () => {
  const rig = await createRig({ servers: [{}], signer: () => signerOf(keys) });
  rig.send({}, { body: plain });
  const [verdict] = await rig.verdictsOf(1);
  expect(stepOf(verdict).signed).toBe("shop.example/s1 shop.example/s1-ed");
  expect(await byMailauth(taken(rig), zone)).toEqual([BOTH]);
  await rig.end();
});

for (const offers of [usualOffers, [...usualOffers, "CHUNKING"]])
  test(`what is signed on other threads is verified too, offered ${offers.at(-1)}`, async () => {
    const signer = signerOf(
      keys,
      createSignApart(() => 2),
    );
    const rig = await createRig({ servers: [{ offers }], signer: () => signer });
    const large = Buffer.concat([
      plain,
      Buffer.from(`${"0123456789".repeat(7)}\r\n`.repeat(2_000)),
    ]);
    for (const body of [plain, large, plain]) rig.send({}, { body });
    for (const verdict of await rig.verdictsOf(3))
      expect(stepOf(verdict)).toMatchObject({
        outcome: "delivered",
        signed: "shop.example/s1 shop.example/s1-ed",
      });
    // A chunk comes as it is; the small ones are dotted, whatever is offered.
    const chunks = rig.servers.flatMap((server) => server.messages());
    const isDotted = (one: string): boolean => one.includes("\r\n..Hello");
    const messages = taken(rig).map((one, i) =>
      isDotted(chunks[i] ?? "") ? one : Buffer.from(chunks[i] ?? "", "latin1"),
    );
    expect(await byMailauth(messages, zone)).toEqual([BOTH, BOTH, BOTH]);
    const announced = rig.servers[0]?.sessions
      .flatMap(({ lines }) => lines)
      .flatMap((line) => /SIZE=(\d+)/.exec(line)?.[1] ?? []);
    const sizes = (list: readonly number[]) => list.toSorted((a, b) => a - b);
    expect(sizes((announced ?? []).map(Number))).toEqual(sizes(messages.map((one) => one.length)));
    await rig.end();
  });

/** Signs when it is told to. */
function held() {
  let go = (): void => {};
  const told = new Promise<void>((resolve) => (go = resolve));
  const signer = signerOf(keys, async (key, input) => {
    const base64 = signOctets(key, input);
    await told;
    return base64;
  });
  return { signer: () => signer, go: () => go() };
}

test("a server that hangs up before the signature is there gets nothing, and the message waits without doubt", async () => {
  const signing = held();
  const rig = await createRig({
    servers: [{ script: (verb) => (verb === "DATA" ? "354 go ahead\r\nCLOSE" : undefined) }],
    signer: signing.signer,
  });
  rig.send({}, { body: plain });
  const [verdict] = await rig.verdictsOf(1);
  expect(verdict?.kind).toBe("deferred");
  expect(verdict?.doubt).toBe(false);
  signing.go();
  await rig.end();
  expect(taken(rig)).toEqual([]);
});

test("a server is not kept waiting for a signature beyond the time of a message", async () => {
  const signing = held();
  const rig = await createRig({
    servers: [{}],
    signer: signing.signer,
    settings: { deadlines: { ...deliverDefaults.deadlines, body: 50 } },
  });
  rig.send({}, { body: plain });
  const [verdict] = await rig.verdictsOf(1);
  expect(verdict).toMatchObject({ kind: "deferred", doubt: false });
  signing.go();
  await rig.end();
  expect(taken(rig)).toEqual([]);
});

test("a message for a server without 8BITMIME is signed as it is sent", async () => {
  const offers = usualOffers.filter((word) => word !== "8BITMIME");
  const rig = await createRig({ servers: [{ offers }], signer: () => signerOf(keys) });
  rig.send({ eightBit: true }, { body: accented });
  await rig.verdictsOf(1);
  const [message] = taken(rig);
  expect(message?.toString()).toContain("quoted-printable");
  expect(await byMailauth(taken(rig), zone)).toEqual([BOTH]);
  await rig.end();
});

test("a message that is streamed from the spool is signed, and its size is announced with room", async () => {
  const long = Buffer.concat([plain, Buffer.from(`${"0123456789".repeat(7)}\r\n`.repeat(10_000))]);
  const rig = await createRig({
    servers: [{}],
    signer: () => signerOf(keys),
    spool: async function* () {
      for (let at = 0; at < long.length; at += 65_536) yield long.subarray(at, at + 65_536);
    },
  });
  rig.send({ sizeBytes: long.length, body: { kind: "spool", file: "one" } }, { body: null });
  const [verdict] = await rig.verdictsOf(1);
  expect(stepOf(verdict)).toMatchObject({
    outcome: "delivered",
    signed: "shop.example/s1 shop.example/s1-ed",
  });
  const [message] = taken(rig);
  expect(await byMailauth(taken(rig), zone)).toEqual([BOTH]);
  const lines = rig.servers[0]?.sessions[0]?.lines ?? [];
  const size = /SIZE=(\d+)/.exec(lines.find((line) => line.startsWith("MAIL")) ?? "")?.[1];
  expect(Number(size)).toBeGreaterThanOrEqual(message?.length ?? 0);
  await rig.end();
});

test("a streamed message is not refused for the room that was only guessed for its signatures", async () => {
  const long = Buffer.concat([plain, Buffer.from("0123456789\r\n".repeat(10_000))]);
  const offers = ["PIPELINING", "8BITMIME", `SIZE ${long.length + 2_000}`];
  const rig = await createRig({
    servers: [{ offers }],
    signer: () => signerOf(keys),
    spool: async function* () {
      yield long;
    },
  });
  const body = { kind: "spool", file: "one" } as const;
  rig.send({ sizeBytes: long.length, body }, { body: null });
  rig.send({ sizeBytes: long.length + 2_001, body }, { body: null });
  const [fits, does] = await rig.verdictsOf(2);
  expect([fits?.kind, does?.kind]).toEqual(["delivered", "failed"]);
  expect(stepOf(does).text).toContain("at most");
  expect(await byMailauth(taken(rig), zone)).toEqual([BOTH]);
  await rig.end();
});

test("the recipients of one message share its signatures, and other octets have their own", async () => {
  const count = counting();
  const offers = usualOffers.filter((word) => word !== "8BITMIME");
  const rig = await createRig({ servers: [{}, { offers }], signer: count.signer });
  const to = (host: number) => ({
    body: accented,
    route: { hosts: rig.route.hosts.slice(host, host + 1), site: `site${host}` },
  });
  for (const n of [0, 1, 2])
    rig.send(
      { message: 7, eightBit: true, recipients: recipients("a").map((one) => ({ ...one, n })) },
      to(n === 2 ? 1 : 0),
    );
  await rig.verdictsOf(3);
  expect(count.signed).toBe(2);
  expect(await byMailauth(taken(rig), zone)).toEqual([BOTH, BOTH, BOTH]);
  await rig.end();
});

test("a connection that breaks costs no second signature", async () => {
  const count = counting();
  const rig = await createRig({
    servers: [{ script: (verb) => (verb === "MAIL" ? "CLOSE" : undefined) }, {}],
    signer: count.signer,
  });
  rig.send({}, { body: plain });
  const [verdict] = await rig.verdictsOf(1);
  expect(verdict?.kind).toBe("delivered");
  expect(count.signed).toBe(1);
  await rig.end();
});

test("new keys count for the next message, and without any nothing is changed", async () => {
  let signer = signerOf([]);
  const rig = await createRig({ servers: [{}], signer: () => signer });
  rig.send({}, { body: plain });
  await rig.verdictsOf(1);
  signer = signerOf(keys.slice(0, 1));
  rig.send({}, { body: plain });
  const [first, second] = await rig.verdictsOf(2);
  expect(stepOf(first).signed).toBe("");
  expect(stepOf(second).signed).toBe("shop.example/s1");
  const [bare, signed] = taken(rig).map(String);
  expect(bare).toBe(plain.toString());
  expect(signed?.endsWith(bare ?? "nothing")).toBe(true);
  await rig.end();
});
