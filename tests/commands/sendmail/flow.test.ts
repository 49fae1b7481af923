// Where a message goes: to the daemon, into a pickup folder, or back to its caller with a code that says why.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CliDeps } from "../../../src/commands/deps.ts";
import { isPickupName, partsOf, unpackEnvelope } from "../../../src/mail/pickup.ts";
import { createBox, fakeDaemon, type Ran } from "../setup.ts";

let root: string;
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), "postrider-sendmail-"))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function input(text: string): Partial<CliDeps> {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield Buffer.from(text);
  }
  return { stdin: pieces };
}

function run(args: string, text: string, dataDir = root, files = {}): Promise<Ran> {
  const env = {
    POSTRIDER_DATA_DIR: dataDir,
    POSTRIDER_RUNTIME_DIR: join(root, "run"),
    POSTRIDER_PICKUP_DIR: join(root, "drop"),
    POSTRIDER_HOSTNAME: "host.example",
  };
  const argv = args === "" ? [] : args.split(" ");
  return createBox(env, files).run(["sendmail", ...argv], input(text));
}

const taken = { status: 202, body: { id: "x", status: "queued" } };
const MESSAGE = "Subject: x\n\nbody\n";

describe("with a daemon", () => {
  test("the message goes there under the envelope of the arguments", async () => {
    await using daemon = fakeDaemon(() => taken);
    const args = "-i -f me@a.example one@b.example two@c.example";
    expect(await run(args, MESSAGE, daemon.dataDir)).toEqual({ code: 0, out: "", err: "" });
    expect(daemon.seen).toHaveLength(1);
    expect(daemon.seen[0]).toMatchObject({
      path: "/send?from=me%40a.example&to=one%40b.example&to=two%40c.example",
      type: "message/rfc822",
      body: "Subject: x\r\nFrom: me@a.example\r\n\r\nbody\n",
    });
  });

  test("-t takes the recipients of the header besides those of the arguments", async () => {
    await using daemon = fakeDaemon(() => taken);
    await run("-t b@x.example", "To: a@x.example, B <b@x.example>\nCc: c\n\n", daemon.dataDir);
    const query = new URLSearchParams(daemon.seen[0]?.path.split("?")[1]);
    expect(query.getAll("to")).toEqual(["b@x.example", "a@x.example", "c@host.example"]);
    expect(query.get("from")).toBe("ada@host.example");
  });

  test("an argument may be written as in a header: with a name, with several, by a name of this host", async () => {
    await using daemon = fakeDaemon(() => taken);
    const args = ["-i", "Doe <a@x.example>", '"Doe, J" <b@x.example>, c@x.example', "root (Cron)"];
    const box = createBox({ POSTRIDER_DATA_DIR: daemon.dataDir, POSTRIDER_HOSTNAME: "h.example" });
    expect((await box.run(["sendmail", ...args], input(MESSAGE))).code).toBe(0);
    const query = new URLSearchParams(daemon.seen[0]?.path.split("?")[1]);
    const to = ["a@x.example", "b@x.example", "c@x.example", "root@h.example"];
    expect(query.getAll("to")).toEqual(to);
    for (const bad of ["a b@x.example", "", "a@@x.example", "undisclosed:;"])
      expect((await box.run(["sendmail", "-i", bad], input(MESSAGE))).code).toBe(64);
    expect(daemon.seen).toHaveLength(1);
  });

  test("names of this host are read by its aliases", async () => {
    await using daemon = fakeDaemon(() => taken);
    const files = { "/etc/aliases": "root: me@a.example" };
    await run("-i -oem root", MESSAGE, daemon.dataDir, files);
    expect(daemon.seen[0]?.path).toEndWith("to=me%40a.example");
  });

  test("more recipients than a request may have are several requests, each with a key of its own", async () => {
    await using daemon = fakeDaemon(() => taken);
    const many = Array.from({ length: 120 }, (_, i) => `u${i}@x.example`);
    expect((await run(`-i ${many.join(" ")}`, MESSAGE, daemon.dataDir)).code).toBe(0);
    const asked = daemon.seen.map(({ path }) => new URLSearchParams(path.split("?")[1]));
    expect(asked.flatMap((query) => query.getAll("to"))).toEqual(many);
    expect(asked.map((query) => query.getAll("to").length)).toEqual([50, 50, 20]);
  });

  test("a null sender and wishes for notices travel with it", async () => {
    await using daemon = fakeDaemon(() => taken);
    await run("-i -f <> -N never -R hdrs -V id7 a@b.example", MESSAGE, daemon.dataDir);
    expect(daemon.seen[0]?.path).toBe(
      "/send?from=&to=a%40b.example&notify=never&ret=headers&envid=id7",
    );
  });

  const refusals = [
    [422, 65],
    [413, 65],
    [401, 77],
  ] as const;
  for (const [status, code] of refusals)
    test(`what is refused with ${status} ends with ${code} and is not kept`, async () => {
      const errors = [{ pointer: "", detail: "It has a fault." }];
      await using daemon = fakeDaemon(() => ({ status, body: { detail: "No.", errors } }));
      mkdirSync(join(root, "drop"));
      const ran = await run("-i a@b.example", MESSAGE, daemon.dataDir);
      expect(ran.code).toBe(code);
      expect(ran.err).toContain("No.");
      expect(readdirSync(join(root, "drop"))).toEqual([]);
    });

  test("what cannot be sent at all is told before the message is read", async () => {
    await using daemon = fakeDaemon(() => taken);
    for (const args of ["", "-i nobody@", "-i -f @@ a@b.example", "-z"])
      expect((await run(args, MESSAGE, daemon.dataDir)).code).toBe(64);
    expect((await run("-t", "To: <broken\n\n", daemon.dataDir)).code).toBe(65);
    expect((await run("-t", MESSAGE, daemon.dataDir)).code).toBe(65);
    expect(daemon.seen).toEqual([]);
  });
});

