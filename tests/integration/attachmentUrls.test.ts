// Attachments by URL through the compiled binary: off unless the settings say otherwise, and never from where only this host can reach.
import { afterAll, expect, test } from "bun:test";
import { createServer } from "node:net";
import { startDaemon } from "../fixtures/daemon.ts";
import { createEnds, letter, newFolder, type Problem, post } from "./faultsRig.ts";

const ends = createEnds();
afterAll(() => ends.run());

async function start(...flags: string[]) {
  const dataDir = newFolder(ends);
  const daemon = await startDaemon({ dataDir, flags: ["--hostname", "sender.test", ...flags] });
  ends.add(async () => expect(await daemon.stop()).toBe(0));
  return async (path: string): Promise<Problem> => {
    const body = letter("delivered@postrider.test", { attachments: [{ path }] });
    return (await (await post(daemon, body)).json()) as Problem;
  };
}

test("they are refused until the settings allow them", async () => {
  const send = await start();
  const { status, name, errors } = await send("https://example.com/a.pdf");
  expect([status, name]).toEqual([422, "unsupported_field"]);
  expect(errors).toMatchObject([{ pointer: "/attachments/0/path" }]);
});

test("no address of this host or its network is connected to", async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.add(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as { port: number };
  const send = await start("--attachment-urls", "on");
  for (const host of ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "0"]) {
    const { status, name, errors } = await send(`https://${host}:${port}/a.pdf`);
    expect([host, status, name]).toEqual([host, 422, "invalid_attachment"]);
    expect(errors).toMatchObject([{ pointer: "/attachments/0/path" }]);
  }
  const metadata = await send("https://169.254.169.254/latest/meta-data");
  expect(metadata.detail).toContain("not open to requests from here");
  expect(connections).toBe(0);
});

test("only from the hosts that the settings name", async () => {
  const send = await start("--attachment-urls", "cdn.example.com, *.files.example.com");
  expect((await send("https://example.com/a")).detail).toContain("not allowed here");
  expect((await send("https://files.example.com/a")).detail).toContain("not allowed here");
});
