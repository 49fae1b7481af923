// `Idempotency-Key` through the real daemon: a lost answer, a SIGKILL, a restart, and many at once.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSink, type Sink } from "../../src/sink/server.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

let dataDir: string;
let sink: Sink;
let daemon: Daemon;
const taken: string[] = [];

const start = async (): Promise<void> => {
  const flags = ["--relay", `smtp://127.0.0.1:${sink.port}?tls=off`, "--hostname", "once.test"];
  daemon = await startDaemon({ dataDir, flags });
};

beforeEach(async () => {
  taken.length = 0;
  dataDir = mkdtempSync(join(tmpdir(), "postrider-once-"));
  sink = await startSink({
    listen: { host: "127.0.0.1", port: 0 },
    onTaken: ({ id }) => void taken.push(id),
  });
  await start();
});
afterEach(async () => {
  await daemon.stop();
  await sink.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const mail = { from: "a@once.test", to: "ok@remote.test", subject: "Once", text: "Once only." };
const idOf = (message: string): string => message.replace(/@.*$/, "");

const post = (body: unknown, key: string): Promise<Response> =>
  daemon.request("/send", {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify(body),
  });

/** Sends the request and hangs up: whatever the daemon answers, nobody hears it. */
async function sendUnheard(key: string): Promise<void> {
  const body = JSON.stringify(mail);
  const socket = connect(daemon.port, "127.0.0.1");
  const head = [
    "POST /send HTTP/1.1",
    `Host: 127.0.0.1:${daemon.port}`,
    `Authorization: Bearer ${daemon.key}`,
    "Content-Type: application/json",
    `Idempotency-Key: ${key}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.on("error", () => {});
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  await until("the message arrives", () => taken.length > 0);
  socket.destroy();
}

test("an answer that was lost with the process is given again, and the message is sent once", async () => {
  await sendUnheard("order-17");
  await daemon.process.stop("SIGKILL");
  await start();
  const again = await post(mail, '"order-17"');
  expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([202, "true"]);
  const { id, status } = (await again.json()) as { id: string; status: string };
  expect({ id, status }).toEqual({ id: idOf(taken[0] ?? ""), status: "queued" });
  await daemon.stop();
  await start();
  expect(((await (await post(mail, "order-17")).json()) as { id: string }).id).toBe(id);
  const other = await post({ ...mail, subject: "Another" }, "order-17");
  expect([other.status, ((await other.json()) as { name: string }).name]).toEqual([
    409,
    "invalid_idempotent_request",
  ]);
  // A message that may follow shows that nothing else was on its way.
  await post(mail, "order-18");
  await until("the second message arrives", () => new Set(taken).size === 2);
  expect(new Set(taken).size).toBe(2);
});

test("of many at once with one key one is stored, and the others hear so or are told to wait", async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => post(mail, "rush")));
  const said = await Promise.all(
    answers.map(async (one) => ({
      ...((await one.json()) as { id?: string; name?: string }),
      status: one.status,
    })),
  );
  const ids = new Set(said.filter((one) => one.status === 202).map((one) => one.id));
  expect(ids.size).toBe(1);
  for (const { status, name } of said)
    if (status !== 202) expect(name).toBe("concurrent_idempotent_requests");
  await until("it arrives", () => taken.length > 0);
  // What came later shows that nothing else was on its way.
  await post(mail, "later");
  await until("the next arrives", () => taken.length > 1);
  expect(taken.map(idOf)).toContain([...ids][0] as string);
  expect(taken).toHaveLength(2);
});
