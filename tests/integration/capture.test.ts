// Nothing leaves the host: the compiled binary with `capture`, a resolver that must not be asked, and the README's own example.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Daemon } from "../fixtures/daemon.ts";
import { binaryPath, cleanEnvironment, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { inboxOf, messageFor } from "./localRig.ts";

let dataDir: string;
let resolver: Socket;
let questions: string[];

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "postrider-capture-"));
  questions = [];
  resolver = createSocket("udp4");
  resolver.on("message", (bytes) => void questions.push(bytes.toString("latin1")));
  await new Promise<void>((resolve) => resolver.bind(0, "127.0.0.1", () => resolve()));
});
afterEach(() => {
  resolver.close();
  rmSync(dataDir, { recursive: true, force: true });
});

function start(...flags: string[]): Promise<Daemon> {
  const dns = `127.0.0.1:${(resolver.address() as AddressInfo).port}`;
  const all = ["--dns-servers", dns, "--hostname", "test.example", ...flags];
  return startDaemon({ dataDir, flags: all });
}

async function send(daemon: Daemon, message: object, key = daemon.key): Promise<string> {
  const response = await fetch(`${daemon.url}/send`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ from: "shop@test.example", subject: "x", text: "y", ...message }),
  });
  const { id } = (await response.json()) as { id: string };
  expect(response.status).toBe(202);
  return id;
}

interface Told {
  readonly type: string;
  readonly data: { readonly postrider: { readonly via: string } };
}

async function delivered(daemon: Daemon, id: string): Promise<Told> {
  return until("it is delivered", async () => {
    const { data } = (await (await daemon.request(`/emails/${id}/events`)).json()) as {
      data: Told[];
    };
    return data.find((one) => one.type === "email.delivered");
  });
}

test("every domain ends in the inbox, no name is asked for, and the event says so", async () => {
  const daemon = await start("--capture", "true");
  try {
    const to = ["Zoë <zoe@no-such-domain.example>", "spam@real.example"];
    const html = '<p>Hi</p><img src="cid:i">';
    const attachments = [{ filename: "ä.pdf", content: "AAEC", content_id: "i" }];
    const id = await send(daemon, {
      to,
      bcc: "b@third.example",
      subject: "Grüße",
      html,
      attachments,
    });
    expect((await delivered(daemon, id)).data.postrider.via).toBe("inbox");
    const message = await messageFor(daemon, "zoe@no-such-domain.example");
    expect(message.envelope.to).toEqual([
      "zoe@no-such-domain.example",
      "spam@real.example",
      "b@third.example",
    ]);
    expect([message.subject, message.html?.trim()]).toEqual(["Grüße", html]);
    expect(message.headers.some(({ name }) => name.toLowerCase() === "bcc")).toBe(false);
    expect(message.attachments).toMatchObject([
      { filename: "ä.pdf", content_id: "i", size_bytes: 3 },
    ]);
    expect(questions).toEqual([]);
  } finally {
    expect(await daemon.stop()).toBe(0);
  }
  const again = await start();
  try {
    expect(await inboxOf(again, "b@third.example")).toHaveLength(1);
  } finally {
    expect(await again.stop()).toBe(0);
  }
});

test("what was captured by one key stays captured, and other mail goes its way", async () => {
  const daemon = await start();
  let id = "";
  try {
    const made = await daemon.request("/api-keys", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "tests", scopes: ["send"], capture: true }),
    });
    const { token } = (await made.json()) as { token: string };
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    id = await send(daemon, { to: "late@captured.example", scheduled_at: soon }, token);
    await send(daemon, { to: "now@captured.example" }, token);
    await messageFor(daemon, "now@captured.example");
    expect(questions).toEqual([]);
    await send(daemon, { to: "x@free.example" });
    await until("the free one is looked up", () => questions.some((one) => one.includes("free")));
  } finally {
    await daemon.process.stop("SIGKILL");
  }
  const again = await start();
  try {
    const now = { scheduled_at: new Date(Date.now() + 100).toISOString() };
    await again.request(`/emails/${id}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(now),
    });
    await messageFor(again, "late@captured.example");
    expect(questions.some((one) => one.includes("captured"))).toBe(false);
  } finally {
    expect(await again.stop()).toBe(0);
  }
});

/** Lines of the README's section, as they stand there but for the folder, the port and the program. */
function example(folder: string, url: string): string[] {
  const text = readFileSync(join(import.meta.dir, "..", "..", "README.md"), "utf8");
  const section = text.split("## Test your own application\n")[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
    .flatMap((match) => (match[1] as string).trimEnd().split("\n"))
    .map((line) =>
      line
        .replaceAll("./mail-test", folder)
        .replaceAll("http://127.0.0.1:8250", url)
        .replaceAll("dist/postrider", binaryPath),
    );
}

test("the README's example sends, reads back and clears", async () => {
  const daemon = await start("--capture", "true");
  try {
    const [, ...lines] = example(dataDir, daemon.url);
    const outputs = await lines.reduce<Promise<string[]>>(
      async (before, line) => [...(await before), await shell(line)],
      Promise.resolve([]),
    );
    expect(outputs).toHaveLength(4);
    expect(outputs[0]).toContain('"status":"queued"');
    expect(outputs[1]).toContain('"subject":"Order 17"');
    expect(outputs[2]).toContain("Order 17");
    expect(outputs[3]).toBe("1 removed\n");
  } finally {
    expect(await daemon.stop()).toBe(0);
  }
});

function shell(line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("/bin/sh", ["-c", line], { env: cleanEnvironment() }, (error, out) =>
      error === null ? resolve(out) : reject(error),
    );
  });
}
