// `require_tls` against servers with and without encryption, through the compiled daemon.
import { expect, test } from "bun:test";
import { startSink } from "../../src/sink/server.ts";
import { addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { startDaemon } from "../fixtures/daemon.ts";
import { freePort } from "../fixtures/process.ts";
import { newFolder, reaches, send, timeline, within } from "./faultsRig.ts";

test("mail that must be encrypted waits where it cannot be, and other mail there does not", () =>
  within(async (ends) => {
    const port = await freePort();
    let inClear = 0;
    const sinkAt = async (host: string, tls: "starttls" | undefined): Promise<void> => {
      const onTaken = (): void => void (inClear += tls === undefined ? 1 : 0);
      const sink = await startSink({ listen: { host, port }, tls, onTaken });
      ends.add(sink.stop);
    };
    await sinkAt("127.0.0.2", undefined);
    await sinkAt("127.0.0.3", "starttls");
    const dns = await startFakeDns();
    ends.add(dns.close);
    addRecord(dns.zone, { type: "A", name: "clear.test", ttl: 300, data: "127.0.0.2" });
    addRecord(dns.zone, { type: "A", name: "tls.test", ttl: 300, data: "127.0.0.3" });
    const daemon = await startDaemon({
      dataDir: newFolder(ends),
      flags: [
        ...["--dns-servers", `127.0.0.1:${dns.server.port}`, "--smtp-port", String(port)],
        ...["--deny-destinations", "none", "--hostname", "sender.test"],
      ],
    });
    ends.add(daemon.stop);

    const usual = await send(daemon, "ok@clear.test");
    await reaches(daemon, usual, "delivered");
    const strict = await send(daemon, "ok@clear.test", { require_tls: true });
    const waiting = await reaches(daemon, strict, "deferred");
    expect(waiting.last).toContain("TLS");
    const next = await send(daemon, "ok@clear.test");
    await reaches(daemon, next, "delivered");
    expect(inClear).toBe(2);

    const encrypted = await send(daemon, "ok@tls.test", { require_tls: true });
    await reaches(daemon, encrypted, "delivered");
    const told = (await timeline(daemon, encrypted)).find(({ type }) => type === "email.delivered");
    expect(told?.postrider["tls"]).toMatchObject({ policy: "required" });
  }));
