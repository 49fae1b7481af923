// The SMTP listener of the real daemon, with clients that do what good ones do not, and a process that is killed.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startDaemon } from "../fixtures/daemon.ts";
import { freePort, listens } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { plainOf, type RawClient, rawClient, type SmtpRig, startSmtpRig } from "./smtpRig.ts";

let rig: SmtpRig;
beforeEach(async () => {
  rig = await startSmtpRig();
});
afterEach(() => rig.close());

const MAIL = "MAIL FROM:<ann@shop.example>\r\nRCPT TO:<bob@customer.example>\r\nDATA\r\n";
const HEADER = "From: ann@shop.example\r\nTo: bob@customer.example\r\nSubject: Hello\r\n";

/** Logged in, with three replies behind it. */
async function loggedIn(key = rig.daemon.key): Promise<RawClient> {
  const client = await rawClient(rig.smtpPort());
  await client.ask("EHLO test.example\r\n", 2);
  await client.ask(plainOf(key), 3);
  return client;
}

async function emails(): Promise<readonly { readonly id: string }[]> {
  const list = (await (await rig.daemon.request("/emails?limit=100")).json()) as {
    data: { id: string }[];
  };
  return list.data;
}

const spooled = (): string[] => {
  const [data] = readdirSync(rig.root).filter((name) => name.startsWith("data-"));
  return readdirSync(join(rig.root, data ?? "", "spool"));
};

async function makeKey(body: object): Promise<string> {
  const made = await rig.daemon.request("/api-keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "test", ...body }),
  });
  expect(made.status).toBe(201);
  return ((await made.json()) as { token: string }).token;
}

test("a message that was committed when the daemon was killed is there once, after its client has tried again", async () => {
  const message = `${HEADER}Idempotency-Key: order-17\r\n\r\nHello\r\n.\r\n`;
  const first = await loggedIn();
  await first.ask(MAIL, 6);
  // The client never hears the reply.
  first.socket.pause();
  first.say(message);
  const [stored] = await until("it is stored", async () => {
    const list = await emails();
    return list.length > 0 && list;
  });
  await rig.daemon.process.stop("SIGKILL");
  first.socket.destroy();
  await rig.restart();
  const again = await loggedIn();
  const told = await again.ask(`${MAIL}`, 6).then(() => again.ask(message, 7));
  expect(told).toContain(`250 2.0.0 Ok: queued as ${stored?.id}\r\n`);
  again.say("QUIT\r\n");
  expect((await emails()).map(({ id }) => id)).toEqual([stored?.id ?? ""]);
  // Another message under the same key is refused.
  const other = await loggedIn();
  await other.ask(MAIL, 6);
  expect(await other.ask(message.replace("Hello\r\n.", "Other\r\n."), 7)).toMatch(/^550 5\.6\.0 /m);
  other.socket.destroy();
});

test("a large message goes to the disk as it comes, and arrives to the octet", async () => {
  const client = await loggedIn();
  const body = `${"0123456789abcdef".repeat(4)}\r\n.dot\r\n`.repeat(40_000);
  await client.ask(MAIL, 6);
  const stuffed = body.replace(/^\./gm, "..");
  client.say(HEADER + `Date: x\r\nMessage-ID: <x@y>\r\n\r\n${stuffed.slice(0, 1_000_000)}`);
  await until("a part of it lies in the spool", () => spooled().length === 1);
  await client.ask(`${stuffed.slice(1_000_000)}.\r\n`, 7);
  expect(client.told()).toMatch(/^250 2\.0\.0 Ok: queued as /m);
  const { bytes } = await rig.next(0);
  const digest = (text: string | Buffer) => createHash("sha256").update(text).digest("hex");
  expect(digest(bytes)).toBe(digest(`${HEADER}Date: x\r\nMessage-ID: <x@y>\r\n\r\n${body}`));
  client.socket.destroy();
});

test("a message without From is its sender's, as programs that know only the envelope expect", async () => {
  const client = await loggedIn();
  const from = /MAIL FROM:<([^>]+)>/.exec(MAIL)?.[1] ?? "";
  await client.ask(MAIL, 6);
  await client.ask("Subject: alarm\r\n\r\nThe disk is full.\r\n.\r\n", 7);
  const { bytes } = await rig.next(0);
  expect(bytes.toString()).toContain(`Subject: alarm\r\n`);
  expect(bytes.toString()).toContain(`\r\nFrom: ${from}\r\n`);
  await client.ask(MAIL.replace(from, ""), 10);
  const told = await client.ask("Subject: alarm\r\n\r\nThe disk is full.\r\n.\r\n", 11);
  expect(told).toMatch(/^550 5\.6\.0 The message has no From field/m);
  client.socket.destroy();
});

