// A self-signed certificate (RFC 5280) made at start, so that a test server can offer TLS without
// any file or program. Only the few DER pieces that such a certificate needs.
import { createHash, generateKeyPairSync, sign } from "node:crypto";

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  readonly hostname: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8_STRING = 0x0c;
const GENERALIZED_TIME = 0x18;
const VERSION_TAG = 0xa0;
const EXTENSIONS_TAG = 0xa3;
const DNS_NAME_TAG = 0x82;
const COMMON_NAME_OID = Buffer.from("0603550403", "hex");
const ALT_NAME_OID = Buffer.from("0603551d11", "hex");
const ECDSA_SHA256 = Buffer.from("300a06082a8648ce3d040302", "hex");
const SERIAL_BYTES = 8;

export function selfSigned({ hostname, notBefore, notAfter }: CertificateOptions): Certificate {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = pair.publicKey.export({ type: "spki", format: "der" });
  const serial = createHash("sha256").update(publicKey).digest().subarray(0, SERIAL_BYTES);
  // A positive number: the first bit is the sign.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, COMMON_NAME_OID, der(UTF8_STRING, Buffer.from(hostname)))),
  );
  const altName = der(SEQUENCE, der(DNS_NAME_TAG, Buffer.from(hostname)));
  const body = der(
    SEQUENCE,
    der(VERSION_TAG, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, serial),
    ECDSA_SHA256,
    name,
    der(SEQUENCE, time(notBefore), time(notAfter)),
    name,
    publicKey,
    der(EXTENSIONS_TAG, der(SEQUENCE, der(SEQUENCE, ALT_NAME_OID, der(OCTET_STRING, altName)))),
  );
  const signature = der(BIT_STRING, Buffer.from([0]), sign("sha256", body, pair.privateKey));
  return {
    cert: pem(der(SEQUENCE, body, ECDSA_SHA256, signature)),
    key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/\.\d+/, "").replace(/[-:T]/g, "");
  return der(GENERALIZED_TIME, Buffer.from(digits));
}

function pem(bytes: Buffer): string {
  // An empty line, which a length that 64 divides would leave, is no base64 to BoringSSL.
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
