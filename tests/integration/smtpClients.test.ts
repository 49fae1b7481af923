// Programs and libraries that we did not write hand in their mail by SMTP, unchanged, and it arrives as they wrote it.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { createTransport } from "nodemailer";
import { cleanEnvironment } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { type Delivered, type SmtpRig, startSmtpRig } from "./smtpRig.ts";

let rig: SmtpRig;
beforeAll(async () => {
  rig = await startSmtpRig();
});
afterAll(() => rig.close());

/** Dots, octets above 127, trailing blanks and empty lines: what a careless relay changes. */
const letter =
  "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nFrom: Ann <ann@shop.example>\r\n" +
  "To: bob@customer.example\r\nMessage-ID: <letter@shop.example>\r\n" +
  "Subject: dots\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
  "Content-Transfer-Encoding: 8bit\r\n\r\n" +
  `.\r\n..\r\n.a line\r\nGr\u00fc\u00dfe \u65e5\u672c\u8a9e  \r\n\t\r\n${"x".repeat(900)}\r\n\r\n`;

interface Ran {
  readonly code: number;
  readonly all: string;
}

function run(file: string, args: readonly string[], input = ""): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { env: { ...cleanEnvironment(), HOME: rig.root }, cwd: rig.root };
    const child = execFile(file, args, options, (error, out, err) =>
      resolve({ code: error === null ? 0 : (child.exitCode ?? -1), all: out + err }),
    );
    child.stdin?.end(input);
  });
}

/** What arrives when `send` has done its work. */
async function arrives(send: () => Promise<unknown>): Promise<Delivered> {
  const before = rig.delivered.length;
  await send();
  return rig.next(before);
}

async function runs(file: string, args: readonly string[], input = ""): Promise<void> {
  const { code, all } = await run(file, args, input);
  if (code !== 0) throw new Error(`${file} ended with ${code}\n${all}`);
}

function expectLetter({ from, recipients, bytes, trace }: Delivered, protocol: string): void {
  expect(from).toBe("ann@shop.example");
  expect(recipients).toEqual(["bob@customer.example"]);
  expect(bytes.toString()).toBe(letter);
  expect(trace.replace(/\s+/g, " ")).toMatch(
    new RegExp(
      `^Received: from \\S+ \\(\\[127\\.0\\.0\\.1\\]\\) by mail\\.sender\\.example with ${protocol} id [-0-9a-f]{36}; `,
    ),
  );
}

describe("swaks", () => {
  const swaks = peer("swaks");
  const args = (...more: string[]): string[] => {
    writeFileSync(join(rig.root, "letter.eml"), letter);
    return [
      ...["--server", `127.0.0.1:${rig.smtpPort()}`, "--from", "ann@shop.example"],
      ...["--to", "bob@customer.example", "--auth-user", "any"],
      ...["--auth-password", rig.daemon.key, "--no-data-fixup", "--data", "@letter.eml", ...more],
    ];
  };
  for (const mechanism of ["PLAIN", "LOGIN"])
    swaks.test(`logs in by ${mechanism}`, async () => {
      const came = await arrives(() => runs(swaks.path, args("--auth", mechanism)));
      expect(came.trace).toContain("ESMTPA");
    });
  swaks.test("speaks STARTTLS", async () => {
    const came = await arrives(() => runs(swaks.path, args("--auth", "LOGIN", "--tls")));
    expect(came.trace).toContain("ESMTPSA");
  });
  swaks.test("pipelines", async () => {
    await arrives(() => runs(swaks.path, args("--auth", "PLAIN", "--pipeline")));
  });
  swaks.test("is refused with a wrong key, and without one", async () => {
    const wrong = args("--auth", "PLAIN").map((one) => (one === rig.daemon.key ? "wrong" : one));
    expect(await run(swaks.path, wrong)).toMatchObject({ code: 28 });
    const none = args().filter(
      (one, i, all) => !/^--auth/.test(one) && !/^--auth/.test(all[i - 1] ?? ""),
    );
    const { code, all } = await run(swaks.path, none);
    expect(code).toBe(23);
    expect(all).toContain("530 5.7.0");
  });
});

