// The built-in inbox from the senders' side, through the sink's own dialogue: what is taken is written whole, bounded, and late rather
// than in the way.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Connection } from "../../src/deliver/connection.ts";
import { inboxId } from "../../src/mail/inbox.ts";
import { createBuiltinSink } from "../../src/roles/builtinSink.ts";
import { createInboxWriter, type InboxWriter } from "../../src/roles/inboxWriter.ts";
import { createSimClock, type SimClock } from "../sim/time.ts";

const START = Date.UTC(2026, 0, 1);

let folder: string;
let clock: SimClock;
let writer: InboxWriter;
let logged: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-inbox-"));
  clock = createSimClock(START);
  logged = [];
  writer = createWriter(10);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function createWriter(messagesMax: number, at = folder): InboxWriter {
  const own: Clock = clock.of(1);
  const log = (_level: string, event: string): void => void logged.push(event);
  return createInboxWriter({ folder: at, messagesMax, clock: own, random: seededRandom(7), log });
}

async function run(forMs = 1000): Promise<void> {
  const until = clock.monotonicMs() + forMs;
  while (clock.step(until));
}

/** A session with the sink; what it says is kept. */
async function session(
  inbox = writer,
): Promise<{ send(text: string): Promise<void>; said(): string; connection: Connection }> {
  const connect = createBuiltinSink({
    clock: clock.of(2),
    random: seededRandom(3),
    hostname: "sink.example",
    inbox,
  });
  const target = { host: "", address: "", port: 0, via: "sink", implicitTls: false } as const;
  const connection = await connect(target, 1000, new AbortController().signal);
  if (connection.kind !== "connected") throw new Error("the sink is always there");
  let said = "";
  connection.listen({
    data: (chunk) => void (said += Buffer.from(chunk).toString()),
    drained() {},
    closed() {},
  });
  await run();
  return {
    connection,
    said: () => said,
    async send(text) {
      connection.write(text.replaceAll("\n", "\r\n"));
      await run();
    },
  };
}

async function deliver(to: string, content: string, inbox = writer): Promise<string> {
  const { send, said } = await session(inbox);
  await send("EHLO me\n");
  await send(
    `MAIL FROM:<me@a.example>\n${to
      .split(" ")
      .map((one) => `RCPT TO:<${one}>\n`)
      .join("")}DATA\n`,
  );
  await send(`${content}\n.\n`);
  return said();
}

const files = (): string[] =>
  readdirSync(folder)
    .filter((name) => inboxId(name) !== undefined)
    .sort();

function kept(name: string): { facts: unknown; message: string } {
  const text = readFileSync(join(folder, name), "utf8");
  const end = text.indexOf("\n");
  return { facts: JSON.parse(text.slice(0, end)), message: text.slice(end + 1) };
}

test("a message is kept to the octet, with the envelope that it came under", async () => {
  await deliver("you@b.example bounced@c.example", "Subject: x\n\n..dot\nbody");
  const [name = ""] = files();
  expect(kept(name)).toMatchObject({
    facts: { from: "me@a.example", to: ["you@b.example", "bounced@c.example"] },
    message: "Subject: x\r\n\r\n.dot\r\nbody\r\n",
  });
});

test("names of scenarios mean something at postrider.test and nowhere else", async () => {
  expect(await deliver("bounced@postrider.test", "x")).toContain("550 5.1.1");
  expect(await deliver("spam@postrider.test", "Subject: x\n\nx")).toContain("550 5.7.1");
  expect(files()).toEqual([]);
  expect(await deliver("spam@b.example", "Subject: x\n\nx")).toContain("250 2.0.0 Taken");
  expect(files()).toHaveLength(1);
});

test("a large message goes to its file as it comes, and leaves none when it is refused", async () => {
  const line = `.${"x".repeat(900)}`;
  const lines = Array.from({ length: 2_000 }, () => `.${line}`).join("\n");
  await deliver("you@b.example", `Subject: large\n\n${lines}`);
  const [name = ""] = files();
  const { message } = kept(name);
  expect(message).toBe(`Subject: large\r\n\r\n${`${line}\r\n`.repeat(2_000)}`);
  await deliver("spam@postrider.test", `Subject: large\n\n${lines}`);
  expect(readdirSync(folder)).toEqual([name]);
});

test("a connection that breaks within a message leaves nothing", async () => {
  const { send, connection } = await session();
  await send("EHLO me\nMAIL FROM:<>\nRCPT TO:<you@b.example>\nDATA\n");
  await send("x".repeat(900_000));
  expect(readdirSync(folder)).toHaveLength(1);
  connection.close();
  expect(readdirSync(folder)).toEqual([]);
});

test("the oldest go first, and another daemon's files count", async () => {
  for (let i = 0; i < 8; i++) await deliver("you@b.example", `Subject: ${i}\n\nx`);
  const before = files();
  const next = createWriter(5);
  await deliver("you@b.example", "Subject: 8\n\nx", next);
  expect(files()).toHaveLength(5);
  expect(files().slice(0, 4)).toEqual(before.slice(-4));
  next.configure(2);
  await deliver("you@b.example", "Subject: 9\n\nx", next);
  expect(files().map((name) => kept(name).message.slice(0, 10))).toEqual([
    "Subject: 8",
    "Subject: 9",
  ]);
});

test("a burst is written a few at a time, and under more only the newest are kept", async () => {
  const taken = (i: number): void => {
    const draft = writer.draft({ from: "", recipients: ["you@b.example"] });
    draft.add(Buffer.from(`Subject: ${i}\r\n\r\n.\r\n`));
    draft.keep();
  };
  for (let i = 0; i < 25; i++) taken(i);
  expect(files()).toEqual([]);
  await run();
  const subjects = files().map((name) => kept(name).message.trim());
  expect(subjects).toEqual(Array.from({ length: 10 }, (_, i) => `Subject: ${i + 15}`));
});

test("what waits is written when the thread ends", async () => {
  const draft = writer.draft({ from: "", recipients: ["you@b.example"] });
  draft.add(Buffer.from("Subject: x\r\n\r\n.\r\n"));
  draft.keep();
  writer.close();
  expect(files()).toHaveLength(1);
});

test("with a limit of 0 nothing is kept and all is taken", async () => {
  const none = createWriter(0);
  expect(await deliver("you@b.example", "Subject: x\n\nx", none)).toContain("250 2.0.0 Taken");
  expect(readdirSync(folder)).toEqual([]);
});

test("a folder that cannot be written costs the inbox its message, and the delivery nothing", async () => {
  const lost = createWriter(5, join(folder, "missing"));
  expect(await deliver("you@b.example", "Subject: x\n\nx", lost)).toContain("250 2.0.0 Taken");
  expect(await deliver("you@b.example", "x".repeat(500) + "\n".repeat(900), lost)).toContain("250");
  const long = Array.from({ length: 900 }, () => "x".repeat(900)).join("\n");
  expect(await deliver("you@b.example", long, lost)).toContain("250 2.0.0 Taken");
  expect(logged).toEqual(["inbox.not_written"]);
});
