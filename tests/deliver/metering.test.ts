// What delivery counts, against what the servers know.
import { describe, expect, test } from "bun:test";
import type { Sample } from "../../src/base/meter.ts";
import { metricTable } from "../../src/mail/metrics.ts";
import { phases } from "../../src/smtp/phases.ts";
import type { FakeMxOptions } from "./fakeMx.ts";
import { rigsOfEachTest, type Rig, type RigOptions } from "./rig.ts";

const createRig = rigsOfEachTest();

function start(server: FakeMxOptions, more: Omit<RigOptions, "servers"> = {}): Promise<Rig> {
  return createRig({ servers: [server], ...more });
}

/** Observations of histograms and sums of counters by their labels, `a b c`. */
function counted(samples: readonly Sample[], name: string): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const sample of samples) {
    if (sample.name !== name || sample.kind === "gauge") continue;
    const key = Object.values(sample.labels).join(" ");
    const more =
      sample.kind === "counter" ? sample.delta : sample.counts.reduce((sum, one) => sum + one, 0);
    if (more > 0) sums[key] = (sums[key] ?? 0) + more;
  }
  return sums;
}
const errors = ({ meter }: Rig) => counted(meter.drain(), "smtp_session_errors_total");

test("each command and its reply are one observation, with the message that it was for", async () => {
  const { meter, send, verdictsOf } = await start({
    script: (verb, line) => (verb === "RCPT" && line.includes("to2@") ? "451 later" : undefined),
  });
  for (let i = 0; i < 3; i++) {
    send();
    await verdictsOf(i + 1);
  }
  const samples = meter.drain();
  expect(counted(samples, "smtp_command_duration_seconds")).toMatchObject({
    "greeting 2xx": 1,
    "ehlo 2xx": 1,
    "mail 2xx": 3,
    "rcpt 2xx": 2,
    "rcpt 4xx": 1,
    "dot 2xx": 2,
  });
  expect(counted(samples, "smtp_connect_duration_seconds")).toEqual({ ok: 1 });
  const refused = samples.find(
    ({ labels }) => labels["command"] === "rcpt" && labels["code"] === "4xx",
  );
  expect(refused).toMatchObject({ exemplars: [{ message: 2 }] });
  const dots = samples.find(({ labels }) => labels["command"] === "dot");
  expect(JSON.stringify(dots)).toContain('"message":3');
});

test("a command without a reply is an observation too, as long as it was waited for", async () => {
  const { meter, send, verdictsOf } = await start({
    offers: [],
    script: (verb) => (verb === "RCPT" ? "CLOSE" : undefined),
  });
  send();
  await verdictsOf(1);
  expect(counted(meter.drain(), "smtp_command_duration_seconds")).toMatchObject({
    "mail 2xx": 1,
    "rcpt none": 1,
  });
});

/** What the server does, what the route wants, and what is counted. */
const rows: readonly (readonly [string, FakeMxOptions, Omit<RigOptions, "servers">, string])[] = [
  ["greeting refused", { script: () => "554 no" }, {}, "example.net greeting refused"],
  [
    "no greeting",
    { script: (verb) => (verb === "CONNECT" ? "CLOSE" : undefined) },
    {},
    "example.net greeting closed",
  ],
  [
    "EHLO and HELO refused",
    { script: (verb) => (/^(EHLO|HELO)$/.test(verb) ? "550 no" : undefined) },
    {},
    "example.net helo refused",
  ],
  ["TLS is a must and not offered", {}, { route: { tls: "required" } }, "example.net ehlo unfit"],
  [
    "the handshake breaks",
    { offers: ["STARTTLS"], handshakes: false },
    { route: { tls: "required" } },
    "example.net tls tls",
  ],
  [
    "hung up at RCPT",
    { offers: [], script: (verb) => (verb === "RCPT" ? "CLOSE" : undefined) },
    {},
    "example.net rcpt closed",
  ],
  [
    "hung up after the dot",
    { script: (verb) => (verb === "." ? "CLOSE" : undefined) },
    {},
    "example.net dot closed",
  ],
  [
    "421 at MAIL",
    {
      offers: [],
      script: (verb) => (verb === "MAIL" ? { raw: "421 bye\r\n", then: "END" } : undefined),
    },
    {},
    "example.net mail refused",
  ],
  [
    "nonsense instead of a reply",
    { offers: [], script: (verb) => (verb === "RCPT" ? { raw: "what?\r\n" } : undefined) },
    {},
    "example.net rcpt protocol",
  ],
  [
    "silence at DATA",
    { offers: [], script: (verb) => (verb === "DATA" ? "HANG" : undefined) },
    {},
    "example.net data timeout",
  ],
  [
    "hung up at the RSET after a refusal",
    {
      script: (verb) =>
        verb === "RCPT"
          ? "550 no"
          : verb === "DATA"
            ? "503 no"
            : verb === "RSET"
              ? "CLOSE"
              : undefined,
    },
    {},
    "example.net rset closed",
  ],
];

