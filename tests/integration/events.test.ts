// Suppressions, the event stream and reports through the compiled daemon: over kills and restarts, by HTTP and by the commands.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { Resend } from "resend";
import { startSink } from "../../src/sink/server.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { type Ends, newFolder, reaches, send, timeline, within } from "./faultsRig.ts";
import { hears, listen } from "./followRig.ts";

const TEST_MS = 60_000;

interface World {
  readonly folder: string;
  readonly start: () => Promise<Daemon>;
  /** Addresses that a RCPT named, in order. */
  readonly taken: string[];
}

async function world(ends: Ends): Promise<World> {
  const taken: string[] = [];
  const sink = await startSink({
    listen: { host: "127.0.0.1", port: 0 },
    onTaken: ({ recipients }) => void taken.push(...recipients),
  });
  ends.add(sink.stop);
  const folder = newFolder(ends);
  const relay = ["--relay", `smtp://127.0.0.1:${sink.port}?tls=off`];
  const flags = [...relay, "--hostname", "sender.test", "--workers", "1"];
  return { folder, taken, start: () => startDaemon({ dataDir: folder, flags }) };
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface Running {
  /** What it has said so far. */
  out(): string;
  readonly ended: Promise<Ran>;
  kill(): void;
}

function command(folder: string, ...args: readonly string[]): Running {
  const child = Bun.spawn([binaryPath, ...args, "--data-dir", folder], {
    env: cleanEnvironment() as Record<string, string>,
    cwd: folder,
    ...({ stdout: "pipe", stderr: "pipe", stdin: "ignore" } as const),
  });
  let out = "";
  const reading = (async () => {
    const text = new TextDecoder();
    for await (const chunk of child.stdout) out += text.decode(chunk, { stream: true });
  })();
  const said = Promise.all([new Response(child.stderr).text(), child.exited, reading]);
  const ended = said.then(([err, code]): Ran => ({ out, err, code }));
  return { out: () => out, ended, kill: () => child.kill() };
}

const json = async (answer: Promise<Response>): Promise<unknown> => (await answer).json();

test(
  "a bounce keeps the next mail back, through a kill too, until the address is taken off the list",
  () =>
    within(async (ends) => {
      const { folder, taken, start } = await world(ends);
      let daemon = await start();
      ends.add(() => daemon.stop());
      const both = "hard-rcpt@b.test";
      await reaches(daemon, await send(daemon, both), "bounced");
      await daemon.process.stop("SIGKILL");
      daemon = await start();
      const answer = await json(
        daemon.request("/send", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({
            ...{ from: "a@sender.test", to: ["Hard-Rcpt@B.test", "ok@b.test"] },
            ...{ subject: "s", text: "t" },
          }),
        }),
      );
      const { id, recipients } = answer as { id: string; recipients: unknown };
      expect(recipients).toMatchObject([{ status: "suppressed" }, { status: "queued" }]);
      await until("the rest of the message goes out", () => taken.includes("ok@b.test"));
      const told = (await timeline(daemon, id)).filter(({ type }) => type === "email.suppressed");
      expect(told).toMatchObject([{ postrider: { text: expect.stringContaining("5.1.1") } }]);
      const listed = await command(folder, "suppress", "list", "--json").ended;
      expect(JSON.parse(listed.out)).toMatchObject([{ email: both, origin: "bounce" }]);
      expect(await command(folder, "suppress", "remove", both).ended).toMatchObject({ code: 0 });
      expect(await command(folder, "suppress", "remove", both).ended).toMatchObject({ code: 1 });
      const again = await send(daemon, both);
      await reaches(daemon, again, "bounced");
      const types = (await timeline(daemon, again)).map(({ type }) => type);
      expect(types).toContain("email.attempted");
      await reaches(daemon, await send(daemon, both), "suppressed");
    }),
  TEST_MS,
);

test(
  "a stream that is cut by a kill and by a restart tells everything once and in order",
  () =>
    within(async (ends) => {
      const { start } = await world(ends);
      let daemon = await start();
      ends.add(() => daemon.stop());
      const stream = listen(daemon, 0);
      ends.add(stream.close);
      const ids: string[] = [];
      for (const signal of ["SIGKILL", "SIGTERM", undefined] as const) {
        for (let i = 0; i < 20; i++) ids.push(await send(daemon, `ok+${i}@b.test`));
        const last = ids.at(-1);
        await hears(stream, ({ type, data }) => type === "email.sent" && data.email_id === last);
        if (signal === undefined) break;
        await daemon.process.stop(signal);
        daemon = await start();
        stream.moveTo(daemon);
      }
      for (const id of ids)
        await hears(stream, ({ type, data }) => type === "email.delivered" && data.email_id === id);
      const told = stream.heard.map(({ id }) => id);
      const listed: number[] = [];
      for (let after = 0, more = true; more;) {
        const page = await json(daemon.request(`/events?after=${after}&limit=100`));
        const { data, has_more, next } = page as {
          data: { id: number }[];
          has_more: boolean;
          next: number;
        };
        listed.push(...data.map(({ id }) => id));
        more = has_more;
        after = next;
      }
      expect(told).toEqual(listed.slice(0, told.length));
      expect(listed.length - told.length).toBeLessThan(3);
    }),
  TEST_MS,
);

