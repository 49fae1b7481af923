// MTA-STS with real parts: the compiled daemon, a DNS server, nginx for the policies, Postfix for the mail, and an authority of our own.
import { afterAll, beforeAll, expect } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../fixtures/certificates.ts";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { startDnsmasq } from "../fixtures/dnsmasq.ts";
import { startNginx, type HttpsSite, type Nginx } from "../fixtures/nginx.ts";
import { hasRoot, startPostfix, type Postfix } from "../fixtures/postfix.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { attemptTo, type Attempt } from "./attempt.ts";

const peers = [peer("dnsmasq"), peer("nginx"), peer(hasRoot() ? "postfix" : "postfix as root")];
const canRun = peers.every((one) => !one.missing);
const { test } = peers.find((one) => one.missing) ?? peer("dnsmasq");

const DAY_MS = 86_400_000;
const root = makeCertificate({ name: "Laboratory", isAuthority: true });
const webOf = (domain: string, notAfter?: number) =>
  makeCertificate({
    name: "web",
    names: [`mta-sts.${domain}`],
    issuer: root,
    notBefore: Date.now() - 9 * DAY_MS,
    ...(notAfter === undefined ? {} : { notAfter }),
  });
const mail = makeCertificate({
  name: "mail",
  names: ["mx.enforce.test", "*.star.test", "mx.unlisted.test"],
  issuer: root,
});

const policy = (mode: string, mx: string): string =>
  `return 200 "version: STSv1\\nmode: ${mode}\\nmx: ${mx}\\nmax_age: 86400\\n";`;
const site = (domain: string, answer: string, notAfter?: number): HttpsSite => ({
  name: `mta-sts.${domain}`,
  certificate: webOf(domain, notAfter),
  answer,
});

const sites: readonly HttpsSite[] = [
  site("enforce.test", policy("enforce", "mx.enforce.test")),
  site("star.test", policy("enforce", "*.star.test")),
  site("unlisted.test", policy("enforce", "mx.other.test")),
  site("misnamed.test", policy("enforce", "mx.misnamed.test")),
  site("testing.test", policy("testing", "mx.testing.test")),
  site("none.test", policy("none", "mx.other.test")),
  site("redirect.test", "return 301 https://mta-sts.unlisted.test$request_uri;"),
  site("absent.test", "return 404;"),
  site("page.test", 'default_type text/html; return 200 "<p>hello</p>";'),
  site("expired.test", policy("enforce", "mx.other.test"), Date.now() - DAY_MS),
];
const domains = sites.map(({ name }) => name.replace("mta-sts.", ""));

let folder: string;
let dataDir: string;
let flags: readonly string[];
let postfix: Postfix;
let nginx: Nginx;
let daemon: Daemon;
/** How to end what was started, also when what followed did not start. */
const started: (() => Promise<void>)[] = [];

beforeAll(async () => {
  if (!canRun) return;
  folder = mkdtempSync(join(tmpdir(), "postrider-sts-"));
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
  const [dnsmasq, nginxPeer] = peers;
  const dns = await startDnsmasq(dnsmasq?.path ?? "", {
    mx: domains.map((domain) => [domain, `mx.${domain}`, 10] as const),
    hosts: domains.flatMap((domain) => [
      [`mx.${domain}`, "127.0.0.1"] as const,
      [`mta-sts.${domain}`, "127.0.0.1"] as const,
    ]),
    more: domains.map((domain) => `--txt-record=_mta-sts.${domain},v=STSv1; id=20261123`),
  });
  started.push(dns.stop);
  nginx = await startNginx(nginxPeer?.path ?? "", sub("nginx"), sites);
  started.push(() => nginx.stop());
  postfix = await startPostfix({
    folder: sub("postfix"),
    settings: {
      smtpd_tls_security_level: "may",
      smtpd_tls_cert_file: file("mail.cert", mail.cert),
      smtpd_tls_key_file: file("mail.key", mail.key),
    },
  });
  started.push(postfix.stop);
  flags = [
    ...["--dns-servers", dns.address],
    ...["--smtp-port", String(postfix.port)],
    ...["--mta-sts-port", String(nginx.port)],
    ...["--tls-ca-file", file("ca.pem", root.cert)],
    ...["--deny-destinations", "none"],
    ...["--hostname", "sender.test"],
  ];
  dataDir = sub("data");
  daemon = await startDaemon({ dataDir, flags });
  started.push(async () => void (await daemon.stop()));
}, 60_000);

afterAll(async () => {
  for (const stop of started.reverse()) await stop();
}, 60_000);

const attempt = (domain: string): Promise<Attempt> => attemptTo(daemon, `to@${domain}`);

test("an enforced policy carries mail to a listed host with a proven name", async () => {
  for (const domain of ["enforce.test", "star.test"])
    expect(await attempt(domain)).toMatchObject({
      outcome: "delivered",
      tls: { policy: "mta-sts", verified: true, unproven: null },
    });
});

test("an enforced policy keeps mail from a host that it does not list", async () => {
  const { outcome, text, class: trouble } = await attempt("unlisted.test");
  expect([outcome, trouble]).toEqual(["delivery_delayed", "tls"]);
  expect(text).toContain("not listed");
});

test("the policy and what it does to each host are explained, also where it leaves none", async () => {
  for (const [domain, mode, usable] of [
    ["enforce.test", "enforce", true],
    ["unlisted.test", "enforce", false],
    ["testing.test", "testing", true],
  ] as const) {
    const answer = await daemon.request(`/explain/${domain}`);
    expect(await answer.json()).toMatchObject({
      tls: {
        tls: "opportunistic",
        setting: "tls_policy",
        mta_sts: expect.stringContaining(mode),
        hosts: [{ host: `mx.${domain}`, usable }],
      },
    });
  }
});

test("an enforced policy keeps mail from a host whose certificate names another", async () => {
  const { outcome, phase, text, class: trouble } = await attempt("misnamed.test");
  expect([outcome, phase, trouble]).toEqual(["delivery_delayed", "tls", "tls"]);
  expect(text).toContain("does not name mx.misnamed.test");
});

test("a policy in testing delivers and tells what it would have refused", async () => {
  expect(await attempt("testing.test")).toMatchObject({
    outcome: "delivered",
    tls: { policy: "mta-sts-testing", verified: false },
  });
  await until("the log tells it", () => daemon.process.output().includes("sts.testing"));
});

test("without a policy that can be fetched, mail goes as if there were none", async () => {
  for (const domain of ["none.test", "redirect.test", "absent.test", "page.test", "expired.test"])
    expect(await attempt(domain)).toMatchObject({
      outcome: "delivered",
      tls: { policy: "opportunistic" },
    });
  for (const why of ["status 301", "status 404", "text/plain", "CERT_HAS_EXPIRED"])
    expect(daemon.process.output()).toContain(why);
});

test("a policy holds over a restart, also while nobody serves it any more", async () => {
  await daemon.stop();
  await nginx.stop();
  daemon = await startDaemon({ dataDir, flags });
  expect((await attempt("unlisted.test")).outcome).toBe("delivery_delayed");
  expect((await attempt("enforce.test")).tls).toMatchObject({ policy: "mta-sts" });
}, 60_000);
