import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { startSink, type Sink, type SinkOptions } from "../../src/sink/server.ts";

let sink: Sink | undefined;
afterEach(async () => {
  await sink?.stop();
  expect(sink?.openConnections()).toBe(0);
  sink = undefined;
});

const loopback = { host: "127.0.0.1", port: 0 };

async function started(options: Partial<SinkOptions> = {}): Promise<Sink> {
  sink = await startSink({ listen: loopback, ...options });
  return sink;
}

/**
 * Sends each text once what came before it has been answered as expected; gives all that the server
 * said.
 */
async function raw(port: number, steps: readonly (readonly [string, string])[]): Promise<string> {
  const socket: Socket = connect(port, "127.0.0.1");
  let heard = "";
  let wake = (): void => {};
  socket.on("data", (chunk) => {
    heard += chunk.toString();
    wake();
  });
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  for (const [awaited, text] of steps) {
    while (!heard.includes(awaited))
      await Promise.race([closed, new Promise<void>((resolve) => (wake = resolve))]);
    socket.write(text);
  }
  await closed;
  return heard;
}

test("a real client delivers over STARTTLS and the tally knows it by id", async () => {
  const { port, tally } = await started({ tls: "starttls" });
  const client = createTransport({ port, requireTLS: true, tls: { rejectUnauthorized: false } });
  await client.sendMail({
    from: "a@b.test",
    to: "ok@x.test",
    text: "hi",
    headers: { "X-Id": "9" },
  });
  client.close();
  expect(tally.summary()).toMatchObject({ messages: 1, recipients: 1, distinct: 1 });
  expect([...tally.counts()]).toEqual([["9 ok@x.test", 1]]);
});

test("a real client delivers over implicit TLS", async () => {
  const { port, tally } = await started({ tls: "implicit" });
  const client = createTransport({ port, secure: true, tls: { rejectUnauthorized: false } });
  await client.sendMail({ from: "a@b.test", to: "ok@x.test", text: "hi" });
  client.close();
  expect(tally.summary().messages).toBe(1);
});

test("the second port tells the counts and forgets them when asked", async () => {
  const { port, statsPort } = await started({ stats: loopback });
  const client = createTransport({ port });
  for (const id of ["1", "2", "2"])
    await client.sendMail({ from: "a@b", to: "ok@x", text: "hi", headers: { "X-Id": id } });
  client.close();
  const url = `http://127.0.0.1:${statsPort}`;
  expect(await (await fetch(`${url}/counts`)).text()).toBe("1 ok@x 1\n2 ok@x 2\n");
  expect(await (await fetch(`${url}/stats`)).json()).toMatchObject({ messages: 3, distinct: 2 });
  expect((await fetch(`${url}/other`)).status).toBe(404);
  expect(await (await fetch(`${url}/reset`, { method: "POST" })).json()).toMatchObject({
    messages: 0,
  });
});

test("a dump holds the message as written and its envelope", async () => {
  const dumpDir = mkdtempSync(join(tmpdir(), "sink-dump-"));
  const { port } = await started({ dumpDir });
  await raw(port, [
    ["220 ", "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<ok@x>\r\nDATA\r\n"],
    ["354 ", "X-Id: 1\r\n\r\n..dot\r\n.\r\nQUIT\r\n"],
  ]);
  expect(readdirSync(dumpDir).sort()).toEqual(["000001.eml", "000001.json"]);
  expect(readFileSync(join(dumpDir, "000001.eml"), "utf8")).toBe("X-Id: 1\r\n\r\n.dot\r\n");
  expect(JSON.parse(readFileSync(join(dumpDir, "000001.json"), "utf8"))).toMatchObject({
    from: "a@b",
    recipients: ["ok@x"],
  });
  rmSync(dumpDir, { recursive: true });
});

test("a delayed reply keeps its place before what was pipelined behind it", async () => {
  const { port } = await started({ delaysMs: { mail: 20 } });
  const heard = await raw(port, [["220 ", "HELO me\r\nMAIL FROM:<>\r\nNOOP\r\nQUIT\r\n"]]);
  expect(heard.split("\r\n").map((line) => line.slice(0, 9))).toEqual([
    "220 sink.",
    "250 sink.",
    "250 2.1.0",
    "250 2.0.0",
    "221 2.0.0",
    "",
  ]);
});

test("drop-after-dot counts the message and closes without a reply", async () => {
  const { port, tally } = await started();
  const heard = await raw(port, [
    ["220 ", "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<drop-after-dot@x>\r\nDATA\r\n"],
    ["354 ", "X-Id: 1\r\n\r\nx\r\n.\r\n"],
  ]);
  expect(heard).toEndWith("354 End with CR LF . CR LF\r\n");
  expect(tally.summary().messages).toBe(1);
});

test("a hanging client does not keep the server from stopping", async () => {
  const { port } = await started({ delaysMs: { "220": 3_600_000 } });
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve) => socket.on("connect", () => resolve()));
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  while (sink?.openConnections() === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  await sink?.stop();
  await closed;
});
