// `postrider send` with files, and how it waits: what goes over the wire, and what its exit code says.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formPieces, uploadOf } from "../../src/commands/uploads.ts";
import { createBox, fakeDaemon } from "./setup.ts";

const ID = "0199aa00-0000-7000-8000-000000000000";
const ARGS = ["--from", "me@example.com", "--to", "you@example.com", "--subject", "Hello"];

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "postrider-send-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const accepted = { status: 202, body: { id: ID, status: "queued" } };

test("files travel as a form, to the octet and under their own names", async () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7) & 255);
  const [odd, page] = [join(folder, "a b é.bin"), join(folder, "page.html")];
  writeFileSync(odd, bytes);
  writeFileSync(page, "<p>");
  let form: Awaited<ReturnType<Request["formData"]>> | undefined;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      form = await request.formData();
      return Response.json(accepted.body, { status: 202 });
    },
  });
  try {
    const at = ["--url", server.url.origin, "--api-key", "k"];
    const files = ["--attach", odd, "--attach", page];
    const ran = await createBox().run(["send", ...ARGS, "--text", "é", ...files, ...at]);
    expect(ran).toMatchObject({ code: 0, err: "" });
  } finally {
    await server.stop(true);
  }
  expect([form?.get("from"), form?.get("text")]).toEqual(["me@example.com", "é"]);
  const [first, second] = (form?.getAll("attachments") ?? []) as File[];
  expect([first?.name, second?.name]).toEqual(["a b é.bin", "page.html"]);
  expect(second?.type).toStartWith("text/html");
  expect(new Uint8Array((await first?.arrayBuffer()) as ArrayBuffer)).toEqual(bytes);
});

test("a name that holds a quotation mark ends no part of the form", () => {
  const path = join(folder, 'a "b"\r\nX: y');
  writeFileSync(path, "octets");
  const pieces = [...formPieces({ fields: [], files: [uploadOf(path)], boundary: "b" })];
  const [head] = Buffer.concat(pieces).toString().split("\r\n\r\n");
  expect(head?.split("\r\n")).toEqual([
    "--b",
    'Content-Disposition: form-data; name="attachments"; filename="a \\"b\\"%0D%0AX: y"',
    "Content-Type: application/octet-stream",
  ]);
});

test("a file that is missing is told before anything is sent", async () => {
  await using daemon = fakeDaemon(() => accepted);
  const at = ["--data-dir", daemon.dataDir];
  for (const option of ["--attach", "--file"]) {
    const rest = option === "--file" ? ["--to", "a@b.example"] : ARGS;
    const ran = await createBox().run(["send", ...rest, option, join(folder, "none"), ...at]);
    expect([ran.code, ran.err]).toEqual([1, `${join(folder, "none")} is not there\n`]);
  }
  expect(daemon.seen).toEqual([]);
});

test("a whole message comes from its file as it is, with our own option on top", async () => {
  await using daemon = fakeDaemon(() => accepted);
  const file = join(folder, "message.eml");
  writeFileSync(file, "Subject: x\r\n\r\nbody\r\n");
  const args = ["send", "--file", file, "--priority", "p0", "--data-dir", daemon.dataDir];
  expect((await createBox().run(args)).code).toBe(0);
  expect(daemon.seen[0]).toMatchObject({
    path: "/send",
    type: "message/rfc822",
    body: "X-Postrider-Priority: p0\r\nSubject: x\r\n\r\nbody\r\n",
  });
});

test("one who may only send learns the end from the answer itself", async () => {
  const recipients = [{ address: "you@example.com", status: "bounced", last: "550 no" }];
  await using daemon = fakeDaemon(({ method }) =>
    method === "POST"
      ? { body: { id: ID, status: "bounced", recipients } }
      : { status: 401, body: {} },
  );
  const args = ["send", ...ARGS, "--text", "x", "--wait", "5s", "--data-dir", daemon.dataDir];
  const ran = await createBox().run(args);
  expect(ran.code).toBe(1);
  expect(ran.out).toMatch(/you@example.com +bounced +550 no/);
  expect(daemon.seen).toHaveLength(1);
});

test("and when it does not come in time, it says that it is not known", async () => {
  await using daemon = fakeDaemon(({ method }) =>
    method === "POST" ? accepted : { status: 401, body: {} },
  );
  const args = ["send", ...ARGS, "--text", "x", "--wait", "5s", "--data-dir", daemon.dataDir];
  expect((await createBox().run(args)).code).toBe(75);
});

test("what the daemon warns of is told beside the answer", async () => {
  const warnings = [{ code: "from_not_aligned", detail: "No key signs here." }];
  await using daemon = fakeDaemon(() => ({ status: 202, body: { ...accepted.body, warnings } }));
  const args = ["send", ...ARGS, "--text", "x", "--data-dir", daemon.dataDir];
  expect(await createBox().run(args)).toEqual({
    code: 0,
    out: `${ID} queued\n`,
    err: "warning: No key signs here.\n",
  });
});

test("the sockets of the runtime folder are tried where the data folder has none that answers", async () => {
  await using daemon = fakeDaemon(() => accepted);
  const env = { POSTRIDER_DATA_DIR: folder, POSTRIDER_RUNTIME_DIR: daemon.dataDir };
  // A file that a dead daemon left is no daemon.
  writeFileSync(join(folder, "control.sock"), "");
  expect((await createBox(env).run(["send", ...ARGS, "--text", "x"])).code).toBe(0);
  // Whoever names a folder means its daemon and no other.
  const named = await createBox(env).run(["send", ...ARGS, "--text", "x", "--data-dir", folder]);
  expect(named.code).toBe(69);
});

test("text that is no UTF-8 is refused, and not sent with marks in place of its letters", async () => {
  await using daemon = fakeDaemon(() => accepted);
  const box = createBox({ POSTRIDER_DATA_DIR: daemon.dataDir });
  const send = (bytes: Uint8Array) =>
    box.run(["send", ...ARGS, "--text", "-"], { readStdin: () => Promise.resolve(bytes) });
  expect((await send(Buffer.from("Gr\xfc\xdfe", "latin1"))).code).toBe(64);
  expect((await send(Buffer.from("Grüße"))).code).toBe(0);
  expect(daemon.seen.map(({ body }) => (JSON.parse(body) as { text: string }).text)).toEqual([
    "Grüße",
  ]);
});

test("a daemon that goes away while it is asked is asked again under the same key, and the message is sent once", async () => {
  const keys: unknown[] = [];
  let looks = 0;
  const server = createServer((request, response) => {
    const isFirst = request.method === "GET" ? looks++ === 0 : keys.length === 0;
    if (request.method === "POST") keys.push(request.headers["idempotency-key"]);
    if (isFirst) return void request.socket.destroy();
    const recipients = [{ address: "you@example.com", state: "delivered", last: "250 ok" }];
    const answer = request.method === "GET" ? { recipients } : accepted.body;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const args = ["send", ...ARGS, "--text", "x", "--url", `http://127.0.0.1:${port}`];
  const ran = await createBox().run([...args, "--api-key", "k", "--wait", "5s"]);
  expect(ran).toMatchObject({ code: 0, err: "" });
  expect(looks).toBe(2);
  expect(keys).toEqual([expect.stringMatching(/^sendmail-[0-9a-f]{12}-[0-9a-f]{32}-0$/), keys[0]]);
  // Where nobody is from the start, nothing is waited for.
  await new Promise((resolve) => server.close(resolve));
  expect((await createBox().run([...args, "--api-key", "k", "--wait", "5s"])).code).toBe(69);
});