test("a client that vanishes within a large message leaves nothing", async () => {
  const client = await loggedIn();
  await client.ask(MAIL, 6);
  client.say(`${HEADER}\r\n${`${"x".repeat(70)}\r\n`.repeat(10_000)}`);
  await until("a part of it lies in the spool", () => spooled().length === 1);
  client.socket.destroy();
  await until("it is gone", () => spooled().length === 0);
  expect(await emails()).toEqual([]);
});

test("what is smuggled behind a wrong end is not taken, and what is said of it names the rule", async () => {
  const client = await loggedIn();
  await client.ask(MAIL, 6);
  const told = await client.ask(`${HEADER}\r\nHello\n.\n${MAIL}${HEADER}\r\nevil\r\n.\r\n`, 7);
  expect(told).toMatch(/^550 5\.6\.0 .*RFC 5321 2\.3\.8/m);
  await until("the connection ends", client.closed);
  expect(client.told().match(/^\d{3} /gm)?.length).toBe(7);
  expect(await emails()).toEqual([]);
});

test("the end of the daemon lets a message end first, and tells the idle to come again", async () => {
  const [busy, idle] = [await loggedIn(), await loggedIn()];
  await busy.ask(MAIL, 6);
  busy.say(`${HEADER}\r\nHello`);
  const ended = rig.daemon.stop();
  await until("the idle one is told", () => idle.told().includes("421 4.3.2"));
  const told = await busy.ask("\r\n.\r\n", 8);
  expect(told).toMatch(/^250 2\.0\.0 Ok: queued as .*\r\n421 4\.3\.2 /m);
  expect(await ended).toBe(0);
  await rig.restart();
  expect(await until("it is there", async () => (await emails())[0])).toMatchObject({});
});

describe("keys:", () => {
  test("one that may not send is not let in", async () => {
    const client = await rawClient(rig.smtpPort());
    await client.ask("EHLO me\r\n", 2);
    expect(await client.ask(plainOf(await makeKey({ scopes: ["read"] })), 3)).toContain(
      "535 5.7.8",
    );
    client.socket.destroy();
  });

  test("one that is for other domains is refused at MAIL and by the From field", async () => {
    const client = await loggedIn(await makeKey({ scopes: ["send"], domains: ["shop.example"] }));
    await client.ask("MAIL FROM:<a@other.example>\r\n", 4);
    expect(client.told()).toMatch(/^550 5\.7\.1 .*other\.example/m);
    await client.ask(MAIL, 7);
    await client.ask(`${HEADER.replace("ann@shop", "ann@other")}\r\nHello\r\n.\r\n`, 8);
    expect(client.told().match(/^550 5\.7\.1 /gm)?.length).toBe(2);
    // As nobody, but for its own domain.
    await client.ask(MAIL.replace("ann@shop.example", ""), 11);
    await client.ask(`${HEADER}\r\nHello\r\n.\r\n`, 12);
    expect(client.told()).toMatch(/^250 2\.0\.0 Ok: queued as /m);
    client.socket.destroy();
  });

  test("one that sends too fast, or too much in a day, is told to wait", async () => {
    const key = await makeKey({ scopes: ["send"], rate: "1/h", burst: 3, daily_quota: 1 });
    const client = await loggedIn(key);
    await client.ask(MAIL, 6);
    await client.ask(`${HEADER}\r\nHello\r\n.\r\n`, 7);
    await client.ask(MAIL, 10);
    await client.ask(`${HEADER}\r\nHello\r\n.\r\n`, 11);
    expect(client.told()).toMatch(/^450 4\.7\.1 .*daily_quota/m);
    await client.ask(
      "MAIL FROM:<ann@shop.example>\r\nRSET\r\nMAIL FROM:<ann@shop.example>\r\n",
      14,
    );
    expect(client.told()).toMatch(/^450 4\.7\.1 .*key_rate/m);
    client.socket.destroy();
  });

  test("one that is revoked sends no more, though its session goes on", async () => {
    const client = await loggedIn(await makeKey({ scopes: ["send"] }));
    await client.ask(MAIL, 6);
    await client.ask(`${HEADER}\r\nHello\r\n.\r\n`, 7);
    const list = (await (await rig.daemon.request("/api-keys")).json()) as {
      data: { id: string }[];
    };
    await rig.daemon.request(`/api-keys/${list.data[0]?.id}`, { method: "DELETE" });
    await client.ask("MAIL FROM:<ann@shop.example>\r\n", 8);
    expect(client.told()).toMatch(/^535 5\.7\.8 /m);
    client.socket.destroy();
  });

  test("one that is revoked while its message comes does not send it", async () => {
    const client = await loggedIn(await makeKey({ scopes: ["send"] }));
    await client.ask(MAIL, 6);
    client.say(HEADER);
    const list = (await (await rig.daemon.request("/api-keys")).json()) as {
      data: { id: string }[];
    };
    await rig.daemon.request(`/api-keys/${list.data[0]?.id}`, { method: "DELETE" });
    await client.ask("\r\nHello\r\n.\r\n", 7);
    expect(client.told()).toMatch(/^535 5\.7\.8 /m);
    client.socket.destroy();
  });

  test("who guesses is told to go, and the others are not", async () => {
    for (let i = 0; i < 8; i++) {
      const client = await rawClient(rig.smtpPort());
      await client.ask("EHLO me\r\n", 2);
      client.say(plainOf("wrong").repeat(3));
      await until("it ends", client.closed);
      expect(client.told()).toContain("421 4.7.0");
    }
    expect((await loggedIn()).told()).toContain("235 2.7.0");
  });
});

