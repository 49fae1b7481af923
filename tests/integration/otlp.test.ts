// Traces out of the compiled daemon, received by a collector that is not ours: whole, linked, in order, and never at the expense of mail.
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import { type SinkOptions, type Sink, startSink } from "../../src/sink/server.ts";
import { makeCertificate } from "../fixtures/certificates.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import type { ReceivedSpan } from "../fixtures/otlp.ts";
import { freePort } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { type Ends, letter, newFolder, reaches, send, timeline, within } from "./faultsRig.ts";
import {
  bare,
  type Collector,
  only,
  type Reply,
  spanCounts,
  startCollector,
  startResolver,
  takes,
  traced,
} from "./otlpRig.ts";
import { api, fine, startReceiver, subscribe } from "./webhookRig.ts";

const TEST_MS = 60_000;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = `00-${TRACE}-b7ad6b7169203331-01`;

interface World {
  readonly daemon: Daemon;
  readonly folder: string;
  readonly collector: Collector;
  /** In the place of the one before. */
  sink(options: Omit<SinkOptions, "listen">): Promise<Sink>;
  /** Kills the daemon and starts another on the same folder. */
  again(): Promise<Daemon>;
}

async function world(ends: Ends, flags: readonly string[] = []): Promise<World> {
  const folder = newFolder(ends);
  const collector = await startCollector(ends);
  const resolver = await startResolver(ends);
  let present = await startSink({ listen: { host: "127.0.0.1", port: 0 }, tls: "starttls" });
  const { port } = present;
  ends.add(() => present.stop());
  const start = async (): Promise<Daemon> => {
    const started = await startDaemon({
      dataDir: folder,
      flags: [
        ...["--otlp-endpoint", collector.url, "--dns-servers", `127.0.0.1:${resolver}`],
        ...["--smtp-port", String(port), "--deny-destinations", "none", "--workers", "1"],
        ...["--hostname", "sender.test", "--webhook-allow", "127.0.0.0/8", ...flags],
      ],
    });
    ends.add(started.stop);
    return started;
  };
  const daemon = await start();
  return {
    ...{ daemon, folder, collector },
    async again() {
      await daemon.process.stop("SIGKILL");
      return start();
    },
    async sink(options) {
      await present.stop();
      present = await startSink({ ...options, listen: { host: "127.0.0.1", port } });
      return present;
    },
  };
}

/** Clocks of two threads read the same instant up to so much apart. */
const SKEW_NS = 2_000_000n;

function expectWithin(inner: ReceivedSpan, outer: ReceivedSpan, skewNs = 0n): void {
  expect([inner.name, inner.startNs >= outer.startNs - skewNs]).toEqual([inner.name, true]);
  expect([inner.name, inner.endNs <= outer.endNs + skewNs]).toEqual([inner.name, true]);
}

/** Ids link, children of what ends with them lie within it, and what follows the answer follows it. */
function expectTree(spans: readonly ReceivedSpan[], root: ReceivedSpan): void {
  const byId = new Map(spans.map((one) => [one.spanId, one]));
  expect(byId.size).toBe(spans.length);
  for (const span of spans) {
    expect(span.endNs >= span.startNs).toBe(true);
    if (span === root) continue;
    const parent = byId.get(span.parentId);
    if (parent === undefined) throw new Error(`${span.name} has no parent here`);
    const follows = parent === root && !["compose", "commit"].includes(span.name);
    if (follows) expect(span.startNs >= root.startNs - SKEW_NS).toBe(true);
    else expectWithin(span, parent);
  }
}