describe("without a daemon that takes it", () => {
  const filesIn = (folder: string) => readdirSync(folder).filter(isPickupName);
  const kept = (folder: string) => {
    const [name = ""] = filesIn(folder);
    const text = readFileSync(join(folder, name), "utf8");
    const end = text.indexOf("\n");
    return { name, envelope: unpackEnvelope(text.slice(0, end)), message: text.slice(end + 1) };
  };

  test("the message waits in the pickup folder of the data folder", async () => {
    mkdirSync(join(root, "pickup"));
    expect(await run("-i -f me@a.example a@b.example", MESSAGE)).toEqual({
      code: 0,
      out: "",
      err: "",
    });
    const { envelope, message } = kept(join(root, "pickup"));
    expect(envelope).toEqual({ from: "me@a.example", to: ["a@b.example"] });
    expect(message).toBe("Subject: x\r\nFrom: me@a.example\r\n\r\nbody\n");
    expect(readdirSync(join(root, "pickup"))).toHaveLength(1);
  });

  test("and in the one for all where there is no other", async () => {
    mkdirSync(join(root, "drop"));
    chmodSync(join(root, "drop"), 0o1733);
    expect((await run("-i a@b.example", MESSAGE)).code).toBe(0);
    expect(filesIn(join(root, "drop"))).toHaveLength(1);
  });

  for (const status of [503, 429, 500, 409])
    test(`a daemon that answers ${status} leaves it there, under the key that it was tried with`, async () => {
      await using daemon = fakeDaemon(() => ({ status, body: { detail: "Later." } }));
      mkdirSync(join(daemon.dataDir, "pickup"));
      expect((await run("-i a@b.example", MESSAGE, daemon.dataDir)).code).toBe(0);
      const { name, envelope } = kept(join(daemon.dataDir, "pickup"));
      const keys = daemon.seen.map(({ key }) => key);
      expect(envelope).toBeDefined();
      if (envelope !== undefined)
        expect(keys).toEqual([partsOf(name, envelope)[0]?.idempotencyKey ?? ""]);
    });

  test("settings of its own that are wrong are named", async () => {
    const env = { POSTRIDER_HOSTNAME: "a host", POSTRIDER_DATA_DIR: root };
    for (const mode of [["-i", "a@b.example"], ["-bs"]]) {
      const ran = await createBox(env).run(["sendmail", ...mode], input(MESSAGE));
      expect(ran.code).toBe(78);
      expect(ran.err).toStartWith("sendmail: hostname (");
    }
  });

  test("with nowhere to put it, the caller is told so", async () => {
    const ran = await run("-i a@b.example", MESSAGE);
    expect(ran.code).toBe(69);
    expect(ran.err).toStartWith("sendmail: ");
  });
});

