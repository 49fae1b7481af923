// Traces out of the compiled daemon, received by a collector that is not ours: whole, linked, in order.
import { expect, test } from "bun:test";
import { createTransport } from "nodemailer";
import type { ReceivedSpan } from "../fixtures/otlp.ts";
import { freePort } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { letter, reaches, send, timeline, within } from "./faultsRig.ts";
import { bare, expectTree, only, traced, world } from "./otlpRig.ts";
import { api, fine, startReceiver, subscribe } from "./webhookRig.ts";

const TEST_MS = 60_000;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = `00-${TRACE}-b7ad6b7169203331-01`;

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