test(
  "a deferral, the delivery after it and its webhook are one trace, which goes on where the caller's ends",
  () =>
    within(async (ends) => {
      const { daemon, collector, sink } = await world(ends, ["--trace-sample", "0%"]);
      const receiver = await startReceiver(ends, fine);
      await subscribe(daemon, receiver.url);
      await sink({ tls: "starttls", faults: [{ phase: "rcpt", code: 451, rate: 1 }] });
      const answer = await daemon.request("/send", {
        method: "POST",
        headers: { "content-type": "application/json", traceparent: CALLER, tracestate: "a=1" },
        body: letter("ann@there.test"),
      });
      const { id } = (await answer.json()) as { id: string };
      await reaches(daemon, id, "deferred");
      await traced(collector, TRACE, ["deliver attempt 1"]);
      await sink({ tls: "starttls" });
      await api(daemon, "POST", `/emails/${id}/retry`);
      await reaches(daemon, id, "delivered");
      await traced(collector, TRACE, ["deliver attempt 2", "webhook"]);
      const spans = await until("every event has its webhook", () => {
        const found = collector.spans.filter(({ traceId }) => traceId === TRACE);
        return found.filter(({ name }) => name === "webhook").length >= 5 && found;
      });

      const root = only(spans, "POST /send");
      expect(root).toMatchObject({ parentId: "b7ad6b7169203331", kind: "server", state: "a=1" });
      expect(root.attributes["messaging.message.id"]).toBe(id);
      expectTree(spans, root);

      const [first, second] = [only(spans, "deliver attempt 1"), only(spans, "deliver attempt 2")];
      expect(first).toMatchObject({ kind: "client", status: "error" });
      expect(first.attributes).toMatchObject({
        ...{ "error.type": "451", "smtp.phase": "rcpt", "postrider.outcome": "deferred" },
        ...{ "messaging.destination.name": "there.test", "network.peer.address": "127.0.0.1" },
        ...{ "server.address": "mx.there.test", "tls.protocol.version": "1.3" },
      });
      expect(second).toMatchObject({ kind: "client", status: "unset" });
      expect(second.startNs > first.endNs).toBe(true);
      const waits = spans.filter(({ name }) => name === "queue.wait");
      expect(waits.map((one) => one.attributes["postrider.wait.reason"]).toSorted()).toEqual(
        ["dns", String(first.attributes["postrider.trouble"])].toSorted(),
      );
      const below = (parent: ReceivedSpan): string[] =>
        spans.filter(({ parentId }) => parentId === parent.spanId).map(({ name }) => name);
      for (const name of ["connect", "greeting", "EHLO", "STARTTLS", "tls", "MAIL", "RCPT"])
        for (const one of [first, second]) expect(below(one)).toContain(name);
      expect(below(second)).toContain("end of DATA");
      expect(only(spans, "dns").attributes["dns.question.name"]).toBe("there.test");

      const told = receiver.taken.map(({ headers }) => headers["traceparent"]);
      const hooks = spans.filter(({ name }) => name === "webhook");
      expect(hooks.map(({ spanId }) => `00-${TRACE}-${spanId}-01`).toSorted()).toEqual(
        told.map(String).toSorted(),
      );
      expect(receiver.taken[0]?.headers["tracestate"]).toBe("a=1");

      const events = await timeline(daemon, id);
      expect(new Set(events.map(({ postrider }) => postrider["trace_id"]))).toEqual(
        new Set([TRACE]),
      );
      const sessions = events.flatMap(({ postrider }) => postrider["session_id"] ?? []);
      expect(sessions.map(String)).toContain(String(second.attributes["postrider.session.id"]));
      const list = await api<{ data: { id: string }[] }>(daemon, "GET", `/emails?trace=${TRACE}`);
      expect(list.data.map((one) => one.id)).toEqual([id]);
      expect(collector.resources[0]).toMatchObject({ "service.name": "postrider" });
      expect(JSON.stringify(collector.spans.map(({ attributes }) => attributes))).not.toContain(
        "ann@",
      );
    }),
  TEST_MS,
);

test(
  "at 0 % what went wrong is there with its beginning, and what went well is not",
  () =>
    within(async (ends) => {
      const { daemon, collector } = await world(ends, ["--trace-sample", "0%"]);
      const well = await send(daemon, "ok@there.test");
      const bounced = await send(daemon, "hard-rcpt@there.test");
      const nowhere = await send(daemon, "ann@none.test");
      const doubt = await send(daemon, "drop-after-dot@there.test");
      const spansOf = (id: string) =>
        traced(collector, bare(id), ["POST /send", "deliver attempt 1"]);
      for (const id of [bounced, nowhere, doubt]) {
        const spans = await spansOf(id);
        expectTree(spans, only(spans, "POST /send"));
        expect(only(spans, "deliver attempt 1").status).toBe("error");
      }
      expect(only(await spansOf(doubt), "deliver attempt 1").attributes["postrider.doubt"]).toBe(
        true,
      );
      const refused = only(await spansOf(nowhere), "deliver attempt 1");
      expect(refused.attributes).toMatchObject({ "error.type": "dns", "smtp.phase": "route" });
      await reaches(daemon, well, "delivered");
      await daemon.stop();
      expect(collector.spans.filter(({ traceId }) => traceId === bare(well))).toEqual([]);
    }),
  TEST_MS,
);

