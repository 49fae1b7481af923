// `top` on a real terminal (a pseudo-terminal of `script`), against a real daemon: it shows, obeys, ends, and leaves nothing behind.
import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaryPath, cleanEnvironment, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";

const TEST_MS = 60_000;
const script = peer("script");

interface Session {
  /** All that the terminal was sent. */
  output(): string;
  press(key: string): void;
  hangUp(): void;
  readonly ended: Promise<number>;
}

/** The shell says how the terminal's settings were before and after. */
function openSession(folder: string): Session {
  const command = [
    "stty rows 24 cols 80",
    `stty -g > ${folder}/before`,
    // The shell's number is the command's, once it is replaced by it.
    `sh -c 'echo $$ > ${folder}/pid; exec ${binaryPath} top --data-dir ${folder} --every 200ms'`,
    "echo ended with $?",
    `stty -g > ${folder}/after`,
  ].join("; ");
  const child = Bun.spawn([script.path, "-qefc", command, "/dev/null"], {
    env: { ...cleanEnvironment(), TERM: "xterm", SHELL: "/bin/sh" } as Record<string, string>,
    ...{ stdin: "pipe", stdout: "pipe", stderr: "inherit" },
  });
  let text = "";
  void (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) text += decoder.decode(chunk, { stream: true });
  })();
  return {
    output: () => text,
    press(key) {
      child.stdin.write(key);
      void child.stdin.flush();
    },
    hangUp: () => process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), "SIGHUP"),
    ended: child.exited,
  };
}

for (const [name, key] of [
  ["q", "q"],
  ["Ctrl-C", "\u0003"],
  ["SIGHUP", null],
] as const)
  script.test(
    `top shows the daemon and its sites, sorts them, and ends by ${name}, with the terminal as it was`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "postrider-top-"));
      const daemon = await startDaemon({ dataDir: folder, flags: ["--workers", "1"] });
      try {
        const to = ["soft-rcpt@postrider.test"];
        const message = { from: "a@one.test", to, subject: "s", text: "t" };
        const headers = { "content-type": "application/json" };
        const body = JSON.stringify(message);
        await daemon.request("/send", { method: "POST", headers, body });
        const session = openSession(folder);
        await until("it shows the site", () => session.output().includes("postrider.test"));
        session.press("l");
        await until("it sorts", () => session.output().includes("sort: slowest"));
        session.press("?");
        await until("it helps", () => session.output().includes("sort by last error"));
        if (key === null) session.hangUp();
        else session.press(key);
        await session.ended;
        const output = session.output();
        expect(output).toContain("ended with 0");
        expect(readFileSync(join(folder, "after"), "utf8")).toBe(
          readFileSync(join(folder, "before"), "utf8"),
        );
        const [, shown = ""] = output.split("\u001b[?1049h");
        const [inside = "", after = "-"] = shown.split("\u001b[?25h\u001b[?1049l");
        expect(after.trim()).toBe("ended with 0");
        // What did not change was not drawn again: the site's head line came once.
        expect(inside.split("works").length - 1).toBeLessThanOrEqual(3);
      } finally {
        await daemon.stop();
        rmSync(folder, { recursive: true, force: true });
      }
    },
    TEST_MS,
  );

test("in a pipe it prints one picture and ends", async () => {
  const folder = mkdtempSync(join(tmpdir(), "postrider-top-"));
  const daemon = await startDaemon({ dataDir: folder, flags: ["--workers", "1"] });
  try {
    const child = Bun.spawn([binaryPath, "top", "--data-dir", folder], {
      env: cleanEnvironment() as Record<string, string>,
      ...{ stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    });
    const text = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    expect(text).toContain("accepted");
    expect(text).not.toContain("\u001b");
  } finally {
    await daemon.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
