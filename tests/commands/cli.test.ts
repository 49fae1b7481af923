import { describe, expect, test } from "bun:test";
import { banner, curlLine } from "../../src/commands/banner.ts";
import { createProgram } from "../../src/commands/cli.ts";
import { printable } from "../../src/commands/output.ts";
import { createBox } from "./setup.ts";

describe("the command line", () => {
  test("prints help and is content without an argument", async () => {
    const { code, out } = await createBox().run([]);
    expect(code).toBe(0);
    expect(out).toContain("Usage: postrider");
  });

  test("prints a group's help without its command", async () => {
    const { code, out, err } = await createBox().run(["queue"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("stats");
  });

  test("refuses what it does not know, with the nearest name and exit 64", async () => {
    const box = createBox();
    expect(await box.run(["sned"])).toMatchObject({ code: 64, out: "" });
    expect((await box.run(["sned"])).err).toContain("Did you mean send?");
    const flag = await box.run(["serve", "--worker", "2"]);
    expect(flag.code).toBe(64);
    expect(flag.err).toContain("--workers");
    expect((await box.run(["version", "loudly"])).code).toBe(64);
  });

  test("every command has --help with an example, and --json", async () => {
    const box = createBox();
    const program = createProgram(box.deps, { end: () => {}, complain: () => {} });
    const leaves = program.commands.flatMap((one) =>
      one.commands.length === 0
        ? [[one.name()]]
        : one.commands.map((inner) => [one.name(), inner.name()]),
    );
    expect(leaves.length).toBeGreaterThan(9);
    for (const path of leaves) {
      const { code, out } = await box.run([...path, "--help"]);
      expect(code).toBe(0);
      expect(out).toContain(`Example:\n  postrider ${path.join(" ")}`);
      expect(out).toContain("--json");
    }
  });

  test("version tells itself, its runtime and the platform", async () => {
    const box = createBox();
    expect((await box.run(["version"])).out).toMatch(/^postrider \d+\.\d+\.\d+ \(runtime /);
    expect(JSON.parse((await box.run(["version", "--json"])).out)).toHaveProperty("version");
    expect(await box.run(["--version"])).toMatchObject({ code: 0, err: "" });
  });
});

describe("serve", () => {
  test("tells all problems at once and ends with 78", async () => {
    const box = createBox({ POSTRIDER_WORKERS: "none" });
    const { code, err } = await box.run(["serve", "--listen", "nowhere"]);
    expect(code).toBe(78);
    expect(err.trim().split("\n")).toHaveLength(2);
  });

  test("starts the daemon with the settings and prints how to send a first message", async () => {
    const box = createBox();
    const { code, out } = await box.run(["serve", "--data-dir", "/data", "--insecure-http"], {
      startDaemon: (loaded, hooks) => {
        expect(loaded.config.insecureHttp).toBe(true);
        hooks.onReady({
          version: "0.0.1",
          dataDir: loaded.config.dataDir,
          file: loaded.file,
          url: "http://127.0.0.1:8250",
          keyFile: "/data/api-key",
          queue: { recipients: 3, bytes: 9 },
        });
        return Promise.resolve(7);
      },
    });
    expect(code).toBe(7);
    expect(out).toContain("data   /data");
    expect(out).toContain("3 recipients");
    expect(out).toContain("/ in a browser; log in with the key in /data/api-key\n");
    expect(out).toContain('-H "Authorization: Bearer $(cat /data/api-key)"');
    expect(out).toContain("delivered@postrider.test");
  });

  test("the curl line survives a shell, whatever the folder is called", () => {
    const line = curlLine({ url: "http://127.0.0.1:1", keyFile: "/it's/a key" });
    const parsed = Bun.spawnSync(["sh", "-c", `cat() { printf %s "$1"; }; printf '%s\\n' ${line}`]);
    const words = parsed.stdout.toString().trimEnd().split("\n");
    expect(words).toContain("Authorization: Bearer /it's/a key");
    expect(JSON.parse(words.at(-1) ?? "")).toHaveProperty("to", "delivered@postrider.test");
    expect(curlLine({ url: "u", keyFile: null })).toContain("$POSTRIDER_API_KEY");
  });

  test("without a file the banner says so", () => {
    const facts = { version: "1", dataDir: "/d", file: null, url: "u", keyFile: null };
    const out = banner({ ...facts, queue: { recipients: 0, bytes: 0 } });
    expect(out).toContain("no file, defaults");
    expect(out).toContain("log in with an API key\n");
  });
});

describe("config", () => {
  test("check is silent about what is right and tells what is wrong", async () => {
    const box = createBox();
    expect(await box.run(["config", "check"])).toMatchObject({ code: 0, err: "" });
    const bad = await box.run(["config", "check", "--workers", "0", "--json"]);
    expect(bad.code).toBe(78);
    expect(JSON.parse(bad.out).problems[0].setting).toBe("workers");
  });

  test("show names every setting with its origin and hides secrets", async () => {
    const key = "s".repeat(20);
    const box = createBox({ POSTRIDER_API_KEY: key });
    const { out } = await box.run(["config", "show"]);
    expect(out).toMatch(/^listen +127\.0\.0\.1:8250 +# default$/m);
    expect(out).toMatch(/^api_key +\*\*\* +# environment POSTRIDER_API_KEY$/m);
    expect(out).not.toContain(key);
  });
});

describe("sink", () => {
  test("runs until it is stopped and tells its count", async () => {
    let stopped = false;
    const { code, out } = await createBox().run(
      ["sink", "--listen", "127.0.0.1:0", "--tls", "--fault", "rcpt:451:10%", "--delay", "dot=1s"],
      {
        startSink: (request) => {
          expect(request).toEqual({
            listen: { host: "127.0.0.1", port: 0 },
            stats: null,
            tls: "starttls",
            delays: ["dot=1s"],
            faults: ["rcpt:451:10%"],
            dumpDir: null,
            onTaken: null,
          });
          return Promise.resolve({
            kind: "started",
            port: 4000,
            statsPort: 0,
            summary: () => ({ messages: 2 }),
            stop: () => {
              stopped = true;
              return Promise.resolve();
            },
          });
        },
      },
    );
    expect([code, stopped]).toEqual([0, true]);
    expect(out).toBe("taking mail at 127.0.0.1:4000\nmessages 2\n");
  });

  test("with --each, each message is a line, which steers no terminal", async () => {
    const { out } = await createBox().run(["sink", "--each"], {
      startSink: ({ onTaken }) => {
        onTaken?.({ recipients: ["a@x.test", "b@x.test"], id: "one" });
        onTaken?.({ recipients: ["c@x.test"], id: "\u001b[2J" });
        const ended = { summary: () => ({}), stop: () => Promise.resolve() };
        return Promise.resolve({ kind: "started", port: 4000, statsPort: 0, ...ended });
      },
    });
    const lines = out.split("\n").filter((line) => line.startsWith("took "));
    expect(lines.map((line) => line.replace(/\d{13}/, "AT"))).toEqual([
      "took AT a@x.test one",
      "took AT b@x.test one",
      "took AT c@x.test ?[2J",
    ]);
  });

  test("refuses what it cannot read with exit 64", async () => {
    const box = createBox();
    expect((await box.run(["sink", "--listen", "x"])).code).toBe(64);
    expect((await box.run(["sink", "--tls", "maybe"])).code).toBe(64);
    expect((await box.run(["sink", "--fault", "x"])).err).toBe("no sink here\n");
  });
});

test("text from elsewhere cannot steer the terminal", () => {
  expect(printable("a\u001b[2Jb\u202ec")).toBe("a?[2Jb?c");
});
