// What one transaction takes of a job: the message in a form that the server bears, whole and signed as it is sent.
import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { noLog } from "../../src/base/log.ts";
import type { Body } from "../../src/deliver/body.ts";
import { portionOf, type Load } from "../../src/deliver/portion.ts";
import { signBody } from "../../src/deliver/signing.ts";
import { nothingOffered } from "../../src/smtp/extensions.ts";
import { byMailauth, keys, signerOf, zone } from "../mail/dkim/verifiers.ts";
import { jobOf, recipients } from "./rig.ts";

const domain = keys[0]?.domain ?? "";
const eightBit = Buffer.from(
  `From: Shop <shop@${domain}>\r\nTo: a@example.net\r\nSubject: s\r\n` +
    "Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n",
);

function loadOf(body: Body, change: Parameters<typeof jobOf>[1] = {}): Load {
  const job = jobOf(1, { eightBit: true, sizeBytes: eightBit.length, ...change });
  return { job, body, left: job.recipients };
}

const whole: Body = { kind: "bytes", bytes: eightBit };
const deps = { clock: systemClock, log: noLog, signer: () => signerOf(keys) };

async function octetsOf(body: Body): Promise<Buffer> {
  if (body.kind === "bytes")
    return Buffer.concat([Buffer.from((await body.front?.header) ?? ""), body.bytes]);
  const pieces = [(await body.front?.()) ?? new Uint8Array(0)];
  for await (const piece of body.open()) pieces.push(piece);
  return Buffer.concat(pieces);
}

const streamed: Body = {
  kind: "stream",
  open: async function* () {
    yield eightBit.subarray(0, 50);
    yield eightBit.subarray(50);
  },
  sizeBytes: eightBit.length,
  sha256: undefined,
};

for (const [name, body] of [
  ["in memory", whole],
  ["in the spool", streamed],
] as const)
  test(`a message ${name} is made 7-bit and then signed, and another verifies it`, async () => {
    const load = loadOf(body);
    const portion = portionOf(load, nothingOffered, 100);
    expect(portion.eightBit).toBe(false);
    const octets = await octetsOf(signBody(deps, load, portion.body).body);
    expect(octets.toString("latin1")).toContain("Gr=C3=BC=C3=9Fe");
    const [results = []] = await byMailauth([octets], zone);
    expect(results.slice(0, 2)).toEqual(["pass", "pass"]);
  });

test("a server with 8BITMIME gets the message as it is", () => {
  const portion = portionOf(loadOf(whole), { ...nothingOffered, eightBitMime: true }, 100);
  expect(portion).toMatchObject({ eightBit: true, sizeBytes: eightBit.length });
  expect(portion.body).toBe(whole);
});

test("a file that changed under us is not sent as something else", async () => {
  const bad: Body = { ...streamed, sizeBytes: eightBit.length + 1 };
  const portion = portionOf(loadOf(bad), nothingOffered, 100);
  expect(octetsOf(portion.body)).rejects.toThrow("octets");
});

test("a header that needs SMTPUTF8 is known by its octets, not by the body's", () => {
  const utf8 = (bytes: Buffer) =>
    portionOf(loadOf({ kind: "bytes", bytes }, { utf8: true }), nothingOffered, 100).utf8;
  expect(utf8(eightBit)).toBe(false);
  expect(utf8(Buffer.from("Subject: schön\r\n\r\nplain\r\n"))).toBe(true);
});

test("who is left out of a transaction waits for the next, in order", () => {
  const job = jobOf(1, { utf8: true, recipients: recipients("a", "ü", "b", "c") });
  const load: Load = { job, body: whole, left: job.recipients };
  const names = (offer: Partial<typeof nothingOffered>, max = 100) => {
    const portion = portionOf(load, { ...nothingOffered, ...offer }, max);
    const shown = (list: typeof portion.rest) => list.map(({ address }) => address[0]).join("");
    return `${shown(portion.recipients)} ${shown(portion.rest)}`;
  };
  expect(names({ smtpUtf8: true })).toBe("aübc ");
  expect(names({})).toBe("abc ü");
  expect(names({ smtpUtf8: true }, 3)).toBe("aüb c");
  const limits = { mails: Infinity, recipients: 2, domains: Infinity };
  expect(names({ limits })).toBe("ab üc");
});
