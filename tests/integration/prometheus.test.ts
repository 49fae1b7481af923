// A real Prometheus (Debian's package) scrapes a loaded daemon with the shipped rules: they agree with what the receivers counted, they
// speak when a site breaks, every question of the dashboard has an answer, and exemplars lead to messages.
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ListView } from "../../src/mail/query.ts";
import { dashboard } from "../../scripts/observe/dashboard.ts";
import { binaryPath, cleanEnvironment } from "../fixtures/daemon.ts";
import { observeFolder, readRules } from "../fixtures/observe.ts";
import { askedBy } from "../fixtures/promql.ts";
import type { FiringAlert } from "../fixtures/prometheus.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { type Ends, createEnds, post } from "./faultsRig.ts";
import {
  GOOD_RCPT_S,
  WARM_UP_MESSAGES,
  type World,
  complaint,
  createWorld,
} from "./observeWorld.ts";
import { status } from "./webhookRig.ts";

const prometheus = peer("prometheus");
const promtool = peer("promtool");
const TEST_MS = 60_000;
/** How far a recorded figure may be from what the receivers counted. */
const OFF_MAX = 0.01;

/** Series that this daemon cannot have: it speaks no TLS to its own clients. */
const absent = ["postrider_tls_cert_expiry_timestamp_seconds"];
/** What a busy machine of tests may truly be told of, whose rules look at three seconds. */
const machine = new Set(["PostriderThreadLag", "PostriderCommitSlow"]);
const SLOW_RECIPIENTS = 20;
/** A timer may fire so much early, by the clock of another process. */
const CLOCK_S = 0.005;

/** As Grafana asks it where all daemons and sites are chosen. */
function chosen(expression: string): string {
  return expression
    .replace(/\$(instance|site)\b/g, ".*")
    .replaceAll("$__rate_interval", "1m")
    .replaceAll("$__range", "5m");
}

function many(name: string, count: number, domain: string): string[] {
  return Array.from({ length: count }, (_, i) => `${name}+${i}@${domain}`);
}

const ends: Ends = createEnds();
let world: World;
let startedS = 0;

const nowS = (): number => Date.now() / 1000;

async function valueOf(expression: string): Promise<number | undefined> {
  const [one] = await world.prometheus.query(expression);
  return one === undefined ? undefined : Number(one.value[1]);
}

/** It was pending before it fired, and says what to do. */
async function fires(alert: string, matchers = ""): Promise<FiringAlert | undefined> {
  await until(`${alert} fires`, async () =>
    valueOf(`ALERTS{alertname="${alert}",alertstate="firing"${matchers}}`),
  );
  const pending = `max_over_time(ALERTS{alertname="${alert}",alertstate="pending"${matchers}}[5m])`;
  expect([alert, await valueOf(pending)]).toEqual([alert, 1]);
  const told = (await world.prometheus.alerts()).find(
    ({ labels }) => labels["alertname"] === alert,
  );
  expect(JSON.stringify(told?.annotations)).not.toMatch(/<no value>|error|%!/);
  return told;
}

/** The area under a recorded rate: what it says that happened in all. */
async function areaUnder(record: string): Promise<number> {
  const runs = await world.prometheus.range(record, startedS, nowS());
  return runs.flatMap(({ values }) => values).reduce((sum, [, value]) => sum + Number(value), 0);
}

beforeAll(async () => {
  if (prometheus.missing) return;
  world = await createWorld(ends, prometheus.path);
  startedS = nowS();
}, TEST_MS);
afterAll(() => ends.run(), TEST_MS);

