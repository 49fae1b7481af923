// The signatures of RFC 8463 appendix A, to the octet: both algorithms are deterministic.
import { expect, test } from "bun:test";
import { verify } from "node:crypto";
import { bodyHashOf, createBodyHash } from "../../../src/mail/dkim/body.ts";
import { placesOf, readHeader } from "../../../src/mail/dkim/header.ts";
import { publicRecord, readKey, signOctets } from "../../../src/mail/dkim/key.ts";
import * as rfc from "./rfc8463.ts";

function keyOf(pem: string) {
  const read = readKey(pem);
  if (read.kind === "unusable") throw new Error(read.why);
  return read;
}

/** The canonical fields that `names` stand for. */
function canonical(text: string, names: readonly string[]): string {
  const bytes = Buffer.from(text);
  const { octets, starts, shape } = readHeader(bytes, bytes.length);
  return placesOf(shape.split(":"), names)
    .map((at) => octets.toString("latin1", starts[at], starts[at + 1]))
    .join("");
}

/** RFC 6376 3.7. */
function signedOctets(unsigned: string): Buffer {
  const own = canonical(`DKIM-Signature:${unsigned}\r\n`, ["dkim-signature"]);
  return Buffer.from(canonical(rfc.header, rfc.names) + own.slice(0, -2));
}

/** What is hashed, written out by hand from the printed message. */
const canonicalFields = [
  "from:Joe SixPack <joe@football.example.com>",
  "to:Suzie Q <suzie@shopping.example.net>",
  "subject:Is dinner ready?",
  "date:Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
  "message-id:<20030712040037.46341.5F8J@football.example.com>",
  "",
].join("\r\n");

test("the body's hash is the one that is printed", () => {
  const message = Buffer.from(`${rfc.header}\r\n${rfc.body}`);
  expect(bodyHashOf(message, rfc.header.length + 2)).toBe(rfc.bodyHash);
  const pieces = createBodyHash();
  for (const octet of Buffer.from(rfc.body)) pieces.add(Uint8Array.of(octet));
  expect(pieces.digest()).toBe(rfc.bodyHash);
});

test("names that stand there once more than their fields add nothing to what is hashed", () => {
  expect(canonical(rfc.header, rfc.names)).toBe(canonicalFields);
});

test("the canonical form of the signature's own field ends at b= and has no CRLF", () => {
  expect(signedOctets(rfc.edUnsigned).toString()).toBe(
    `${canonicalFields}dkim-signature:v=1; a=ed25519-sha256; c=relaxed/relaxed; ` +
      "d=football.example.com; i=@football.example.com; q=dns/txt; s=brisbane; t=1528637909; " +
      "h=from : to : subject : date : message-id : from : subject : date; " +
      `bh=${rfc.bodyHash}; b=`,
  );
});

test("Ed25519 signs as printed", () => {
  const key = keyOf(rfc.edPem);
  expect(publicRecord(key)).toBe(rfc.edRecord);
  expect(signOctets(key, signedOctets(rfc.edUnsigned))).toBe(rfc.edSignature);
});

test("RSA signs as printed, with a key in the form of PKCS#1", () => {
  const key = keyOf(rfc.rsaPem);
  expect(key.bits).toBe(1024);
  expect(publicRecord(key)).toBe(rfc.rsaRecord);
  const input = signedOctets(rfc.rsaUnsigned);
  expect(signOctets(key, input)).toBe(rfc.rsaSignature);
  expect(verify("sha256", input, key.key, Buffer.from(rfc.rsaSignature, "base64"))).toBe(true);
});
