// Bodies on their way: streamed from the spool, and never sent when they are not what was accepted.
import { expect, test } from "bun:test";
import { rigsOfEachTest } from "./rig.ts";

const start = rigsOfEachTest();

test("a damaged body is never sent, and said loudly", async () => {
  const loud: string[] = [];
  const { send, verdictsOf, servers } = await start({
    servers: [{}],
    log: (level, event) => void loud.push(`${level} ${event}`),
  });
  send({ sha256: "not-the-hash" });
  expect((await verdictsOf(1))[0]).toMatchObject({ kind: "deferred", class: "local" });
  expect(loud).toEqual(["error deliver.body_damaged"]);
  expect(servers[0]?.sessions[0]?.lines.some((line) => line.startsWith("MAIL"))).toBe(false);
});

test("a damaged body that was to follow on the same connection is said once, and holds up nobody", async () => {
  const loud: string[] = [];
  const { send, verdictsOf, servers } = await start({
    servers: [{}],
    log: (level, event) => void loud.push(`${level} ${event}`),
  });
  send();
  send();
  send({ sha256: "not-the-hash" });
  send();
  const verdicts = await verdictsOf(4);
  expect(verdicts.map(({ kind }) => kind).sort()).toEqual([
    "deferred",
    ...Array(3).fill("delivered"),
  ]);
  expect(loud).toEqual(["error deliver.body_damaged"]);
  expect(servers[0]?.sessions).toHaveLength(1);
});

test("a spooled body is streamed, and one that differs never gets its dot", async () => {
  const big = Buffer.alloc(300_006, "0123456789abcdef\r\n");
  const sha256 = new Bun.CryptoHasher("sha256").update(big).digest("base64url");
  async function* chunks(file: string): AsyncGenerator<Uint8Array> {
    await Promise.resolve();
    const bytes = file === "good" ? big : Buffer.concat([big.subarray(1), Buffer.from("x")]);
    for (let at = 0; at < bytes.length; at += 7_777) yield bytes.subarray(at, at + 7_777);
    if (file === "unreadable") throw new Error("EIO");
  }
  const {
    send,
    verdicts: come,
    verdictsOf,
    servers,
  } = await start({
    servers: [{}],
    spool: chunks,
  });
  for (const file of ["good", "bad", "unreadable"]) {
    send({ sizeBytes: big.length, sha256, body: { kind: "spool", file } }, { body: null });
    await verdictsOf(come.length);
  }
  const verdicts = await verdictsOf(3);
  expect(verdicts.map((one) => [one.kind, one.class])).toEqual([
    ["delivered", "none"],
    ["deferred", "local"],
    ["deferred", "local"],
  ]);
  expect(servers[0]?.messages().map((body) => body.length)).toEqual([big.length - 2]);
});
