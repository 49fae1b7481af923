// How the daemon ends: soon, whatever its clients do, and leaving nothing that is in its successor's way.
import { Database } from "bun:sqlite";
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

test("what fails at the end is said by the exit code", async () => {
  const dataDir = join(root, "broken");
  const running = serve(dataDir);
  await reachable(running, dataDir);
  // Nothing that is stored can be written any more, so the store cannot be closed as it should.
  const db = new Database(join(dataDir, "postrider.db"));
  db.run("CREATE TRIGGER refuse BEFORE UPDATE ON meta BEGIN SELECT RAISE(ABORT, 'refused'); END");
  db.close();
  expect(await running.stop()).toBe(74);
  expect(running.output()).toContain("daemon.died");
}, 30_000);
