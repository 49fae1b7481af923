// `postrider trace` against a real daemon: from the DNS to the last reply, with times, until Ctrl-C or the end that was asked for.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { addRecord, type FakeDns, startFakeDns } from "../dns/fakeServer.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { ready, startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { createEnds, newFolder, reaches, send } from "./faultsRig.ts";

const TEST_MS = 60_000;
const ends = createEnds();
let dns: FakeDns;
let daemon: Daemon;
let folder: string;

beforeAll(async () => {
  dns = await startFakeDns();
  ends.add(dns.close);
  const ttl = 3600;
  const data = { preference: 10, exchange: "mx1.example.org" };
  addRecord(dns.zone, { type: "MX", name: "example.org", ttl, data });
  addRecord(dns.zone, { type: "A", name: "mx1.example.org", ttl, data: "127.0.0.1" });
  const args = ["sink", "--listen", "127.0.0.1:0", "--tls", "starttls"];
  const sink = startProcess(binaryPath, args, { env: cleanEnvironment(), cwd: newFolder(ends) });
  ends.add(() => sink.stop());
  const port = await ready(
    sink,
    "the sink listens",
    () => /taking mail at 127\.0\.0\.1:(\d+)/.exec(sink.output())?.[1],
  );
  folder = newFolder(ends);
  const settings = {
    "--dns-servers": `127.0.0.1:${dns.server.port}`,
    ...{ "--smtp-port": port, "--deny-destinations": "none", "--hostname": "one.test" },
  };
  daemon = await startDaemon({ dataDir: folder, flags: Object.entries(settings).flat() });
  ends.add(() => daemon.stop());
}, TEST_MS);
afterAll(() => ends.run(), TEST_MS);

function trace(...words: string[]) {
  const args = ["trace", ...words, "--data-dir", folder];
  const running = startProcess(binaryPath, args, { env: cleanEnvironment() });
  ends.add(() => running.stop());
  return running;
}

const sees = (running: ReturnType<typeof trace>, what: RegExp): Promise<unknown> =>
  until(`it tells ${String(what)}`, () => what.test(running.output()));

describe("trace", () => {
  test(
    "of a domain without mail says so, then tells all from the DNS to the last reply, and ends by Ctrl-C",
    async () => {
      // A name that nobody has asked for yet: its route must be looked for.
      addRecord(dns.zone, { type: "CNAME", name: "fresh.example", ttl: 60, data: "example.org" });
      const running = trace("fresh.example");
      await sees(running, /nothing waits for fresh\.example at this moment/);
      await reaches(daemon, await send(daemon, "ann@fresh.example"), "delivered");
      await sees(running, /< 250 2\.\d\.\d/);
      const text = running.output();
      expect(text).toMatch(/- connect: connected to 127\.0\.0\.1 \(\d+ ms\)/);
      expect(text).toMatch(/> EHLO one\.test/);
      expect(text).toMatch(/< 220 .* \(\d+ ms\)/);
      expect(text).toMatch(/> STARTTLS/);
      expect(text).toMatch(/- tls: TLSv1\.\d.* \(\d+ ms\)/);
      expect(text).toMatch(/> RCPT TO:<ann@fresh\.example>/);
      expect(await running.stop("SIGINT")).toBe(0);
    },
    TEST_MS,
  );

  test(
    "ends by itself after the time that it was given, and tells JSON to whoever wants it",
    async () => {
      const running = trace("example.org", "--json", "--for", "3s");
      await sees(running, /nothing waits|recipients wait/);
      await send(daemon, "ann@example.org");
      expect(await running.exited).toBe(0);
      const lines = running
        .output()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as { who: string; text: string });
      expect(lines.some(({ who, text }) => who === "us" && text.startsWith("RCPT TO"))).toBe(true);
    },
    TEST_MS,
  );

  test(
    "of a message that nobody knows, and of what is no domain, is refused",
    async () => {
      const unknown = trace("0199aa00-0000-7000-8000-000000000000");
      expect(await unknown.exited).toBe(1);
      const none = trace("no domain");
      expect(await none.exited).toBe(64);
    },
    TEST_MS,
  );
});