describe("a loaded daemon", () => {
  prometheus.test(
    "raises no alert while all is well",
    async () => {
      world.load.steadily("a@good.test", "b@plain.test");
      await until(
        "rates are recorded",
        async () => ((await valueOf("instance:postrider_delivered:rate5m")) ?? 0) > 50,
      );
      const raised = (await world.prometheus.alerts()).map(({ labels }) => labels["alertname"]);
      expect(raised.filter((alert) => !machine.has(alert ?? ""))).toEqual([]);
      const p95 = 'command:smtp_command_duration_seconds:p95_5m{command="rcpt"}';
      // Before the second scrape with a RCPT in it, the percentile of nothing is NaN.
      const rcptS = await until("percentiles are recorded", async () => {
        const value = await valueOf(p95);
        return Number.isNaN(value) ? undefined : value;
      });
      expect(rcptS).toBeGreaterThan(GOOD_RCPT_S - CLOCK_S);
    },
    TEST_MS,
  );

  prometheus.test(
    "that breaks a site is told of, and so is what else goes wrong",
    async () => {
      const { daemon, load, plain, receiver, settingsFile } = world;
      receiver.answer = status(500);
      const always = ["a@good.test", "soft-rcpt@good.test", "ann@unheard-of-*.test"];
      load.steadily("soft-rcpt@plain.test", ...always);
      await load.send("now@dead.test", { priority: "p0" });
      await load.send(many("late", SLOW_RECIPIENTS, "slow.test"));
      await load.send(many("drop-after-dot", 10, "rough.test"));
      await load.send("ann@strict.test");
      await (await post(daemon, "{}")).text();
      const headers = { "content-type": "message/rfc822" };
      const report = { method: "POST", headers, body: complaint };
      expect((await daemon.request("/reports", report)).status).toBe(200);
      appendFileSync(settingsFile, "nonsense = 1\n");
      expect((await daemon.request("/reload", { method: "POST" })).ok).toBe(false);
      const breaksPlain = async (): Promise<void> => {
        await fires("PostriderDeferring", ',site="plain.test"');
        await plain.stop();
        load.steadily("b@plain.test", ...always);
        await fires("PostriderSitePaused", ',site="plain.test"');
      };
      const namesTheSite = async (): Promise<void> => {
        const told = await fires("PostriderAuthenticationRefused");
        expect(told?.annotations["description"]).toContain("strict.test");
      };
      await Promise.all([
        breaksPlain(),
        namesTheSite(),
        fires("PostriderQueueOldP0"),
        fires("PostriderRcptSlow"),
        fires("PostriderFailing"),
        fires("PostriderDoubts"),
        fires("PostriderWebhookBacklog"),
        fires("PostriderReloadFailed"),
      ]);
    },
    TEST_MS,
  );

  promtool.test("tells nothing that promtool would write otherwise", async () => {
    const text = await (await world.daemon.request("/metrics")).text();
    const {
      status: code,
      stdout,
      stderr,
    } = spawnSync(promtool.path, ["check", "metrics"], {
      input: text,
      encoding: "utf8",
    });
    expect([code, stdout + stderr]).toEqual([0, ""]);
  });
});

describe("every question has an answer in a real Prometheus:", () => {
  for (const { title, panels } of dashboard.rows)
    prometheus.test(
      `the dashboard's ${title}`,
      async () => {
        const unanswered: string[] = [];
        for (const { expr } of panels.flatMap(({ questions }) => questions)) {
          const answer = await world.prometheus.query(chosen(expr));
          if (!answer.some(({ value }) => Number.isFinite(Number(value[1])))) unanswered.push(expr);
        }
        expect(unanswered).toEqual([]);
      },
      TEST_MS,
    );

  prometheus.test("the dashboard's variables and marks", async () => {
    for (const { of } of dashboard.variables) {
      const [one] = await world.prometheus.query(chosen(of.series));
      expect(one?.metric[of.label]).toBeString();
    }
    for (const { expr } of dashboard.marks) await world.prometheus.query(chosen(expr));
  });

  prometheus.test("what is recorded, and each series that an alert looks at", async () => {
    const rules = [...readRules("recording.yml"), ...readRules("alerts.yml")];
    const unanswered = new Set<string>();
    for (const { record, expr } of rules) {
      if (record !== undefined && (await world.prometheus.query(record)).length === 0)
        unanswered.add(record);
      for (const { name } of askedBy(expr).selectors)
        if ((await world.prometheus.query(name)).length === 0) unanswered.add(name);
    }
    expect([...unanswered]).toEqual(absent);
  });
});

