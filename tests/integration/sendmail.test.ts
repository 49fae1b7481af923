// What the programs of a host do with the name `sendmail`: the compiled binary, a daemon, and users who may not open its data folder.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EmailView, ListView } from "../../src/mail/query.ts";
import { isPickupName } from "../../src/mail/pickup.ts";
import type { Daemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { createHost, type Host, inboxOf, messageFor, strangers } from "./localRig.ts";

let host: Host;
beforeEach(() => void (host = createHost()));
afterEach(() => host.remove());

async function withDaemon(use: (daemon: Daemon) => Promise<void>, flags?: string[]): Promise<void> {
  const daemon = await host.start(flags);
  try {
    await use(daemon);
  } finally {
    expect(await daemon.stop()).toBe(0);
  }
}

const stranger = { who: "stranger" } as const;
const capture = ["--capture", "true"];

describe("with a daemon", () => {
  test("a PHP program's mail() is delivered, for a user who may only send", async () => {
    await withDaemon(async (daemon) => {
      // What PHP writes into its pipe: its own fields end in LF, those of the program in CRLF.
      const input =
        "To: =?UTF-8?Q?Zo=C3=AB?= <zoe@shop.example>\nSubject: Your order\n" +
        "From: shop@host.example\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n" +
        "Content-Transfer-Encoding: 8bit\n\n<p>Danke schön</p>\n";
      const command = ["-c", "sendmail -t -i -fbounces@host.example"];
      const ran = await host.run("/bin/sh", command, { ...stranger, input });
      expect(ran).toEqual({ code: 0, out: "", err: "" });
      const message = await messageFor(daemon, "zoe@shop.example");
      expect(message.envelope.from).toBe("bounces@host.example");
      expect(message.from).toBe("shop@host.example");
      expect(message.html).toContain("<p>Danke schön</p>");
    }, capture);
  });

  test("cron's mail reaches whom its names mean", async () => {
    await withDaemon(async (daemon) => {
      const input =
        "From: root (Cron Daemon)\nTo: operator\nSubject: Cron <root@host> backup\n" +
        "Content-Type: text/plain; charset=UTF-8\nAuto-Submitted: auto-generated\n\ndone\n.\nreally\n";
      const args = ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "operator"];
      expect((await host.run("sendmail", args, { ...stranger, input })).code).toBe(0);
      const message = await messageFor(daemon, "operator@host.example");
      expect(message.from).toBe("Cron Daemon <root@host.example>");
      expect(message.text).toBe("done\n.\nreally\n");
      expect(message.envelope.from).toBe(strangers ? "nobody@host.example" : message.envelope.from);
    }, capture);
  });

  test("SMTP on its input, a large message and a refusal all find their end", async () => {
    await withDaemon(async (daemon) => {
      const dialogue =
        "EHLO me\r\nMAIL FROM:<me@host.example>\r\nRCPT TO:<smtp@b.example>\r\nDATA\r\n" +
        "Subject: by SMTP\r\n\r\n..\r\n.\r\nQUIT\r\n";
      const spoken = await host.run("sendmail", ["-bs"], { ...stranger, input: dialogue });
      expect(spoken.out).toContain("250 2.0.0 Taken");
      expect((await messageFor(daemon, "smtp@b.example")).text).toBe(".\n");
      const lines = Array.from({ length: 40_000 }, (_, i) => `line ${i} of a large message\n`);
      const input = `Subject: large\n\n${lines.join("")}`;
      expect(
        (await host.run("sendmail", ["-i", "large@b.example"], { ...stranger, input })).code,
      ).toBe(0);
      const large = await messageFor(daemon, "large@b.example");
      expect(large.text).toBe(lines.join(""));
      const refused = await host.run("sendmail", ["-t"], {
        ...stranger,
        input: "From: a@b.c\nFrom: d@e.f\nTo: x@y.example\n\n",
      });
      expect(refused.code).toBe(65);
      expect(refused.err).toStartWith("sendmail: ");
    }, capture);
  });

  test("settings whose secrets only the daemon reads keep nobody from sending", async () => {
    const secret = join(host.dataDir, "secret");
    writeFileSync(secret, "a key that only the daemon reads", { mode: 0o600 });
    const settings = join(host.binDir, "postrider.toml");
    writeFileSync(settings, `api_key_file = ${JSON.stringify(secret)}\n`);
    await withDaemon(async (daemon) => {
      const env = `POSTRIDER_CONFIG=${settings}`;
      const mail = ["sendmail", "-i", "ann@b.example"];
      const ran = await host.run("env", [env, ...mail], { ...stranger, input: "Subject: s\n\nx" });
      expect(ran).toEqual({ code: 0, out: "", err: "" });
      const message = ["--from", "me@b.example", "--to", "ann@b.example", "--subject", "s"];
      const args = [env, "postrider", "send", ...message, "--text", "x"];
      expect((await host.run("env", args, stranger)).code).toBe(0);
      await until("both came", async () => (await inboxOf(daemon, "ann@b.example")).length === 2);
    }, capture);
  });

  test("who may send may not look, and whoever may sees what waits", async () => {
    await withDaemon(async () => {
      const args = ["-i", "greylist@postrider.test"];
      await host.run("sendmail", args, { ...stranger, input: "Subject: wait\n\nx" });
      const shown = await until("the message waits", async () => {
        const ran = await host.run("mailq", []);
        return ran.out.includes("Greylisted") ? ran : undefined;
      });
      expect(shown.code).toBe(0);
      expect(shown.out).toContain("greylist@postrider.test");
      expect(shown.out.trimEnd()).toEndWith("-- 1 Request.");
      expect((await host.run("sendmail", ["-bp"])).out).toBe(shown.out);
      if (strangers) expect((await host.run("mailq", [], stranger)).code).toBe(77);
      expect((await host.run("sendmail", ["-q"])).code).toBe(0);
    });
  });
});

