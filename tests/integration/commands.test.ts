// The commands as a user runs them: the compiled binary, a daemon, and what a script sees of both.
import { describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, binaryPath, cleanEnvironment, startDaemon } from "../fixtures/daemon.ts";
import { peer } from "../peers.ts";
import type { Ran } from "../commands/setup.ts";

function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { ...cleanEnvironment(), ...env }, cwd: tmpdir() };
    const child = execFile(file, args, options, (error, out, err) =>
      resolve({ code: error === null ? 0 : (child.exitCode ?? -1), out, err }),
    );
    child.stdin?.end();
  });
}

const postrider = (...args: readonly string[]): Promise<Ran> => run(binaryPath, args);

async function withDaemon(use: (daemon: Daemon, dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "postrider-commands-"));
  try {
    const daemon = await startDaemon({ dataDir, flags: ["--hostname", "sender.example"] });
    try {
      await use(daemon, dataDir);
    } finally {
      expect(await daemon.stop()).toBe(0);
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

describe("the binary", () => {
  test("tells its version", async () => {
    expect((await postrider("version")).out).toMatch(/^postrider \d/);
  });

  test("ends with 78 when the settings are wrong, and with 64 when the command line is", async () => {
    expect(await postrider("serve", "--listen", "x")).toMatchObject({ code: 78, out: "" });
    expect((await postrider("serve", "--lisen", "x")).code).toBe(64);
  });

  test("refuses to serve while a variable makes the runtime execute foreign code", async () => {
    const ran = await run(binaryPath, ["serve"], { BUN_OPTIONS: "--smol" });
    expect(ran.code).toBe(78);
    expect(ran.err).toContain("BUN_OPTIONS");
  });
});

describe("with a daemon", () => {
  test("what follows ends once nobody reads it, and says so when it cannot be written", async () => {
    await withDaemon(async (_, dataDir) => {
      const shell = (line: string): Promise<Ran> =>
        run("/bin/bash", ["-c", `${line} ; echo "ended with \${PIPESTATUS[0]}" >&2`]);
      const top = `${binaryPath} top --json --every 200ms --data-dir ${dataDir}`;
      const read = await shell(`${top} | head -n 1`);
      expect(read.err).toBe("ended with 0\n");
      expect(read.out).toContain('"figures"');
      const full = await shell(`${top} > /dev/full`);
      expect(full.err).toMatch(/^the output cannot be written: .*ENOSPC.*\nended with 74\n$/);
    });
  });

  peer("curl").test("the printed line delivers as it is pasted", async () => {
    await withDaemon(async (daemon, dataDir) => {
      const line = /^ {2}(curl .*)$/m.exec(daemon.process.output())?.[1] ?? "";
      const accepted = await run("/bin/sh", ["-c", line]);
      const { id } = JSON.parse(accepted.out) as { id: string };
      const at = ["--data-dir", dataDir];
      // A second message ends after the first was accepted; then the first one is asked for.
      const text = ["--subject", "Hello", "--text", "Hi", "--wait"];
      const to = ["--from", "me@example.com", "--to", "delivered@postrider.test"];
      expect((await postrider("send", ...to, ...text, ...at)).code).toBe(0);
      const shown = await postrider("message", "show", id, ...at);
      expect(shown.out).toContain("accepted");
      expect((await postrider("queue", "stats", ...at)).out).toContain("delivered");
      expect((await postrider("message", "raw", id.replaceAll("0", "1"), ...at)).code).toBe(1);
    });
  });

  test("a bounce ends --wait with 1, and the remote's words can be read", async () => {
    await withDaemon(async (_, dataDir) => {
      const to = ["--from", "me@example.com", "--to", "bounced@postrider.test"];
      const text = ["--subject", "Hello", "--text", "Hi", "--wait"];
      const ran = await postrider("send", ...to, ...text, "--data-dir", dataDir);
      expect(ran.code).toBe(1);
      expect(ran.out).toMatch(/bounced@postrider.test +bounced +5\d\d/);
    });
  });

  test("a data folder belongs to one daemon", async () => {
    await withDaemon(async (_, dataDir) => {
      const second = await postrider("serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0");
      expect(second.code).toBe(1);
      expect(second.err).not.toBe("");
    });
  });
});