describe("exemplars", () => {
  prometheus.test(
    "lead from a slow RCPT to the message that waited for it",
    async () => {
      const slow = 'smtp_command_duration_seconds_bucket{command="rcpt"}';
      const trace = await until("a slow one is kept", async () => {
        const runs = await world.prometheus.exemplars(slow, startedS, nowS());
        const found = runs.flatMap(({ exemplars }) => exemplars);
        return found.find(({ value }) => Number(value) > 5)?.labels["trace_id"];
      });
      const answer = await world.daemon.request(`/emails?trace=${trace}`);
      const { data } = (await answer.json()) as ListView<{ readonly to: readonly string[] }>;
      expect(data.map(({ to }) => to)).toEqual([many("late", SLOW_RECIPIENTS, "slow.test")]);
    },
    TEST_MS,
  );

  prometheus.test(
    "are found as the runbook says, and the alert's command tells who was slow",
    async () => {
      const runbook = readFileSync(join(observeFolder, "README.md"), "utf8");
      const [line = ""] = /^curl .*query_exemplars.*$/m.exec(runbook) ?? [];
      const here = line.replace("http://127.0.0.1:9090", world.prometheus.url);
      const asked = spawnSync("sh", ["-c", here], { encoding: "utf8" });
      const [trace = ""] = /(?<="trace_id":")\w+/.exec(asked.stdout) ?? [];
      const rule = readRules("alerts.yml").find(({ alert }) => alert === "PostriderRcptSlow");
      const command = (rule?.annotations?.["command"] ?? "").replace("TRACE_ID", trace).split(" ");
      const args = [...command.slice(1), "--data-dir", world.dataDir];
      const options = { encoding: "utf8", env: cleanEnvironment() } as const;
      const { stdout, stderr } = spawnSync(binaryPath, args, options);
      expect(stdout + stderr).toContain("RCPT TO:<late+0@slow.test>");
    },
    TEST_MS,
  );

  prometheus.test(
    "are kept of deliveries and of acceptance, each with a trace that the API knows",
    async () => {
      for (const name of [
        "postrider_accept_to_delivered_seconds",
        "postrider_accept_duration_seconds",
      ]) {
        const runs = await world.prometheus.exemplars(`${name}_bucket`, startedS, nowS());
        const found = runs.flatMap(({ exemplars }) => exemplars);
        expect([name, found.length > 0]).toEqual([name, true]);
        const trace = found[0]?.labels["trace_id"];
        const answer = await world.daemon.request(`/emails?trace=${trace}`);
        expect([name, ((await answer.json()) as ListView<unknown>).data.length]).toEqual([name, 1]);
      }
    },
    TEST_MS,
  );
});

describe("when everything is broken", () => {
  prometheus.test(
    "it is said that nothing is delivered while the queue grows, and that the DNS is silent",
    async () => {
      const { load, dns, good, slow, strict, rough } = world;
      load.steadily();
      await until("what can be delivered is", async () => (await told()) === taken());
      await Promise.all([good.stop(), rough.stop(), slow.close(), strict.close()]);
      dns.silent = true;
      load.steadily("a@unheard-of-*.test");
      await Promise.all([fires("PostriderNoDeliveries"), fires("PostriderDnsFailing")]);
    },
    TEST_MS,
  );

  prometheus.test(
    "what was recorded agrees with what the receivers took, and with what was accepted, within 1 %",
    async () => {
      const { load } = world;
      await load.stop();
      // What was accepted last may be delivered, and told, a while later.
      for (const record of ["accepted", "delivered"])
        await until(
          `nothing more is ${record}`,
          async () => (await valueOf(`instance:postrider_${record}:rate5m`)) === 0,
        );
      const off = async (record: string, counted: number): Promise<number> =>
        Math.abs((await areaUnder(record)) / counted - 1);
      const delivered = taken() - WARM_UP_MESSAGES;
      expect(delivered).toBeGreaterThan(500);
      expect(await off("instance:postrider_delivered:rate5m", delivered)).toBeLessThan(OFF_MAX);
      const accepted = load.accepted() - WARM_UP_MESSAGES;
      expect(await off("instance:postrider_accepted:rate5m", accepted)).toBeLessThan(OFF_MAX);
      expect(await told()).toBe(taken());
    },
    TEST_MS,
  );

  prometheus.test(
    "a daemon that ended is told of",
    async () => {
      await world.daemon.stop();
      await fires("PostriderDown");
    },
    TEST_MS,
  );
});

/** Recipients whose mail the daemon says that it delivered. */
async function told(): Promise<number | undefined> {
  const text = await (await world.daemon.request("/metrics")).text();
  return Number(/^postrider_recipients_total\{result="delivered"\} (\d+)$/m.exec(text)?.[1]);
}

/** Recipients whose mail was taken, by the receivers' own counts; what was lost at the dot is not there. */
function taken(): number {
  const { good, plain, slow } = world;
  const late = slow.messages().length * SLOW_RECIPIENTS;
  return good.tally.summary().recipients + plain.tally.summary().recipients + late;
}