describe("curl", () => {
  const curl = peer("curl");
  const send = (port: number, scheme: string, ...more: string[]): Promise<void> => {
    writeFileSync(join(rig.root, "letter.eml"), letter);
    return runs(curl.path, [
      ...["-sS", "--url", `${scheme}://localhost:${port}`],
      ...["--resolve", `localhost:${port}:127.0.0.1`, "--cacert", rig.caFile],
      ...["--mail-from", "ann@shop.example", "--mail-rcpt", "bob@customer.example"],
      ...["--user", `any:${rig.daemon.key}`, "--upload-file", "letter.eml", ...more],
    ]);
  };
  curl.test("hands in a file by smtp://", async () => {
    expectLetter(await arrives(() => send(rig.smtpPort(), "smtp")), "ESMTPA");
  });
  curl.test("with STARTTLS, and a certificate that it checks", async () => {
    expectLetter(await arrives(() => send(rig.smtpPort(), "smtp", "--ssl-reqd")), "ESMTPSA");
  });
  curl.test("by smtps://", async () => {
    expectLetter(await arrives(() => send(rig.smtpsPort(), "smtps")), "ESMTPSA");
  });
});

peer("curl").test("the README's line sends, as it is pasted", async () => {
  const readme = readFileSync(join(import.meta.dir, "..", "..", "README.md"), "utf8");
  const line = /^curl smtp:.*$/m.exec(readme)?.[0] ?? "";
  writeFileSync(join(rig.root, "message.eml"), letter);
  const here = line
    .replace("127.0.0.1:2587", `127.0.0.1:${rig.smtpPort()}`)
    .replace("$(cat ~/.local/share/postrider/api-key)", rig.daemon.key);
  await runs("/bin/sh", ["-c", here]);
  await until("it is delivered to the built-in sink", async () => {
    const found = await rig.daemon.request("/emails?to=delivered@postrider.test&status=delivered");
    return ((await found.json()) as { data: unknown[] }).data.length === 1;
  });
});

describe("msmtp", () => {
  const msmtp = peer("msmtp");
  const config = (tls: string, port: number): string[] => {
    const file = join(rig.root, "msmtprc");
    const settings = [
      ...["defaults", "auth on", "user any", `password ${rig.daemon.key}`, `tls ${tls}`],
      ...[`tls_starttls ${port === rig.smtpPort() ? "on" : "off"}`],
      ...[`tls_trust_file ${rig.caFile}`, "account default", "host localhost", `port ${port}`],
      ...["from ann@shop.example", ""],
    ];
    writeFileSync(file, settings.join("\n"), { mode: 0o600 });
    return ["-C", file, "bob@customer.example"];
  };
  // It takes the line ends of Unix.
  const given = letter.replaceAll("\r\n", "\n");
  for (const [how, tls, implicit] of [
    ["STARTTLS", "on", false],
    ["TLS from the start", "on", true],
  ] as const)
    msmtp.test(`hands in a message by ${how}`, async () => {
      const port = implicit ? rig.smtpsPort() : rig.smtpPort();
      expectLetter(await arrives(() => runs(msmtp.path, config(tls, port), given)), "ESMTPSA");
    });
});

describe("Python's smtplib and email", () => {
  const python = peer("python3");
  const program = `
import smtplib, ssl, sys
from email.message import EmailMessage
port, key, ca, how = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
m = EmailMessage()
m["From"] = "Zo\\u00eb <zoe@shop.example>"
m["To"] = "bob@customer.example"
m["Bcc"] = "hidden@customer.example"
m["Subject"] = "Gr\\u00fc\\u00dfe, \\u65e5\\u672c\\u8a9e"
m.set_content(".\\n..\\nDots and \\u20ac\\n")
m.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream", filename="all.bin")
context = ssl.create_default_context(cafile=ca)
if how == "tls":
    s = smtplib.SMTP_SSL("localhost", port, context=context)
else:
    s = smtplib.SMTP("localhost", port)
    if how == "starttls": s.starttls(context=context)
s.login("any", key)
s.send_message(m)
try:
    s.sendmail("zoe@shop.example", ["not an address"], b"From: zoe@shop.example\\r\\n\\r\\n")
except smtplib.SMTPRecipientsRefused as e:
    print(e.recipients["not an address"][0])
s.quit()
`;
  for (const how of ["plain", "starttls", "tls"])
    python.test(`hand in what they composed: ${how}`, async () => {
      const port = how === "tls" ? rig.smtpsPort() : rig.smtpPort();
      const ran = { all: "" };
      const came = await arrives(async () => {
        const args = ["-c", program, String(port), rig.daemon.key, rig.caFile, how];
        Object.assign(ran, await run(python.path, args));
      });
      expect(ran.all.trim()).toMatch(/^5\d\d$/);
      expect([...came.recipients].sort()).toEqual([
        "bob@customer.example",
        "hidden@customer.example",
      ]);
      expect(came.bytes.toString("latin1")).not.toMatch(/hidden@/i);
      const mail = await simpleParser(came.bytes);
      expect(mail.from?.value).toEqual([{ address: "zoe@shop.example", name: "Zo\u00eb" }]);
      expect(mail.subject).toBe("Gr\u00fc\u00dfe, \u65e5\u672c\u8a9e");
      expect(mail.text?.trim()).toBe(".\n..\nDots and \u20ac");
      expect(mail.attachments[0]?.content).toEqual(
        Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
      );
    });
});