describe("-bs", () => {
  const talk = async (text: string, dataDir: string): Promise<string[]> => {
    const { code, out } = await run("-bs", text.replaceAll("\n", "\r\n"), dataDir);
    expect(code).toBe(0);
    return out.split("\r\n").filter((line) => line !== "");
  };

  test("takes a message with its dots made single", async () => {
    await using daemon = fakeDaemon(() => taken);
    const replies = await talk(
      "EHLO me\nMAIL FROM:<me@a.example>\nRCPT TO:<you@b.example>\nDATA\n" +
        "From: me@a.example\n\n..dot\n.\nQUIT\n",
      daemon.dataDir,
    );
    expect(replies.map((line) => line.slice(0, 3))).toEqual(
      "220 250 250 250 250 250 250 250 354 250 221".split(" "),
    );
    expect(daemon.seen[0]?.body).toBe("From: me@a.example\r\n\r\n.dot\r\n");
    expect(daemon.seen[0]?.path).toBe("/send?from=me%40a.example&to=you%40b.example");
  });

  test("says no to what is out of order, and takes nothing without a dot", async () => {
    await using daemon = fakeDaemon(() => taken);
    const replies = await talk(
      "RCPT TO:<a@b.c>\nMAIL FROM:<>\nDATA\nMAIL FROM:<x>\nNONSENSE\nRCPT TO:<a@b.c>\nDATA\ncut",
      daemon.dataDir,
    );
    expect(replies.map((line) => line.slice(0, 3))).toEqual(
      "220 503 250 503 503 500 250 354 451".split(" "),
    );
    expect(daemon.seen).toEqual([]);
  });

  test("tells a refusal of the message from one of the moment", async () => {
    const message = "MAIL FROM:<a@b.c>\nRCPT TO:<a@b.c>\nDATA\n\n.\nQUIT\n";
    await using refusing = fakeDaemon(() => ({ status: 422, body: { detail: "No." } }));
    expect((await talk(message, refusing.dataDir)).at(-2)).toStartWith("554");
    await using closed = fakeDaemon(() => ({ status: 503, body: { detail: "Later." } }));
    expect((await talk(message, closed.dataDir)).at(-2)).toStartWith("451");
  });

  test("reads a message to its dot that it does not take: none of its lines is a command", async () => {
    await using daemon = fakeDaemon(() => taken);
    const within = "MAIL FROM:<a@b.c>\nRCPT TO:<victim@b.c>\nDATA\nSubject: smuggled\n";
    const header = `X-Long: ${"x".repeat(900)}\n`.repeat(300);
    const replies = await talk(
      `MAIL FROM:<a@b.c>\nRCPT TO:<a@b.c>\nDATA\n${header}\n${within}.\nQUIT\n`,
      daemon.dataDir,
    );
    expect(replies.map((line) => line.slice(0, 3))).toEqual("220 250 250 354 554 221".split(" "));
    expect(daemon.seen).toEqual([]);
  });
});
