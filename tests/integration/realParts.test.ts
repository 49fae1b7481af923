// Real input through real parts: the compiled daemon, a real DNS server, a real receiving server,
// and a parser that we did not write.
import { afterAll, beforeAll, expect } from "bun:test";
import { encode } from "cbor-x";
import { simpleParser, type ParsedMail } from "mailparser";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import MailComposer from "nodemailer/lib/mail-composer";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { startDnsmasq, type Dnsmasq } from "../fixtures/dnsmasq.ts";
import { hasRoot, startPostfix, type Postfix } from "../fixtures/postfix.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { fromField, samples, type Sample } from "./messages.ts";

const dnsmasq = peer("dnsmasq");
// Postfix changes its user.
const postfixPeer = peer(hasRoot() ? "postfix" : "postfix as root");
const { test } = dnsmasq.missing ? dnsmasq : postfixPeer;
const canRun = !dnsmasq.missing && !postfixPeer.missing;

const zone = {
  mx: [
    ["plain.test", "mx1.plain.test", 10],
    ["pref.test", "dead.pref.test", 10],
    ["pref.test", "live.pref.test", 20],
    ["null.test", ".", 0],
    ["dual.test", "mx.dual.test", 5],
  ],
  hosts: [
    ["mx1.plain.test", "127.0.0.1"],
    // Nothing listens there.
    ["dead.pref.test", "127.0.0.99"],
    ["live.pref.test", "127.0.0.1"],
    ["mx.dual.test", "127.0.0.1", "::1"],
    ["implicit.test", "127.0.0.1"],
  ],
} as const;

let folder: string;
let dns: Dnsmasq;
let postfix: Postfix;
let daemon: Daemon;
/** How to end what was started, also when what followed did not start. */
const started: (() => Promise<void>)[] = [];

beforeAll(async () => {
  if (!canRun) return;
  folder = mkdtempSync(join(tmpdir(), "postrider-real-"));
  // Postfix's daemons give up root and must still reach their queue.
  chmodSync(folder, 0o755);
  started.push(async () => rmSync(folder, { recursive: true, force: true }));
  dns = await startDnsmasq(dnsmasq.path, zone);
  started.push(dns.stop);
  const queue = mkdtempSync(join(folder, "postfix-"));
  postfix = await startPostfix({ folder: queue });
  started.push(postfix.stop);
  daemon = await startDaemon({
    dataDir: mkdtempSync(join(folder, "data-")),
    flags: [
      "--dns-servers",
      dns.address,
      "--smtp-port",
      String(postfix.port),
      "--deny-destinations",
      "none",
      "--hostname",
      "sender.test",
    ],
  });
  started.push(async () => expect(await daemon.stop()).toBe(0));
}, 60_000);

afterAll(async () => {
  for (const stop of started.reverse()) await stop();
}, 60_000);

type Form = "json" | "cbor" | "raw";
type Body = string | Uint8Array<ArrayBuffer>;

async function bodyOf(form: Form, sample: Sample, to: string): Promise<[string, Body]> {
  if (form === "raw") {
    const mail = new MailComposer({
      from: sample.from,
      to,
      subject: sample.subject,
      text: sample.text,
      ...(sample.html === undefined ? {} : { html: sample.html }),
      attachments: (sample.attachments ?? []).map((one) => ({
        ...one,
        content: Buffer.from(one.content),
      })),
    });
    return ["message/rfc822", new Uint8Array(await mail.compile().build())];
  }
  const fields = {
    from: fromField(sample.from),
    to: [to],
    subject: sample.subject,
    text: sample.text,
    ...(sample.html === undefined ? {} : { html: sample.html }),
    ...(sample.attachments === undefined
      ? {}
      : {
          attachments: sample.attachments.map(({ filename, contentType, content }) => ({
            filename,
            content_type: contentType,
            content:
              form === "cbor" ? new Uint8Array(content) : Buffer.from(content).toString("base64"),
          })),
        }),
  };
  return form === "json"
    ? ["application/json", JSON.stringify(fields)]
    : ["application/cbor", new Uint8Array(encode(fields))];
}

