// DANE with real parts: the compiled daemon, zones signed by Knot, Unbound to validate them, and Postfix for the mail. No authority that
// anybody believes has a part in it.
import { afterAll, beforeAll, expect } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate, tlsaOf } from "../fixtures/certificates.ts";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { startDnssec, type DnssecZone } from "../fixtures/dnssec.ts";
import { hasRoot, startPostfix } from "../fixtures/postfix.ts";
import { peer } from "../peers.ts";
import { attemptTo, type Attempt } from "./attempt.ts";

const knotd = peer("knotd");
const kdig = peer("kdig");
const unbound = peer("unbound");
const peers = [knotd, kdig, unbound, peer(hasRoot() ? "postfix" : "postfix as root")];
const canRun = peers.every((one) => !one.missing);
const { test } = peers.find((one) => one.missing) ?? knotd;

const anchor = makeCertificate({ name: "Anchor", isAuthority: true });
const mail = makeCertificate({
  name: "mail",
  names: ["mx.anchored.dane.test", "mx.wrongname.test"],
  issuer: anchor,
});
const stranger = makeCertificate({ name: "stranger" });

type Record = ReturnType<typeof tlsaOf>;
const wireOf = ({ usage, selector, matchingType, data }: Record): string =>
  `TLSA ${usage} ${selector} ${matchingType} ${data}`;

/** A domain below a zone, its one host, and the host's TLSA records. */
function domain(name: string, port: number, ...tlsa: readonly Record[]): string[] {
  return [
    `${name} MX 10 mx.${name}`,
    `mx.${name} A 127.0.0.1`,
    ...tlsa.map((record) => `_${port}._tcp.mx.${name} ${wireOf(record)}`),
  ];
}

function zonesFor(port: number): DnssecZone[] {
  const key = tlsaOf(mail, 3, 1, 1);
  const foreign = tlsaOf(stranger, 3, 1, 1);
  const records = [
    ...domain("good", port, foreign, key),
    ...domain("whole", port, tlsaOf(mail, 3, 0, 0)),
    ...domain("anchored", port, tlsaOf(anchor, 2, 0, 1)),
    ...domain("misnamed", port, tlsaOf(anchor, 2, 0, 1)),
    ...domain("mismatched", port, foreign),
    ...domain("unusable", port, tlsaOf(mail, 1, 1, 1), tlsaOf(mail, 3, 1, 1 + 2)),
    ...domain("none", port),
    ...domain("bogus", port),
    // Its TLSA records lie in a zone whose key is not the one that is promised here: validation fails there and only there.
    "_tcp.mx.bogus NS ns",
    `_tcp.mx.bogus DS 4711 13 2 ${"ab".repeat(32)}`,
    "alias MX 10 mx.alias",
    "mx.alias CNAME mx.good",
    // The second host has no records, and the first cannot be trusted.
    "mixed MX 10 mx.bogus",
    "mixed MX 20 mx.none",
  ];
  return [
    { name: "dane.test", isSigned: true, records },
    {
      name: "_tcp.mx.bogus.dane.test",
      isSigned: true,
      isBelow: true,
      records: [`_${port} ${wireOf(key)}`],
    },
    { name: "plain.test", isSigned: false, records: domain("insecure", port, foreign) },
  ];
}

let daemon: Daemon;
/** How to end what was started, also when what followed did not start. */
const started: (() => Promise<void>)[] = [];

beforeAll(async () => {
  if (!canRun) return;
  const folder = mkdtempSync(join(tmpdir(), "postrider-dane-"));
  // Postfix's daemons give up root and must still reach their queue.
  chmodSync(folder, 0o755);
  started.push(async () => rmSync(folder, { recursive: true, force: true }));
  const sub = (name: string): string => {
    mkdirSync(join(folder, name));
    return join(folder, name);
  };
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const postfix = await startPostfix({
    folder: sub("postfix"),
    settings: {
      smtpd_tls_security_level: "may",
      smtpd_tls_cert_file: file("mail.cert", mail.cert + anchor.cert),
      smtpd_tls_key_file: file("mail.key", mail.key),
    },
  });
  started.push(postfix.stop);
  const programs = { knotd: knotd.path, kdig: kdig.path, unbound: unbound.path };
  const dns = await startDnssec(programs, sub("dns"), zonesFor(postfix.port));
  started.push(dns.stop);
  daemon = await startDaemon({
    dataDir: sub("data"),
    flags: [
      ...["--dns-servers", dns.address],
      ...["--smtp-port", String(postfix.port)],
      ...["--deny-destinations", "none"],
      ...["--hostname", "sender.test"],
    ],
  });
  started.push(async () => void (await daemon.stop()));
}, 60_000);

afterAll(async () => {
  for (const stop of started.reverse()) await stop();
}, 60_000);

const attempt = (name: string): Promise<Attempt> => attemptTo(daemon, `to@${name}`);

test("records that match carry the mail, whatever the authorities say", async () => {
  for (const name of ["good", "whole", "anchored", "alias"])
    expect(await attempt(`${name}.dane.test`)).toMatchObject({
      outcome: "delivered",
      tls: { policy: "dane", verified: true, unproven: null },
    });
});

test("records that do not match, or an anchored name that is another's, keep the mail", async () => {
  for (const [name, why] of [
    ["mismatched", "no TLSA record matches the certificate"],
    ["misnamed", "names none of mx.misnamed.dane.test"],
  ] as const) {
    const { outcome, phase, text, class: trouble } = await attempt(`${name}.dane.test`);
    expect([outcome, phase, trouble]).toEqual(["delivery_delayed", "tls", "tls"]);
    expect(text).toContain(why);
  }
});

test("records that cannot be used ask for encryption and nothing else", async () => {
  expect(await attempt("unusable.dane.test")).toMatchObject({
    outcome: "delivered",
    tls: { policy: "dane", verified: false },
  });
});

test("records that fail validation keep the mail from their host, and from no other", async () => {
  const { outcome, phase, text, class: trouble } = await attempt("bogus.dane.test");
  expect([outcome, phase, trouble]).toEqual(["delivery_delayed", "route", "tls"]);
  expect(text).toContain("its TLSA records cannot be had");
  expect(await attempt("mixed.dane.test")).toMatchObject({
    outcome: "delivered",
    host: "mx.none.dane.test",
    tls: { policy: "opportunistic" },
  });
});

test("what DNSSEC does not secure is not asked for, and holds nothing back", async () => {
  for (const name of ["insecure.plain.test", "none.dane.test"])
    expect(await attempt(name)).toMatchObject({
      outcome: "delivered",
      tls: { policy: "opportunistic", verified: false },
    });
});
