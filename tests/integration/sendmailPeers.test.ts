// Programs that we did not write and that know only `sendmail`: PHP's mail() and s-nail, as users who may only send.
import { afterEach, beforeEach, expect } from "bun:test";
import { join } from "node:path";
import type { Daemon } from "../fixtures/daemon.ts";
import { peer } from "../peers.ts";
import { createHost, type Host, messageFor } from "./localRig.ts";

let host: Host;
beforeEach(() => void (host = createHost()));
afterEach(() => host.remove());

async function captured(use: (daemon: Daemon) => Promise<void>): Promise<void> {
  const daemon = await host.start(["--capture", "true"]);
  try {
    await use(daemon);
  } finally {
    expect(await daemon.stop()).toBe(0);
  }
}

const stranger = { who: "stranger" } as const;

peer("php").test("PHP's mail() is delivered, and hears of a refusal", async () => {
  await captured(async (daemon) => {
    const php = (code: string) =>
      host.run("php", ["-d", "sendmail_path=sendmail -t -i", "-r", code], stranger);
    const sent = await php(`
      $headers = ["From" => "Shöp <shop@host.example>", "Content-Type" => "text/plain; charset=utf-8",
        "Bcc" => "hidden@b.example"];
      var_dump(mail("Zoe <zoe@b.example>, ann@b.example", "Your order", "Line one\\n.\\nLine three", $headers,
        "-fbounces@host.example"));`);
    expect(sent).toMatchObject({ code: 0, out: "bool(true)\n" });
    const message = await messageFor(daemon, "hidden@b.example");
    expect(message.envelope).toEqual({
      from: "bounces@host.example",
      to: ["zoe@b.example", "ann@b.example", "hidden@b.example"],
    });
    expect([message.subject, message.text?.trimEnd()]).toEqual([
      "Your order",
      "Line one\n.\nLine three",
    ]);
    expect(message.headers.map(({ name }) => name.toLowerCase())).not.toContain("bcc");
    const refused = await php('var_dump(mail("nobody@@", "x", "y"));');
    expect(refused.out).toContain("bool(false)");
  });
});

peer("s-nail").test("s-nail hands in a message with an attachment", async () => {
  await captured(async (daemon) => {
    const mta = join(host.binDir, "sendmail");
    const args = ["-:/", "-Smta=" + mta, "-Sv15-compat", "-r", "me@host.example", "-s", "Report"];
    const all = [...args, "-a", "/etc/hosts", "-c", "copy@b.example", "you@b.example"];
    const ran = await host.run("s-nail", all, { ...stranger, input: "See the file.\n" });
    expect(ran).toMatchObject({ code: 0, err: "" });
    const message = await messageFor(daemon, "copy@b.example");
    expect(message.envelope.to).toEqual(["you@b.example", "copy@b.example"]);
    expect(message.text).toContain("See the file.");
    expect(message.attachments.map((one) => one.filename)).toEqual(["hosts"]);
  });
});
