// The metrics of the compiled daemon: each that the contract names is there, and tells what happened.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { metricTable } from "../../src/mail/metrics.ts";
import { until } from "../fixtures/until.ts";
import { createEnds, letter, reaches, send } from "./faultsRig.ts";
import {
  type LoadedDaemon,
  many,
  OPEN_METRICS,
  pageOf,
  sent,
  slow,
  startLoadedDaemon,
  valuesIn,
} from "./metricsRig.ts";

setDefaultTimeout(30_000);
const ends = createEnds();
let loaded: LoadedDaemon;

beforeAll(async () => {
  loaded = await startLoadedDaemon(ends);
}, 60_000);
afterAll(ends.run);

test("the table, the page and the README have the same metrics, kinds and labels", async () => {
  const text = await pageOf(loaded.daemon);
  const readme = readFileSync(join(import.meta.dir, "..", "..", "README.md"), "utf8");
  const tableRows = readme.split("\n").filter((line) => line.startsWith("| `"));
  const kinds = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, a = "", b]) => [a, b]),
  );
  const helps = new Map([...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, a = "", b]) => [a, b]));
  // Only with a certificate of its own.
  const absent = new Set(["postrider_tls_cert_expiry_timestamp_seconds"]);
  for (const { name, kind, labels, help } of metricTable) {
    const shown = labels.length === 0 ? name : `${name}{${labels.join(",")}}`;
    expect(tableRows).toContain(`| \`${shown}\` | ${kind} | ${help.replaceAll("|", "\\|")} |`);
    if (absent.has(name)) continue;
    expect([name, kinds.get(name), helps.get(name)]).toEqual([name, kind, help]);
    const series = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? `, "m").exec(text);
    const told = [...(series?.[1] ?? "").matchAll(/(\w+)="/g)].map(([, label]) => label);
    expect([name, ...told]).toEqual([name, ...labels]);
  }
  for (const name of kinds.keys()) expect(metricTable.map((row) => row.name)).toContain(name);
});

test("what was counted is what happened", async () => {
  const values = valuesIn(await pageOf(loaded.daemon));
  const expected: Readonly<Record<string, number>> = {
    'postrider_messages_accepted_total{door="http"}': sent.byHttp,
    'postrider_messages_accepted_total{door="smtp"}': sent.bySmtp,
    postrider_accept_duration_seconds_count: sent.byHttp + sent.bySmtp,
    'postrider_accept_to_delivered_seconds_count{priority="p1"}': sent.delivered,
    'postrider_recipients_total{result="delivered"}': sent.delivered,
    'postrider_recipients_total{result="bounced"}': sent.bounced,
    'postrider_queue_recipients{state="deferred",priority="p1"}': 2,
    'postrider_queue_recipients{state="queued",priority="p1"}': 0,
    'postrider_queue_age_messages{priority="p1",age="1m"}': 2,
    'postrider_attempts_total{site="tls.test",result="delivered",class="none"}': sent.toTls,
    'postrider_attempts_total{site="postrider.test",result="failed",class="mailbox"}': 1,
    'postrider_attempts_total{site="postrider.test",result="deferred",class="other"}': 1,
    'postrider_attempts_total{site="rough.test",result="deferred",class="network"}': 1,
    postrider_doubts_total: 1,
    'postrider_rejected_total{reason="validation_error"}': 1,
    'postrider_rejected_total{reason="queue_full"}': 0,
    'postrider_http_requests_total{route="send",status="2xx"}': sent.byHttp,
    'postrider_http_requests_total{route="send",status="4xx"}': 1,
    'postrider_http_requests_total{route="other",status="4xx"}': 1,
    'postrider_submission_sessions_total{tls="false"}': 1,
    'smtp_transactions_total{site="tls.test",tls="true",reused="false"}': 1,
    'smtp_transactions_total{site="tls.test",tls="true",reused="true"}': sent.toTls - 1,
    'smtp_session_errors_total{site="rough.test",phase="dot",reason="closed"}': 1,
    'smtp_tls_handshake_duration_seconds_count{resumed="false",version="TLSv1.3"}': 1,
    'smtp_tls_verify_duration_seconds_count{verified="false"}': 1,
    // Ours counts the dots that were answered, and the one that was not.
    'smtp_command_duration_seconds_count{command="dot",code="2xx"}': sent.delivered,
    'smtp_command_duration_seconds_count{command="dot",code="none"}': 1,
    'smtp_command_duration_seconds_count{command="rcpt",code="5xx"}': 1,
    'dns_cache_lookups_total{level="l1",result="stale"}': 0,
    postrider_accepting: 1,
    postrider_uplink_up: 1,
  };
  for (const [series, value] of Object.entries(expected))
    expect([series, values.get(series)]).toEqual([series, value]);
  for (const thread of ["door", "queue", "reader", "sender-0"])
    expect(values.get(`postrider_thread_cpu_seconds_total{thread="${thread}"}`)).toBeGreaterThan(0);
  const asked = ["MX", "A"].map((type) =>
    values.get(`dns_query_duration_seconds_count{type="${type}"}`),
  );
  for (const count of asked) expect(count).toBeGreaterThan(0);
});

test("exemplars lead to messages, and their traces are found", async () => {
  const text = await pageOf(loaded.daemon, OPEN_METRICS);
  for (const name of [
    "smtp_command_duration_seconds",
    "postrider_accept_duration_seconds",
    "postrider_accept_to_delivered_seconds",
  ]) {
    const [, traceId = ""] =
      new RegExp(`^${name}_bucket\\{.* # \\{trace_id="([0-9a-f]{32})"\\} `, "m").exec(text) ?? [];
    const uuid = traceId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
    const found = await loaded.daemon.request(`/emails/${uuid}`);
    expect([name, found.status]).toEqual([name, 200]);
  }
});