describe("without a daemon", () => {
  test("mail of the owner and of others waits, and is sent once the daemon is there", async () => {
    const input = "To: a@b.example\nSubject: waits\n\nbody\n";
    const none = await host.run("sendmail", ["-t", "-i"], { input });
    // Nobody has started a daemon here: the data folder has no place for it yet, but there is one for all.
    expect(none.code).toBe(0);
    const isTaken = (): boolean => !readdirSync(host.dropDir).some(isPickupName);
    await withDaemon(async () => void (await until("it is taken", isTaken)), capture);
    expect((await host.run("sendmail", ["-t", "-i"], { input })).code).toBe(0);
    expect((await host.run("sendmail", ["-t", "-i"], { ...stranger, input })).code).toBe(0);
    const own = readdirSync(join(host.dataDir, "pickup")).filter(isPickupName);
    const theirs = readdirSync(host.dropDir).filter(isPickupName);
    expect([own.length, theirs.length]).toEqual(strangers ? [1, 1] : [2, 0]);
    if (strangers) expect(statSync(join(host.dropDir, theirs[0] ?? "")).uid).toBe(65_534);
    await withDaemon(async (daemon) => {
      await until(
        "all three are there",
        async () => (await inboxOf(daemon, "a@b.example")).length === 3,
      );
      expect(readdirSync(join(host.dataDir, "pickup"))).toEqual([]);
      expect(readdirSync(host.dropDir)).toEqual([]);
    }, capture);
  });

  test("a daemon that is killed while it takes them sends none of them twice", async () => {
    await withDaemon(async () => {}, capture);
    const count = 30;
    for (let i = 0; i < count; i += 10)
      await Promise.all(
        Array.from({ length: 10 }, (_, j) => {
          const input = `To: a@b.example\nSubject: number ${i + j}\n\n${"x".repeat(1000)}\n`;
          return host.run("sendmail", ["-t", "-i"], { ...stranger, input });
        }),
      );
    const left = (): number =>
      [host.dropDir, join(host.dataDir, "pickup")].flatMap((one) => readdirSync(one)).length;
    expect(left()).toBe(count);
    // Killed as soon as some are gone, while others are between their commit and their end.
    for (let kills = 0; kills < 4 && left() > 0; kills++) {
      const before = left();
      const daemon = await host.start(capture);
      try {
        await until("some are taken", () => left() < before - kills || left() === 0);
      } finally {
        await daemon.process.stop("SIGKILL");
      }
    }
    await withDaemon(async (daemon) => {
      await until("all are taken", () => left() === 0);
      const response = await daemon.request("/emails?limit=100");
      const { data } = (await response.json()) as ListView<EmailView>;
      const subjects = data.map((one) => one.subject).sort();
      expect(subjects).toEqual(Array.from({ length: count }, (_, i) => `number ${i}`).sort());
    }, capture);
  }, 60_000);

  test("a damaged file is set aside with its bytes", async () => {
    await withDaemon(async () => {});
    const name = `${"0".repeat(12)}-${"a".repeat(32)}.mail`;
    writeFileSync(join(host.dropDir, name), "damaged");
    await withDaemon(async (daemon) => {
      await until("it is set aside", () => daemon.process.output().includes("pickup.set_aside"));
    });
    expect(readFileSync(join(host.dropDir, "failed", name), "utf8")).toBe("damaged");
  });
});