test(
  "a daemon with open streams stops at once, and tail goes on with the next one",
  () =>
    within(async (ends) => {
      const { folder, start } = await world(ends);
      let daemon = await start();
      ends.add(() => daemon.stop());
      const streams = await Promise.all(
        Array.from({ length: 20 }, () => daemon.request("/events/stream")),
      );
      const args = ["--json", "--type", "delivered", "--after", "0", "--count", "2"];
      const tail = command(folder, "tail", ...args);
      ends.add(tail.kill);
      const first = await send(daemon, "ok@b.test");
      await until("the tail tells the first", () => tail.out().includes(first));
      expect(await daemon.process.stop()).toBe(0);
      for (const one of streams) expect(await one.text()).toContain("retry: ");
      daemon = await start();
      const second = await send(daemon, "ok@b.test");
      const { code, out, err } = await tail.ended;
      expect(code).toBe(0);
      // A daemon that is back before the tail comes again was not missed.
      expect(err).toMatch(/^(the daemon is away: waiting for it\nthe daemon is back\n)?$/);
      const lines = out.trim().split("\n");
      expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        { type: "email.delivered", data: { email_id: first } },
        { type: "email.delivered", data: { email_id: second } },
      ]);
    }),
  TEST_MS,
);

test(
  "a report of the relay becomes an event and a suppression, a forged one neither",
  () =>
    within(async (ends) => {
      const { start } = await world(ends);
      const daemon = await start();
      ends.add(daemon.stop);
      const more = { return_path: "bounces+{id}@sender.test" };
      const [bounced, complained] = [
        await send(daemon, "ok+1@b.test", more),
        await send(daemon, "ok+2@b.test", more),
      ];
      for (const id of [bounced, complained]) await reaches(daemon, id, "delivered");
      const report = (text: string) =>
        json(
          daemon.request("/reports", {
            method: "POST",
            headers: { "content-type": "message/rfc822" },
            body: text.replaceAll("\n", "\r\n"),
          }),
        );
      expect(await report(bounceOf(`bounces+${bounced}@sender.test`, "ok+1@b.test"))).toEqual({
        ...{ object: "report", kind: "dsn" },
        results: [
          { recipient: "ok+1@b.test", email_id: bounced, result: "recorded", suppressed: true },
        ],
      });
      expect(await report(complaintOf(`bounces+${complained}@sender.test`))).toMatchObject({
        results: [{ recipient: "ok+2@b.test", result: "recorded", suppressed: true }],
      });
      for (const text of [
        bounceOf(`bounces+${complained}@sender.test`, "victim@b.test"),
        bounceOf(`other+${complained}@sender.test`, "ok+2@b.test"),
      ])
        expect(await report(text)).toMatchObject({ results: [{ result: "unmatched" }] });
      const [sent] = (await timeline(daemon, bounced)).slice(-1);
      expect(sent).toMatchObject({
        ...{ type: "email.bounced" },
        postrider: { origin: "report", state: "delivered", enhanced: "5.1.1" },
      });
      expect((await timeline(daemon, complained)).at(-1)?.type).toBe("email.complained");
      for (const to of ["ok+1@b.test", "ok+2@b.test"])
        await reaches(daemon, await send(daemon, to), "suppressed");
      const counted = (result: string, times: number): string =>
        `postrider_reports_total{kind="dsn",result="${result}"} ${times}\n`;
      let metrics = "";
      await until("the reports are counted", async () => {
        metrics = await (await daemon.request("/metrics")).text();
        return metrics.includes(counted("unmatched", 2));
      });
      expect(metrics).toContain(counted("forged", 0));
    }),
  TEST_MS,
);

function bounceOf(to: string, recipient: string): string {
  return `From: MAILER-DAEMON@b.test
To: ${to}
Content-Type: multipart/report; report-type=delivery-status; boundary=B

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.b.test

Final-Recipient: rfc822; ${recipient}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user

--B--
`;
}

function complaintOf(from: string): string {
  return `From: fbl@b.test
To: fbl@sender.test
Content-Type: multipart/report; report-type=feedback-report; boundary=B

--B
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: FBL/1
Version: 1
Original-Mail-From: ${from}

--B--
`;
}

