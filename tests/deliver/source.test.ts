// Connections from an address of our choice, over real sockets; the whole of 127.0.0.0/8 belongs to this host on Linux.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import type { Target } from "../../src/deliver/connection.ts";
import { createSocketConnect } from "../../src/deliver/socket.ts";
import { judgeOpening } from "../../src/deliver/trouble.ts";
import { SOURCE_UNBOUND } from "../../src/mail/verdict.ts";
import { startFakeMx, type FakeMx } from "./fakeMx.ts";

let server: FakeMx;
beforeAll(async () => void (server = await startFakeMx()));
afterAll(() => server.close());

const connect = createSocketConnect({ clock: systemClock });
const CONNECT_MS = 5_000;

function connectFrom(source: string | undefined) {
  const target: Target = {
    host: "mx.test",
    address: "127.0.0.1",
    port: server.port,
    via: "mx",
    implicitTls: false,
    ...(source === undefined ? {} : { source }),
  };
  return connect(target, CONNECT_MS, new AbortController().signal);
}

test.if(process.platform === "linux")("a connection leaves from its address", async () => {
  for (const source of ["127.0.0.7", "127.0.0.8"]) {
    const connection = await connectFrom(source);
    if (connection.kind === "failure") throw new Error(connection.text);
    expect(connection.source).toBe(source);
    connection.close();
  }
});

test("an address that this host does not have is our own trouble, and says what to do", async () => {
  const failure = await connectFrom("203.0.113.77");
  if (failure.kind !== "failure") throw new Error("connected");
  expect(failure.why).toBe("source");
  const judged = judgeOpening([failure]);
  expect(judged).toMatchObject({ kind: "interrupted", class: "local", alert: SOURCE_UNBOUND });
  expect(judged.text).toContain("[[source]]");
});