describe("nodemailer", () => {
  const attachment = Buffer.alloc(700_000, "0123456789\r\n.\r\n");
  const mail = {
    from: "Ann <ann@shop.example>",
    to: "bob@customer.example",
    subject: "\u041f\u0440\u0438\u0432\u0435\u0442 \ud83d\udc0e",
    text: "Hello\n.\nthere",
    html: "<p>Hello</p>",
    attachments: [{ filename: "large.bin", content: attachment }],
    headers: {
      "X-Postrider-Priority": "p0",
      "X-Postrider-Tag": "campaign=spring",
      "X-Postrider-Reference": "order-17",
    },
  };
  const expectMail = async ({ bytes }: Delivered): Promise<void> => {
    expect(bytes.toString("latin1")).not.toMatch(/^x-postrider-/im);
    const read = await simpleParser(bytes);
    expect(read.subject).toBe(mail.subject);
    expect(read.text?.trim()).toBe(mail.text);
    expect(read.attachments[0]?.content.equals(attachment)).toBe(true);
  };
  const auth = () => ({ user: "any", pass: rig.daemon.key });
  const tls = () => ({ ca: rig.ca, servername: "localhost" });

  test("in clear on this host, and its headers are our options", async () => {
    const transport = createTransport({
      host: "127.0.0.1",
      port: rig.smtpPort(),
      auth: auth(),
      ignoreTLS: true,
    });
    let response = "";
    await expectMail(
      await arrives(async () => (response = (await transport.sendMail(mail)).response)),
    );
    const id = /queued as ([-0-9a-f]{36})$/.exec(response)?.[1];
    const shown = (await (await rig.daemon.request(`/emails/${id}`)).json()) as Record<
      string,
      unknown
    >;
    expect(shown).toMatchObject({
      priority: "p0",
      reference: "order-17",
      tags: [{ name: "campaign", value: "spring" }],
    });
  });

  test("with STARTTLS and with TLS from the start", async () => {
    for (const secure of [false, true]) {
      const port = secure ? rig.smtpsPort() : rig.smtpPort();
      const requireTLS = !secure;
      const transport = createTransport({
        host: "127.0.0.1",
        port,
        secure,
        requireTLS,
        auth: auth(),
        tls: tls(),
      });
      await expectMail(await arrives(() => transport.sendMail(mail)));
      transport.close();
    }
  });

  test("with a pool of connections that are kept", async () => {
    const before = rig.delivered.length;
    const transport = createTransport({
      ...{ host: "127.0.0.1", port: rig.smtpPort(), auth: auth(), tls: tls() },
      ...{ pool: true, maxConnections: 3, maxMessages: 20 },
    });
    const subjects = Array.from({ length: 60 }, (_, i) => `number ${i}`);
    await Promise.all(
      subjects.map((subject) =>
        transport.sendMail({ from: mail.from, to: mail.to, subject, text: "x" }),
      ),
    );
    transport.close();
    await rig.next(before + subjects.length - 1);
    const came = await Promise.all(
      rig.delivered.slice(before).map(({ bytes }) => simpleParser(bytes)),
    );
    expect(came.map(({ subject }) => subject ?? "").sort()).toEqual([...subjects].sort());
  });

  test("many recipients, some of them wrong: the others get it", async () => {
    const transport = createTransport({
      host: "127.0.0.1",
      port: rig.smtpPort(),
      auth: auth(),
      ignoreTLS: true,
    });
    const good = Array.from({ length: 20 }, (_, i) => `r${i}@customer.example`);
    const envelope = { from: "ann@shop.example", to: [...good, "wrong@-x-.example"] };
    let info: { rejected: unknown[]; accepted: unknown[] } = { rejected: [], accepted: [] };
    const came = await arrives(async () => {
      info = await transport.sendMail({
        envelope,
        from: mail.from,
        to: "list@shop.example",
        text: "x",
      });
    });
    expect(info.rejected).toEqual(["wrong@-x-.example"]);
    expect([...came.recipients].sort()).toEqual([...good].sort());
  });
});