test(
  "a list is imported, and the official resend package reads, adds and removes",
  () =>
    within(async (ends) => {
      const { folder, start } = await world(ends);
      const daemon = await start();
      ends.add(daemon.stop);
      const file = join(folder, "list.csv");
      const rows = Array.from({ length: 2500 }, (_, i) => `x,"user${i}@c.test",2026-01-01`);
      const strange = ["x,nobody,2026-01-01", "x,a b@c.test,2026-01-01"];
      writeFileSync(file, ["id,Email,date", ...rows, ...strange, rows[0]].join("\r\n"));
      const first = await command(folder, "suppress", "import", file, "--json").ended;
      expect(first.err).toBe("");
      expect(JSON.parse(first.out)).toEqual({ added: 2500, known: 1, left_out: 2 });
      const second = await command(folder, "suppress", "import", file).ended;
      expect(second.out).toContain("added 0, 2501 were there");
      const resend = new Resend(daemon.key, { baseUrl: daemon.url });
      const added = await resend.suppressions.add({ email: "ann@c.test" });
      const got = await resend.suppressions.get("ann@c.test");
      expect(got.data).toMatchObject({ id: added.data?.id, origin: "manual", source_id: null });
      const page = await resend.suppressions.list({ origin: "manual", limit: 2 });
      expect(page.data).toMatchObject({ has_more: true, data: [{ email: "ann@c.test" }, {}] });
      const emails = ["user1@c.test", "nobody@c.test"];
      const removed = await resend.suppressions.batch.remove({ emails });
      expect(removed.data?.data).toMatchObject([{ deleted: true }]);
      const batch = await resend.suppressions.batch.add({ emails: ["user1@c.test"] });
      expect(batch.data?.data).toHaveLength(1);
      expect((await resend.suppressions.remove(added.data?.id ?? "")).data?.deleted).toBe(true);
      expect((await resend.suppressions.get("ann@c.test")).error?.name).toBe("not_found");
    }),
  TEST_MS,
);

peer("curl").test(
  "the README's lines do what they say",
  () =>
    within(async (ends) => {
      const { folder, start } = await world(ends);
      const daemon = await start();
      ends.add(daemon.stop);
      writeFileSync(join(folder, "bounces.csv"), "bob@example.com\n");
      const readme = readFileSync(join(import.meta.dir, "..", "..", "README.md"), "utf8");
      const lines = readme.match(/^dist\/postrider (tail|suppress) .*$/gm) ?? [];
      const words = lines.map((line) => {
        const found = line.match(/"[^"]*"|\S+/g) ?? [];
        return found.slice(1).map((word) => word.replaceAll('"', ""));
      });
      const [following = [], ...others] = words;
      expect(others.length).toBe(4);
      const tail = command(folder, ...following, "--after", "0");
      ends.add(tail.kill);
      for (const args of others) {
        const ran = await command(folder, ...args).ended;
        expect([args, ran.code, ran.err]).toEqual([args, 0, ""]);
      }
      const id = await send(daemon, "bob@example.com");
      await until("the tail tells it", () => tail.out().includes(`suppressed       ${id}`));
      const text = bounceOf(`bounces+${id}@sender.test`, "bob@example.com");
      const line = /^curl \S+\/reports.*$/m.exec(readme)?.[0] ?? "";
      const shell = Bun.spawn(
        ["/bin/sh", "-c", line.replace("http://127.0.0.1:8250", daemon.url)],
        {
          env: { PATH: process.env["PATH"] ?? "", KEY: daemon.key, RECIPIENT: "x@sender.test" },
          stdin: new TextEncoder().encode(text),
          stderr: "ignore",
          stdout: "pipe",
        },
      );
      expect(JSON.parse(await new Response(shell.stdout).text())).toMatchObject({
        ...{ object: "report", kind: "dsn", results: [{ result: "unmatched" }] },
      });
    }),
  TEST_MS,
);

test(
  "a client that does not read holds up nobody, and is told everything once it does",
  () =>
    within(async (ends) => {
      const { start } = await world(ends);
      const daemon = await start();
      ends.add(daemon.stop);
      const slow = connect(daemon.port, "127.0.0.1");
      ends.add(() => slow.destroy());
      slow.pause();
      const head = `GET /events/stream?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${daemon.key}\r\n\r\n`;
      slow.write(head);
      const stream = listen(daemon, 0);
      ends.add(stream.close);
      // More than the sockets between hold.
      const tag = { tags: [{ name: "t", value: "x".repeat(250) }], subject: "s".repeat(900) };
      const messages = Array.from({ length: 500 }, (_, i) => ({
        ...{ from: "a@sender.test", to: `ok+${i}@b.test`, text: "t", ...tag },
      }));
      let sent = 0;
      for (let i = 0; i < 4; i++) {
        const answer = await daemon.request("/send/batch", {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(messages),
        });
        expect(answer.status).toBe(202);
        sent += messages.length;
      }
      const delivered = (): number =>
        stream.heard.filter(({ type }) => type === "email.delivered").length;
      await until("the other hears all of it", () => delivered() === sent);
      const ids: number[] = [];
      let rest = "";
      slow.on("data", (chunk) => {
        const lines = (rest + chunk.toString("latin1")).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines)
          if (line.startsWith("id: ")) ids.push(Number(line.slice("id: ".length)));
      });
      slow.resume();
      const wanted = stream.heard.map(({ id }) => id);
      await until("it catches up", () => ids.includes(wanted.at(-1) ?? -1));
      const known = new Set(wanted);
      expect([...new Set(ids)].filter((id) => known.has(id))).toEqual(wanted);
    }),
  TEST_MS,
);
