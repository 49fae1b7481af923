// Why no connect error ever bounces a message, and why file descriptors are budgeted.
import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { connect, createServer, type AddressInfo } from "node:net";
import { freePort } from "../fixtures/process.ts";
import { hasRoot } from "../fixtures/postfix.ts";
import { peer } from "../peers.ts";

const report = `
  const [host, port, count] = process.argv.slice(-3);
  const { connect } = require("node:net");
  const codes = {};
  let left = Number(count);
  const done = (code) => {
    codes[code] = (codes[code] ?? 0) + 1;
    if (--left === 0) { console.log(JSON.stringify(codes)); process.exit(0); }
  };
  for (let i = 0; i < Number(count); i++) {
    const socket = connect(Number(port), host);
    socket.on("connect", () => done("connected"));
    socket.on("error", (error) => done(error.code));
  }`;

function codesIn(command: readonly string[], host: string, port: number, count: number): object {
  const [program = "", ...args] = command;
  const line = [...args, process.execPath, "-e", report, "--", host, String(port), String(count)];
  return JSON.parse(execFileSync(program, line, { encoding: "utf8" })) as object;
}

test("a closed port is ECONNREFUSED", async () => {
  expect(codesIn(["env"], "127.0.0.1", await freePort(), 1)).toEqual({ ECONNREFUSED: 1 });
});

peer(hasRoot() ? "unshare" : "unshare as root").test(
  "a network that cannot be reached is ECONNREFUSED too",
  () => {
    // A new network namespace has no way anywhere: the kernel says ENETUNREACH.
    expect(codesIn(["unshare", "-n"], "192.0.2.1", 25, 1)).toEqual({ ECONNREFUSED: 1 });
  },
);

peer(hasRoot() ? "ip" : "ip as root").test(
  "a host that cannot be reached is ECONNREFUSED too",
  () => {
    // The kernel says EHOSTUNREACH.
    const route = 'ip route add unreachable 192.0.2.1/32 && exec "$@"';
    const command = ["unshare", "-n", "sh", "-c", `ip link set lo up && ${route}`, "sh"];
    expect(codesIn(command, "192.0.2.1", 25, 1)).toEqual({ ECONNREFUSED: 1 });
  },
);

test("running out of file descriptors looks like a refused connection", async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  const limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"];
  const child = Bun.spawn(
    [...limited, process.execPath, "-e", report, "--", "127.0.0.1", String(port), "100"],
    { stdout: "pipe" },
  );
  const codes = JSON.parse(await new Response(child.stdout).text()) as Record<string, number>;
  expect(codes["connected"]).toBeGreaterThan(10);
  expect(Object.keys(codes).sort()).toEqual(["ECONNREFUSED", "connected"]);
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

test("localAddress chooses the address that the other side sees", async () => {
  const seen = Promise.withResolvers<string | undefined>();
  const server = createServer((socket) => {
    seen.resolve(socket.remoteAddress);
    socket.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.7" });
  socket.resume();
  expect(await seen.promise).toBe("127.0.0.7");
  await new Promise<void>((resolve) => server.close(() => resolve()));
});