test(
  "at 100 % every message has its trace, by whichever door it came, and the end sends the last ones",
  () =>
    within(async (ends) => {
      const { daemon, collector } = await world(ends, ["--trace-sample", "100%"]);
      const ids = await Promise.all(
        Array.from({ length: 20 }, (_, i) => send(daemon, `a${i}@there.test`)),
      );
      const batch = await api<{ data: { id: string }[] }>(daemon, "POST", "/send/batch", [
        JSON.parse(letter("b@there.test")),
      ]);
      const inBatch = batch.data[0]?.id ?? "";
      for (const id of [...ids, inBatch]) await reaches(daemon, id, "delivered");
      await daemon.stop();
      for (const id of ids) {
        const spans = await traced(collector, bare(id), ["POST /send", "deliver attempt 1"]);
        expectTree(spans, only(spans, "POST /send"));
      }
      await traced(collector, bare(inBatch), ["POST /send/batch", "deliver attempt 1"]);
    }),
  TEST_MS,
);

test(
  "an attempt after a kill belongs to the trace that the process before began, its caller's as well",
  () =>
    within(async (ends) => {
      const { daemon, collector, sink, again } = await world(ends, ["--trace-sample", "0%"]);
      await sink({ faults: [{ phase: "rcpt", code: 451, rate: 1 }] });
      const own = await send(daemon, "ann@there.test");
      const answer = await daemon.request("/send", {
        method: "POST",
        headers: { "content-type": "application/json", traceparent: CALLER.replace(/01$/, "00") },
        body: letter("bob@there.test"),
      });
      const { id: called } = (await answer.json()) as { id: string };
      const traces = { [own]: bare(own), [called]: TRACE };
      for (const trace of Object.values(traces)) await traced(collector, trace, ["POST /send"]);
      const next = await again();
      await sink({});
      for (const id of [own, called]) {
        await reaches(next, id, "deferred");
        await api(next, "POST", `/emails/${id}/retry`);
        await reaches(next, id, "delivered");
        const trace = traces[id] ?? "";
        const spans = await traced(collector, trace, ["deliver attempt 1", "deliver attempt 2"]);
        expectTree(spans, only(spans, "POST /send"));
        expect(only(spans, "deliver attempt 2").attributes["postrider.trace.kept"]).toBe("retry");
      }
    }),
  TEST_MS,
);

test(
  "mail by SMTP has a trace from its listener on",
  () =>
    within(async (ends) => {
      const port = await freePort();
      const flags = ["--trace-sample", "100%", "--smtp-listen", `127.0.0.1:${port}`];
      const { daemon, collector } = await world(ends, flags);
      const client = createTransport({
        host: "127.0.0.1",
        port,
        auth: { user: "x", pass: daemon.key },
      });
      ends.add(() => client.close());
      const { response } = await client.sendMail({
        ...{ from: "a@sender.test", to: "ok@there.test", subject: "s", text: "t" },
      });
      const id = /[0-9a-f-]{36}/.exec(response)?.[0] ?? "";
      const spans = await traced(collector, bare(id), ["SMTP", "deliver attempt 1"]);
      expectTree(spans, only(spans, "SMTP"));
    }),
  TEST_MS,
);

const hangs: Reply = () => {};
const says =
  (code: number): Reply =>
  (response) =>
    void response.writeHead(code, { "retry-after": "1" }).end();

test.each<[string, Reply | "down"]>([
  ["is down", "down"],
  ["hangs", hangs],
  ["answers 503", says(503)],
  ["refuses what it gets", says(400)],
])(
  "a collector that %s costs mail nothing, and the end of the daemon does not wait for it",
  (_, reply) =>
    within(async (ends) => {
      const flags = reply === "down" ? ["--otlp-endpoint", "http://127.0.0.1:1"] : [];
      const { daemon, collector } = await world(ends, ["--trace-sample", "100%", ...flags]);
      collector.reply = reply === "down" ? takes : reply;
      const ids = await Promise.all(
        Array.from({ length: 30 }, (_, i) => send(daemon, `a${i}@there.test`)),
      );
      for (const id of ids) await reaches(daemon, id, "delivered");
      if (reply !== "down") await until("it was asked", () => collector.asked.length > 0);
      expect(await daemon.stop()).toBe(0);
      expect(daemon.process.output()).toContain("otlp.failing");
      expect(collector.spans).toEqual([]);
    }),
  TEST_MS,
);