describe("a session that fails is counted by where and why:", () => {
  for (const [what, server, more, key] of rows)
    test(what, async () => {
      const deadlines = Object.fromEntries(
        Object.keys(phases).map((phase) => [phase, 300]),
      ) as Record<keyof typeof phases, number>;
      const started = await start(server, { ...more, settings: { deadlines } });
      started.send();
      await started.verdictsOf(1);
      expect(errors(started)).toEqual({ [key]: 1 });
    });

  test("a stored message that is damaged is cut off by ourselves", async () => {
    const started = await start(
      {},
      {
        spool: async function* () {
          yield Buffer.from("Subject: something else\r\n\r\n");
        },
      },
    );
    const body = { kind: "spool", file: "f" } as const;
    started.send({ body, sizeBytes: 1000, sha256: "x" }, { body: null });
    await started.verdictsOf(1);
    expect(errors(started)).toEqual({ "example.net body local": 1 });
  });

  test("nobody listens", async () => {
    const started = await start(
      {},
      { route: { hosts: [{ name: "mx.example.com", preference: 0, addresses: ["192.0.2.9"] }] } },
    );
    started.send();
    await started.verdictsOf(1);
    const samples = started.meter.drain();
    expect(counted(samples, "smtp_session_errors_total")).toEqual({
      "example.net connect network": 1,
    });
    expect(counted(samples, "smtp_connect_duration_seconds")).toEqual({ failed: 1 });
  });

  test("what ends well, or with a refusal of one recipient, is no error", async () => {
    const started = await start({
      script: (verb, line) => (verb === "RCPT" && line.includes("to1@") ? "550 no" : undefined),
    });
    started.send();
    started.send();
    await started.verdictsOf(2);
    expect(errors(started)).toEqual({});
  });
});

test("phases and reasons that can occur are known to the table", () => {
  const row = metricTable.find(({ name }) => name === "smtp_session_errors_total");
  const known = new Set((row?.zeros ?? []).map((labels) => labels["phase"] ?? ""));
  for (const phase of known) expect(phase === "connect" || phase in phases).toBe(true);
});

test("a handshake and the checks behind it have a time each", async () => {
  const { meter, send, verdictsOf } = await start(
    { offers: ["STARTTLS"] },
    { route: { tls: "opportunistic" } },
  );
  send();
  await verdictsOf(1);
  const samples = meter.drain();
  expect(counted(samples, "smtp_tls_handshake_duration_seconds")).toEqual({ "false TLSv1.3": 1 });
  const checks = Object.values(counted(samples, "smtp_tls_verify_duration_seconds"));
  expect(checks).toEqual([1]);
});

test("while the meter is off, nothing is counted", async () => {
  const { meter, send, verdictsOf } = await start({});
  meter.drain();
  meter.turn(false);
  send();
  await verdictsOf(1);
  meter.turn(true);
  const samples = meter.drain();
  for (const { name } of samples) expect(counted(samples, name)).toEqual({});
});