async function submit(type: string, body: Body): Promise<string> {
  const headers = { "content-type": type, accept: "application/json" };
  const answer = await daemon.request("/send", { method: "POST", headers, body });
  const text = await answer.text();
  expect([answer.status, text]).toEqual([202, text]);
  return (JSON.parse(text) as { id: string }).id;
}

interface Shown {
  readonly recipients: readonly { readonly address: string; readonly state: string }[];
}

async function finalState(id: string): Promise<string> {
  return until(`a final state of ${id}`, async () => {
    const shown = (await (await daemon.request(`/emails/${id}`)).json()) as Shown;
    const state = shown.recipients[0]?.state;
    return state !== undefined && /^(delivered|bounced|expired)$/.test(state) && state;
  });
}

async function timelineOf(id: string): Promise<string> {
  return (await daemon.request(`/emails/${id}/events`)).text();
}

async function arrived(to: string): Promise<ParsedMail> {
  const source = await until(`mail for ${to}`, () =>
    postfix.mail().find((text) => text.includes(`\nX-Original-To: ${to}\n`)),
  );
  return simpleParser(Buffer.from(source, "latin1"));
}

/** A text part ends in one line end, whatever its author wrote. */
const trimmed = (text: string | undefined): string =>
  (text ?? "").replace(/\r?\n/g, "\n").trimEnd();

for (const form of ["json", "cbor", "raw"] as const) {
  for (const [i, sample] of samples.entries()) {
    test(`${sample.name} sent as ${form} arrives as it was sent`, async () => {
      const to = `box${i}-${form}@plain.test`;
      const id = await submit(...(await bodyOf(form, sample, to)));
      const mail = await arrived(to);
      expect(mail.subject).toBe(sample.subject);
      expect(mail.from?.value[0]).toMatchObject(sample.from);
      expect(trimmed(mail.text)).toBe(trimmed(sample.text));
      if (sample.html !== undefined) expect(trimmed(mail.html || "")).toBe(trimmed(sample.html));
      const wanted = sample.attachments ?? [];
      expect(mail.attachments.map((one) => one.filename)).toEqual(
        wanted.map((one) => one.filename),
      );
      for (const [n, { content, contentType }] of wanted.entries()) {
        expect(mail.attachments[n]?.contentType).toBe(contentType);
        expect(Buffer.compare(mail.attachments[n]?.content ?? Buffer.of(1), content)).toBe(0);
      }
      expect(await finalState(id)).toBe("delivered");
    });
  }
}

const short = (to: string): [string, string] => [
  "application/json",
  JSON.stringify({ from: "a@sender.test", to, subject: "s", text: "t" }),
];

test("a dead first MX falls to the second in one attempt", async () => {
  const id = await submit(...short("x@pref.test"));
  await arrived("x@pref.test");
  expect(await finalState(id)).toBe("delivered");
  const events = await timelineOf(id);
  expect(events).toContain("live.pref.test");
  expect(events).not.toContain("delivery_delayed");
});

test("a domain with an address and no MX is its own host", async () => {
  const id = await submit(...short("x@implicit.test"));
  await arrived("x@implicit.test");
  expect(await finalState(id)).toBe("delivered");
});

test("a host that refuses on IPv6 takes the mail on IPv4", async () => {
  const id = await submit(...short("x@dual.test"));
  await arrived("x@dual.test");
  expect(await finalState(id)).toBe("delivered");
});

test("a null MX bounces at once with 5.1.10", async () => {
  const id = await submit(...short("x@null.test"));
  expect(await finalState(id)).toBe("bounced");
  expect(await timelineOf(id)).toContain("5.1.10");
});

test("a domain that does not exist bounces with 5.1.2", async () => {
  const id = await submit(...short("x@nowhere.test"));
  expect(await finalState(id)).toBe("bounced");
  expect(await timelineOf(id)).toContain("5.1.2");
});