test(
  "spans that a collector refuses for good are counted as failed",
  () =>
    within(async (ends) => {
      const { daemon, collector } = await world(ends, ["--trace-sample", "100%"]);
      collector.reply = says(401);
      await send(daemon, "ok@there.test");
      const counts = await until("they are counted", async () => {
        const found = await spanCounts(daemon);
        return (found["failed"] ?? 0) > 0 && found;
      });
      expect(counts).toMatchObject({ exported: 0, dropped: 0, rejected: 0 });
    }),
  TEST_MS,
);

test(
  "a collector that comes back takes what waited, and the log tells of both",
  () =>
    within(async (ends) => {
      const { daemon, collector } = await world(ends, ["--trace-sample", "100%"]);
      collector.reply = says(503);
      const id = await send(daemon, "ok@there.test");
      await until("the log says that it fails", () =>
        daemon.process.output().includes("otlp.failing"),
      );
      collector.reply = takes;
      await traced(collector, bare(id), ["POST /send", "deliver attempt 1"]);
      await until("the log says that it is well", () =>
        daemon.process.output().includes("otlp.recovered"),
      );
      const counts = await until("what was sent is counted", async () => {
        const found = await spanCounts(daemon);
        return (found["exported"] ?? 0) > 0 && found;
      });
      expect(counts).toMatchObject({ failed: 0, dropped: 0, rejected: 0 });
    }),
  TEST_MS,
);

test(
  "the collector, its headers and its share are settings that a reload changes, and a secret is not shown",
  () =>
    within(async (ends) => {
      const folder = newFolder(ends);
      const root = makeCertificate({ name: "Laboratory", isAuthority: true });
      const authorities = join(folder, "authorities.pem");
      writeFileSync(authorities, root.cert);
      const names = ["localhost"];
      const identity = makeCertificate({ name: "collector", names, issuer: root });
      const hosted = await startCollector(ends, identity);
      const file = join(folder, "postrider.toml");
      const secret = join(folder, "otlp");
      writeFileSync(secret, "authorization=Bearer%20s3cret\n");
      writeFileSync(file, `tls_ca_file = "${authorities}"\nworkers = 1\n`);
      const daemon = await startDaemon({
        dataDir: folder,
        flags: ["--config", file, "--hostname", "sender.test"],
      });
      ends.add(daemon.stop);
      await reaches(daemon, await send(daemon, "delivered@postrider.test"), "delivered");
      const lines = [
        ...[`tls_ca_file = "${authorities}"`, "workers = 1", `otlp_endpoint = "${hosted.url}/x"`],
        ...[`otlp_headers_file = "${secret}"`, 'trace_sample = "100%"', "otlp_metrics = true"],
      ];
      writeFileSync(file, `${lines.join("\n")}\n`);
      await api(daemon, "POST", "/reload", {});
      const id = await send(daemon, "delivered@postrider.test");
      await traced(hosted, bare(id), ["POST /send", "deliver attempt 1"]);
      expect(hosted.asked[0]).toMatchObject({
        path: "/x/v1/traces",
        headers: { authorization: "Bearer s3cret", "content-encoding": "gzip" },
      });
      const shown = Bun.spawnSync([binaryPath, "config", "show", "--config", file], {
        env: cleanEnvironment() as Record<string, string>,
        cwd: folder,
      }).stdout.toString();
      expect(shown).toContain("otlp_headers");
      expect(shown + daemon.process.output() + readFileSync(join(folder, "api-key"))).not.toContain(
        "s3cret",
      );
      // What is pushed last is what was counted to the end.
      await daemon.stop();
      const last = hosted.metrics.at(-1) ?? [];
      const accepted = last.find(({ name }) => name === "postrider_messages_accepted_total");
      const values = (accepted?.points ?? []) as { labels: object; value: number }[];
      expect(values.find(({ value }) => value > 0)).toMatchObject({ value: 2 });
      expect(last.length).toBeGreaterThan(30);
      expect(hosted.asked.some(({ path }) => path === "/x/v1/metrics")).toBe(true);
    }),
  TEST_MS,
);
