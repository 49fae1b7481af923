// Where a message goes: to the daemon, into a pickup folder, or back to its caller with a code that says why.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
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

/** Of this moment and of this message. */
const DATED = /Date: [^\r]+ \+0000\r\nMessage-ID: <[0-9a-f]{32}@host\.example>\r\n/;

const undated = (text = ""): string => {
  expect(text).toMatch(DATED);
  return text.replace(DATED, "");
};

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
    });
    expect(undated(daemon.seen[0]?.body)).toBe("Subject: x\r\nFrom: me@a.example\r\n\r\nbody\n");
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
    // One Message-ID for all of them.
    expect(new Set(daemon.seen.map(({ body }) => DATED.exec(body)?.[0])).size).toBe(1);
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
    expect(undated(message)).toBe("Subject: x\r\nFrom: me@a.example\r\n\r\nbody\n");
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

  test("the daemon can read it there, whatever the user's umask is", async () => {
    mkdirSync(join(root, "drop"));
    // As a folder of another user's: only root can make one.
    if (process.getuid?.() === 0) chownSync(join(root, "drop"), 65_534, 65_534);
    const before = process.umask(0o077);
    try {
      expect((await run("-i a@b.example", MESSAGE)).code).toBe(0);
    } finally {
      process.umask(before);
    }
    const [name = ""] = filesIn(join(root, "drop"));
    const wanted = process.getuid?.() === 0 ? 0o644 : 0o600;
    expect(statSync(join(root, "drop", name)).mode & 0o777).toBe(wanted);
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
    expect(undated(daemon.seen[0]?.body)).toBe("From: me@a.example\r\n\r\n.dot\r\n");
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

  test("a client that ends its lines with CR LF ends its message so: nothing is smuggled in behind another", async () => {
    const before = "EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<a@b.c>\r\nDATA\r\nFrom: a@b.c\r\n\r\nx";
    const behind = "MAIL FROM:<e@b.c>\r\nRCPT TO:<v@b.c>\r\nDATA\r\nsmuggled\r\n.\r\nQUIT\r\n";
    for (const end of ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r\n"]) {
      await using daemon = fakeDaemon(() => taken);
      await run("-bs", `${before}${end}${behind}`, daemon.dataDir);
      expect(daemon.seen.map(({ body }) => undated(body))).toEqual([
        `From: a@b.c\r\n\r\nx${end.replace("\r\n.", "\r\n")}${behind.replace(".\r\nQUIT\r\n", "")}`,
      ]);
    }
    await using daemon = fakeDaemon(() => taken);
    const long = "x".repeat(4096);
    const stuffed = `${long}\r\n..${long}\r\n.\r\n`;
    await run("-bs", `${before}${stuffed}QUIT\r\n`, daemon.dataDir);
    expect(daemon.seen[0]?.body).toContain(`\r\n.${"x".repeat(90)}`);
    const byHand = `${before}\n.\nQUIT\n`.replaceAll("\r", "");
    await run("-bs", byHand, daemon.dataDir);
    expect(undated(daemon.seen[1]?.body)).toBe("From: a@b.c\r\n\r\nx\n");
  });

  test("a parameter that would be forgotten is refused, and a line that is too long is no command", async () => {
    await using daemon = fakeDaemon(() => taken);
    const replies = await talk(
      "MAIL FROM:<a@b.c> RET=HDRS\nMAIL FROM:<a@b.c> SIZE=9 BODY=8BITMIME SMTPUTF8 AUTH=<>\n" +
        `RCPT TO:<a@b.c> NOTIFY=NEVER\nRCPT TO:<a@b.c>\nNOOP ${"x".repeat(9000)}QUIT\nRSET\n`,
      daemon.dataDir,
    );
    expect(replies.map((line) => line.slice(0, 3))).toEqual(
      "220 555 250 555 250 500 250".split(" "),
    );
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
