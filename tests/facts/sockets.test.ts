// Why deadlines are timers of the Clock and never the socket's own, and why questions to a resolver
// are few at a time.
import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

const SOCKET_TIMEOUT_MS = 50;
const WATCHED_MS = 400;

test("socket.setTimeout does not fire while a write is blocked", async () => {
  const kept: Socket[] = [];
  const server = createServer((socket) => {
    // Accepts and never reads.
    socket.pause();
    kept.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.on("connect", () => resolve()));
  let fired = false;
  socket.setTimeout(SOCKET_TIMEOUT_MS, () => (fired = true));
  socket.write(new Uint8Array(64_000_000));
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  expect(socket.writableLength).toBeGreaterThan(0);
  expect(fired).toBe(false);
  socket.destroy();
  for (const one of kept) one.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

const BURST = 2_000;

test("of 2,000 datagrams sent at once to one socket many are lost, of 100 none", async () => {
  const receiver = createSocket("udp4");
  let heard = 0;
  receiver.on("message", () => heard++);
  await new Promise<void>((resolve) => receiver.bind(0, "127.0.0.1", () => resolve()));
  const { port } = receiver.address();
  const sender = createSocket("udp4");
  await new Promise<void>((resolve) => sender.connect(port, "127.0.0.1", () => resolve()));
  const burst = async (count: number): Promise<number> => {
    heard = 0;
    for (let i = 0; i < count; i++) sender.send(Buffer.alloc(60));
    // What is not there after two quiet turns is lost.
    for (let quiet = 0, last = -1; quiet < 20; quiet = heard === last ? quiet + 1 : 0) {
      last = heard;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return heard;
  };
  expect(await burst(100)).toBe(100);
  expect(await burst(BURST)).toBeLessThan(BURST);
  sender.close();
  receiver.close();
});

test("Bun.connect's write takes a part of what it is given and leaves the rest to the caller", async () => {
  const kept: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pause();
    kept.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    socket: { data() {} },
  });
  expect(socket.write(new Uint8Array(64_000_000))).toBeLessThan(64_000_000);
  socket.terminate();
  for (const one of kept) one.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