test("a message that is taken is warned of like any other", async () => {
  const client = await loggedIn();
  await client.ask(MAIL, 6);
  await client.ask(`${HEADER}\r\nHello\r\n.\r\n`, 7);
  const id = /queued as ([-0-9a-f]{36})/.exec(client.told())?.[1];
  const events = await until("its event tells", async () => {
    const text = await (await rig.daemon.request(`/emails/${id}/events`)).text();
    return text.includes("email.sent") && text;
  });
  expect(events).toContain("from_not_aligned");
  client.socket.destroy();
});

test("what is taken and refused is counted by its reason", async () => {
  const client = await loggedIn();
  await client.ask(MAIL, 6);
  await client.ask(`${HEADER}\r\nHello\r\n.\r\n`, 7);
  await client.ask(`${MAIL}`, 10);
  await client.ask("No header\r\n\r\nHello\r\n.\r\n", 11);
  expect(client.told()).toMatch(/^550 5\.6\.0 /m);
  const page = await until("the metrics tell it", async () => {
    const text = await (await rig.daemon.request("/metrics")).text();
    return text.includes('postrider_messages_accepted_total{door="smtp"} 1') && text;
  });
  expect(page).toContain('postrider_rejected_total{reason="validation_error"} 1');
  client.socket.destroy();
});

test("a reload opens and closes the listener, also with other limits, and keeps it when a setting is wrong", async () => {
  const config = join(rig.root, "postrider.toml");
  const settings = (port: number, more = ""): void =>
    writeFileSync(config, `smtp_listen = "127.0.0.1:${port}"\nmax_message_bytes = "2MB"\n${more}`);
  const [first, second] = [await freePort(), await freePort()];
  settings(first);
  const dataDir = mkdtempSync(join(rig.root, "other-"));
  const daemon = await startDaemon({ dataDir, flags: ["--config", config, "--capture", "true"] });
  const reload = (): Promise<Response> => daemon.request("/reload", { method: "POST" });
  try {
    const idle = await rawClient(first);
    expect(await idle.ask("EHLO me\r\n", 2)).toContain("250-SIZE 2000000");
    settings(second);
    expect((await reload()).status).toBe(200);
    await until("the idle one is told to go", () => idle.told().includes("421 4.3.2"));
    expect(await listens(first)).toBe(false);
    (await rawClient(second)).socket.destroy();
    settings(daemon.port);
    expect((await reload()).status).toBe(409);
    (await rawClient(second)).socket.destroy();
    writeFileSync(config, "");
    expect((await reload()).status).toBe(200);
    expect(await listens(second)).toBe(false);
  } finally {
    expect(await daemon.stop()).toBe(0);
  }
});
