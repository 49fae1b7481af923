// What Postfix makes of the extensions that we make use of: CHUNKING, SMTPUTF8, DSN, 8BITMIME. Its log counts the commands that it was given.
import { afterAll, beforeAll, expect } from "bun:test";
import { simpleParser } from "mailparser";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { hasRoot, startPostfix, type Postfix } from "../fixtures/postfix.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";

const postfixPeer = peer(hasRoot() ? "postfix" : "postfix as root");
const { test } = postfixPeer;

let postfix: Postfix;
/** The same without 8BITMIME, SMTPUTF8 and CHUNKING. */
let plain: Postfix;
let daemons: readonly Daemon[] = [];
const started: (() => Promise<void>)[] = [];

beforeAll(async () => {
  if (postfixPeer.missing) return;
  const folder = mkdtempSync(join(tmpdir(), "postrider-postfix-"));
  // Postfix's daemons give up root and must still reach their queue.
  chmodSync(folder, 0o755);
  started.push(async () => rmSync(folder, { recursive: true, force: true }));
  postfix = await startPostfix({ folder: mkdtempSync(join(folder, "a-")) });
  started.push(postfix.stop);
  const settings = {
    smtputf8_enable: "no",
    smtpd_discard_ehlo_keywords: "8bitmime, chunking, smtputf8, pipelining",
  };
  plain = await startPostfix({ folder: mkdtempSync(join(folder, "b-")), settings });
  started.push(plain.stop);
  const start = (peer: Postfix): Promise<Daemon> =>
    startDaemon({
      dataDir: mkdtempSync(join(folder, "data-")),
      flags: ["--relay", `smtp://127.0.0.1:${peer.port}?tls=off`, "--hostname", "sender.test"],
    });
  daemons = [await start(postfix), await start(plain)];
  for (const one of daemons) started.push(async () => void (await one.stop()));
}, 60_000);

afterAll(async () => {
  for (const stop of started.reverse()) await stop();
}, 60_000);

async function send(daemon: Daemon | undefined, body: object | Uint8Array, query = "") {
  const raw = body instanceof Uint8Array;
  const answer = await daemon?.request(`/send${query}`, {
    method: "POST",
    headers: { "content-type": raw ? "message/rfc822" : "application/json" },
    body: raw ? (body as Uint8Array<ArrayBuffer>) : JSON.stringify(body),
  });
  const text = await answer?.text();
  expect([answer?.status, text]).toEqual([202, text]);
  return (JSON.parse(text ?? "") as { id: string }).id;
}

async function stateOf(daemon: Daemon | undefined, id: string): Promise<string> {
  return until(`a final state of ${id}`, async () => {
    const shown = (await (await daemon?.request(`/emails/${id}`))?.json()) as {
      recipients: { state: string }[];
    };
    const state = shown.recipients[0]?.state ?? "";
    return /^(delivered|bounced|expired)$/.test(state) && state;
  });
}

const mailFor = (peer: Postfix, to: string): Promise<string> =>
  until(`mail for ${to}`, () =>
    peer.mail().find((text) => text.includes(`\nX-Original-To: ${to}\n`)),
  );

/** What a session was counted to have said. */
const counted = (peer: Postfix, words: RegExp): Promise<string> =>
  until(`a session with ${words}`, () =>
    peer
      .log()
      .split("\n")
      .find((line) => line.includes("disconnect from") && words.test(line)),
  );

const fields = { from: "a@sender.test", subject: "s", text: "t" };

test("a large message comes as one chunk, whole", async () => {
  const content = Buffer.alloc(400_000, "every octet counts ");
  const to = "chunk@peer.test";
  const id = await send(daemons[0], {
    ...fields,
    to,
    attachments: [{ filename: "x.bin", content: content.toString("base64") }],
  });
  expect(await stateOf(daemons[0], id)).toBe("delivered");
  const mail = await simpleParser(Buffer.from(await mailFor(postfix, to), "latin1"));
  expect(mail.attachments[0]?.content.equals(content)).toBe(true);
  await counted(postfix, /\bbdat=1\b/);
}, 30_000);

test("a local part that is not ASCII arrives as it was written", async () => {
  const id = await send(daemons[0], { ...fields, to: "用户@peer.test" });
  expect(await stateOf(daemons[0], id)).toBe("delivered");
  await until("the log of its delivery", () =>
    Buffer.from(postfix.log()).includes("用户@peer.test"),
  );
}, 30_000);

test("a sender that asks for a notice of success gets one, with its own name for the message", async () => {
  const dsn = { notify: ["success"], ret: "headers", envid: "order+17" };
  await send(daemons[0], { ...fields, to: "dsn+x@peer.test", dsn });
  const report = await mailFor(postfix, "a@sender.test");
  expect(report).toContain("Original-Envelope-Id: order+17");
  expect(report).toContain("Original-Recipient: rfc822;dsn+x@peer.test");
  expect(report).toContain("Action: delivered");
}, 30_000);

const eightBit = (to: string): Buffer =>
  Buffer.from(
    `From: a@sender.test\r\nTo: ${to}\r\nSubject: s\r\nMIME-Version: 1.0\r\n` +
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n",
  );

test("8-bit text stays as it is where it may, and reads the same where it may not", async () => {
  const sent = await Promise.all(daemons.map((one) => send(one, eightBit("eight@peer.test"))));
  for (const [i, id] of sent.entries()) expect(await stateOf(daemons[i], id)).toBe("delivered");
  const [kept = "", made = ""] = [
    await mailFor(postfix, "eight@peer.test"),
    await mailFor(plain, "eight@peer.test"),
  ];
  expect(kept).toContain("Content-Transfer-Encoding: 8bit");
  expect(made).toContain("Content-Transfer-Encoding: quoted-printable");
  expect(made).toContain("Gr=C3=BC=C3=9Fe");
  const texts = await Promise.all(
    [kept, made].map(async (text) => (await simpleParser(Buffer.from(text, "latin1"))).text),
  );
  expect(texts[1]).toBe(texts[0]);
}, 30_000);

test("a local part that is not ASCII bounces with 5.6.7 where nobody takes it", async () => {
  const id = await send(daemons[1], { ...fields, to: "用户@peer.test" });
  expect(await stateOf(daemons[1], id)).toBe("bounced");
  const events = await (await daemons[1]?.request(`/emails/${id}/events`))?.text();
  expect(events).toContain("5.6.7");
}, 30_000);
