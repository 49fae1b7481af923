// How the daemon ends: soon, whatever its clients do, and leaving nothing that is in its successor's way.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { cleanEnvironment, reachable } from "../fixtures/daemon.ts";
import { type Running, startProcess } from "../fixtures/process.ts";

const main = resolve(import.meta.dir, "..", "..", "src", "main.ts");
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "postrider-ending-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function serve(dataDir: string): Running {
  const flags = ["--data-dir", dataDir, "--listen", "127.0.0.1:0", "--workers", "1"];
  return startProcess(process.execPath, [main, "serve", ...flags], {
    env: cleanEnvironment(),
    cwd: root,
  });
}

test("a client that sends half a request and waits does not hold the daemon", async () => {
  const dataDir = join(root, "slow");
  const running = serve(dataDir);
  const { port, key } = await reachable(running, dataDir);
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await new Promise<void>((sent) =>
    socket.write(
      `POST /send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n` +
        `Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
      () => sent(),
    ),
  );
  // `stop` kills a process that does not listen, and then the code is another one.
  expect(await running.stop()).toBe(0);
  expect(existsSync(join(dataDir, "control.sock"))).toBe(false);
  socket.destroy();
}, 30_000);
