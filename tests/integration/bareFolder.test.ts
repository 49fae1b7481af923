// The binary is all there is: alone in an empty tree with nothing but the C library, it serves and
// delivers.
import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { binaryPath, cleanEnvironment, reachable } from "../fixtures/daemon.ts";
import { hasRoot } from "../fixtures/postfix.ts";
import { startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";

/**
 * The C library's files that the binary names; `ldd` prints `name => path (address)` or `path
 * (address)`.
 */
function librariesOf(binary: string): string[] {
  const listed = execFileSync("ldd", [binary], { encoding: "utf8" });
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path as string);
}

/**
 * The runtime finds its stack's bounds in /proc (glibc's pthread_getattr_np), so that must be there, in a mount namespace that ends with
 * the process. chroot(2) is root's alone; elsewhere an empty folder stands for the empty tree.
 */
function commandIn(tree: string): readonly [program: string, args: string[], dataDir: string] {
  const unshare = peer("unshare");
  if (unshare.missing || !hasRoot()) return [join(tree, "postrider"), [], join(tree, "data")];
  const enter = 'mount -t proc proc "$0/proc" && exec chroot "$0" /postrider "$@"';
  return [unshare.path, ["--mount", "sh", "-c", enter, tree], "/data"];
}

test("alone in an empty tree it serves and delivers", async () => {
  const tree = mkdtempSync(join(tmpdir(), "postrider-bare-"));
  for (const path of librariesOf(binaryPath)) {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    copyFileSync(path, join(tree, path));
  }
  copyFileSync(binaryPath, join(tree, "postrider"));
  for (const name of ["data", "proc"]) mkdirSync(join(tree, name));
  const [program, args, dataDir] = commandIn(tree);
  const flags = ["--data-dir", dataDir, "--listen", "127.0.0.1:0", "--hostname", "bare.test"];
  const running = startProcess(program, [...args, "serve", ...flags], {
    env: cleanEnvironment(),
    cwd: tree,
  });
  try {
    const daemon = await reachable(running, join(tree, "data"));
    const answer = await daemon.request("/send", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        from: "a@bare.test",
        to: "delivered@postrider.test",
        subject: "s",
        text: "t",
      }),
    });
    expect(answer.status).toBe(202);
    const { id } = (await answer.json()) as { id: string };
    await until("it is delivered", async () => {
      const shown = await (await daemon.request(`/emails/${id}`)).text();
      return shown.includes('"delivered"');
    });
    expect(await running.stop()).toBe(0);
  } finally {
    await running.stop("SIGKILL");
    rmSync(tree, { recursive: true, force: true });
  }
});