test("the trace that a request came with is the one that its buckets lead to", async () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const answer = await loaded.daemon.request("/send", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    },
    body: letter("delivered@postrider.test"),
  });
  expect(answer.status).toBe(202);
  const bucket = new RegExp(`^postrider_accept_duration_seconds_bucket.* # .*${traceId}`, "m");
  await until("its exemplar is told", async () =>
    bucket.test(await pageOf(loaded.daemon, OPEN_METRICS)),
  );
});

test("a hundred sites are told by name and the rest as other, and nothing is counted twice or not at all", async () => {
  const { daemon } = loaded;
  const attempts = (values: ReadonlyMap<string, number>): [string, number][] =>
    [...values]
      .filter(([key]) => key.startsWith("postrider_attempts_total{") && key.includes("delivered"))
      .map(([key, value]) => [/site="([^"]*)"/.exec(key)?.[1] ?? "", value]);
  const sum = (rows: readonly (readonly [string, number])[]): number =>
    rows.reduce((all, [, value]) => all + value, 0);
  const before = sum(attempts(valuesIn(await pageOf(daemon))));
  const body = JSON.stringify(many.map((name) => JSON.parse(letter(`ok@${name}`)) as unknown));
  const headers = { "content-type": "application/json" };
  const answer = await daemon.request("/send/batch", { method: "POST", headers, body });
  expect(answer.status).toBe(202);
  const after = await until("all are counted", async () => {
    const rows = attempts(valuesIn(await pageOf(daemon)));
    return sum(rows) === before + many.length ? rows : undefined;
  });
  const named = [...(await pageOf(daemon)).matchAll(/\{site="([^"]*)"/g)].map(([, site]) => site);
  expect(new Set(named).size).toBe(101);
  expect(after.find(([site]) => site === "other")?.[1]).toBeGreaterThan(0);
});

test("a sender that is needed is told of, and one that is gone no more; no counter falls", async () => {
  const { daemon } = loaded;
  const lag = 'postrider_thread_lag_seconds{thread="sender-1"}';
  const isTold = async (): Promise<boolean> => valuesIn(await pageOf(daemon)).has(lag);
  // A sender of two may have one, and mail waits for it.
  await loaded.configure({ max_connections: "2" });
  const ids = await Promise.all(slow.map((name) => send(daemon, `ok@${name}`)));
  await until("there is a second sender", isTold);
  loaded.letGo();
  for (const id of ids) await reaches(daemon, id, "delivered");
  const isCounter = (key: string): boolean => /(?:_total|_count|_bucket|_sum)(?:\{|$)/.test(key);
  const before = valuesIn(await pageOf(daemon));
  await loaded.configure({ workers: "1" });
  await until("the second sender is gone", async () => !(await isTold()));
  const after = valuesIn(await pageOf(daemon));
  for (const [key, value] of before)
    if (isCounter(key)) expect([key, (after.get(key) ?? -1) >= value]).toEqual([key, true]);
});

test("with metrics off nothing is counted, and mail flows; once it is on again, the next is", async () => {
  const { daemon } = loaded;
  const name = 'postrider_messages_accepted_total{door="http"}';
  const count = async (): Promise<number> => valuesIn(await pageOf(daemon)).get(name) ?? 0;
  const before = await count();
  await loaded.configure({ metrics: "false" });
  await send(daemon, "delivered@postrider.test");
  await loaded.configure({ metrics: "true" });
  await send(daemon, "delivered@postrider.test");
  await until("a message is counted", async () => (await count()) > before);
  expect(await count()).toBe(before + 1);
});
