// `postrider stress` as it is typed: what is asked for, what is refused, and what its report says.
import { describe, expect, test } from "bun:test";
import type { StressEnd } from "../../src/commands/deps.ts";
import { reportText, type StressReport } from "../../src/commands/stressReport.ts";
import type { StressRequest } from "../../src/commands/stressRequest.ts";
import { whereabouts } from "../../src/commands/stressRoute.ts";
import type { ExplainView } from "../../src/mail/explain.ts";
import { createBox, fakeDaemon, type Ran } from "./setup.ts";

const spread = { count: 10, mean_ms: 2, p50_ms: 2, p95_ms: 3, p99_ms: 4, max_ms: 250 };
const good: StressReport = {
  object: "stress",
  valid: true,
  problems: [],
  notes: [],
  ended_by: "count",
  load: {
    ...{ kind: "closed", daemon: "own", domain: "example.com", recipients: { ok: 1 } },
    ...{ connections: 50, rate_per_second: null, size_bytes: 5000, priority: "p1" },
    ...{ elapsed_seconds: 1, drain_seconds: 0 },
  },
  requests: {
    ...{ started: 1200, never_started: 0, started_late: 0 },
    ...{ refused: 200, unanswered: 0, unsent: 0 },
  },
  accepted: { count: 1000, per_second: 1000 },
  delivered: { count: 990, per_second: 980, late: 0, repeated: 0 },
  accept: spread,
  accept_to_delivered: spread,
  failures: {
    at_accept_rate: 1 / 6,
    at_accept: [{ class: "429 rate_limit_exceeded", count: 200 }],
    at_delivery_rate: 0.01,
    at_delivery: [{ class: "bounced mailbox 550", count: 10 }],
  },
  accounting: {
    ...{ accepted: 1000, unseen: 0, delivered: 990, failed: 10 },
    ...{ in_doubt: 0, queued: 0, adds_up: true },
  },
  generator: { cpu_share: 0.2, lag_p99_ms: 0 },
  daemon: null,
};

async function run(
  argv: readonly string[],
  end: StressEnd = { kind: "report", report: good },
): Promise<Ran & { readonly asked: StressRequest | undefined }> {
  let asked: StressRequest | undefined;
  const ran = await createBox().run(["stress", ...argv], {
    runStress: (request) => {
      asked = request;
      return Promise.resolve(end);
    },
  });
  return { ...ran, asked };
}

describe("what is asked for", () => {
  test("without a word it is a minute of fifty clients on a daemon of its own", async () => {
    const { code, asked } = await run([]);
    expect(code).toBe(0);
    expect(asked).toEqual({
      ...{ target: null, folder: null, domain: "example.com", from: "stress@postrider.test" },
      ...{ recipients: "ok", pace: { kind: "closed", clients: 50 }, countMax: 2_000_000 },
      ...{
        durationMs: 60_000,
        warmUpMs: 0,
        bodyBytes: 5_000,
        priority: "p1",
        follow: true,
        drainMs: 30_000,
      },
    });
  });

  test("a rate makes it an open loop, of which the concurrency is the bound", async () => {
    const { asked } = await run(["--rate", "500", "--concurrency", "20", "--count", "99"]);
    expect(asked?.pace).toEqual({ kind: "open", perSecond: 500, connectionsMax: 20 });
    expect(asked?.countMax).toBe(99);
    expect(asked?.durationMs).toBe(3_600_000);
  });

  const sizes = { "5k": 5_000, "5KB": 5_000, "5KiB": 5_120, "1m": 1_000_000, "700": 700 };
  for (const [text, bytes] of Object.entries(sizes))
    test(`a size of ${text} is ${bytes} octets`, async () => {
      expect((await run(["--size", text])).asked?.bodyBytes).toBe(bytes);
    });

  const refused: readonly (readonly string[])[] = [
    ["--concurrency", "0"],
    ["--concurrency", "1001"],
    ["--rate", "50001"],
    ["--rate", "1e3"],
    ["--count", "2000001"],
    ["--count", "-1"],
    ["--duration", "2h"],
    ["--duration", "5"],
    ["--drain", "1d"],
    ["--warm-up", "1h"],
    ["--size", "26MB"],
    ["--size", "0"],
    ["--size", "25MB", "--concurrency", "21"],
    ["--priority", "p3"],
    ["--domain", "a b"],
    ["--domain", "x@example.com"],
    ["--domain", ""],
    ["--from", "nobody"],
    ["--from", "a@b.example\r\nX: y"],
    ["--nonsense"],
  ];
  for (const argv of refused)
    test(`${JSON.stringify(argv.join(" "))} is refused`, async () => {
      const { code, err, asked } = await run(argv);
      expect(code).toBe(64);
      expect(err).toContain(argv[0] as string);
      expect(asked).toBeUndefined();
    });
});

describe("the exit code", () => {
  const codes: readonly (readonly [string, Partial<StressReport>, number])[] = [
    ["of a good report", {}, 0],
    ["of figures that are not valid", { valid: false }, 1],
    ["where nothing was accepted", { accepted: { count: 0, per_second: 0 } }, 1],
    ["of a daemon that went away", { valid: false, ended_by: "unreachable" }, 69],
    ["of its own daemon that died", { valid: false, ended_by: "daemon_ended" }, 69],
    ["of what was stopped by hand", { ended_by: "stopped" }, 0],
  ];
  for (const [name, changes, code] of codes)
    test(`${name} is ${code}`, async () => {
      const ran = await run(["--json"], { kind: "report", report: { ...good, ...changes } });
      expect(ran.code).toBe(code);
      expect(JSON.parse(ran.out)).toEqual({ ...good, ...changes });
    });

  test("a load that could not begin says why", async () => {
    const ran = await run([], { kind: "failed", code: 77, text: "no scope" });
    expect(ran).toMatchObject({ code: 77, err: "no scope\n", out: "" });
  });
});

describe("the report", () => {
  test("tells rates, percentiles, failures by class and the sum", () => {
    expect(reportText(good).split("\n")).toEqual([
      "load       closed loop, 50 connections, 1.0 s (the count was reached); 5,000 B to example.com, p1; its own daemon and sink",
      "requests   1,200 started, 1,000 accepted, 200 refused",
      "accepted   1,000/s",
      "delivered  980/s",
      "milliseconds            mean      p50      p95      p99      max",
      "accept                   2.0      2.0      3.0      4.0      250",
      "accept to delivered      2.0      2.0      3.0      4.0      250",
      "failed  at accept                17 %",
      "        429 rate_limit_exceeded  200",
      "        at delivery              1.00 %",
      "        bounced mailbox 550      10",
      "accounting  1,000 accepted = 990 delivered + 10 failed + 0 queued",
      "generator   20 % of a core",
    ]);
  });

  test("words of others do not steer the terminal", () => {
    const at_accept = [{ class: "500 \u001b[2J\r\nboo", count: 1 }];
    const text = reportText({ ...good, failures: { ...good.failures, at_accept } });
    expect(text).not.toMatch(/[\u001b\r]/);
  });

  test("a sum that is not right is said", () => {
    const accounting = { ...good.accounting!, queued: 5, adds_up: false };
    expect(reportText({ ...good, accounting })).toContain("IS NOT 990 delivered");
  });
});

describe("where the mail goes", () => {
  const host = (name: string, ...addresses: string[]) => {
    return { name, preference: 0, addresses, ttl_ms: null };
  };
  const view = (via: "mx" | "relay" | "sink", ...hosts: ExplainView["hosts"][number][]) =>
    ({
      domain: "example.com",
      hosts,
      route: { result: "route", site: "x", via, port: 25, fresh_until: null },
    }) as unknown as ExplainView;
  const unknown = {
    domain: "example.com",
    hosts: [],
    route: { result: "unknown", text: "SERVFAIL" },
  } as unknown as ExplainView;

  const cases: readonly (readonly [string, ExplainView, boolean, "here" | "leaves"])[] = [
    ["the built-in sink", view("sink", host("postrider.test", "127.0.0.1")), true, "here"],
    ["a relay on loopback", view("relay", host("a", "127.0.0.1", "::1")), false, "here"],
    ["that of an author of one's own", view("relay", host("a", "127.0.0.1")), true, "leaves"],
    ["a relay elsewhere", view("relay", host("a", "192.0.2.1")), false, "leaves"],
    [
      "a second relay elsewhere",
      view("relay", host("a", "127.0.0.1"), host("b", "10.0.0.1")),
      false,
      "leaves",
    ],
    ["an MX", view("mx", host("mx", "203.0.113.5")), false, "leaves"],
    ["an MX on loopback", view("mx", host("mx", "127.0.0.2")), false, "here"],
    ["a host without an address", view("mx", host("mx")), false, "leaves"],
    ["nobody knows", unknown, false, "leaves"],
  ];
  for (const [name, given, hasOwnFrom, kind] of cases)
    test(`${name}: ${kind}`, () => expect(whereabouts(given, hasOwnFrom).kind).toBe(kind));

  test("a running daemon is asked, and obeyed unless it is for real", async () => {
    await using daemon = fakeDaemon(() => ({ body: view("mx", host("mx", "203.0.113.5")) }));
    const at = ["--url", daemon.url, "--api-key", "k", "--domain", "Example.COM."];
    const refused = await run(at);
    expect(refused.code).toBe(64);
    expect(refused.err).toContain("203.0.113.5");
    expect(refused.asked).toBeUndefined();
    expect(daemon.seen.map(({ path }) => path)).toEqual(["/explain/example.com"]);
    expect((await run([...at, "--send-for-real"])).asked?.domain).toBe("example.com");
    expect(daemon.seen).toHaveLength(1);
  });

  test("a key that may not ask for the way sends to the built-in sink alone", async () => {
    const problem = { status: 403, body: { detail: "it lacks the scope" } };
    await using daemon = fakeDaemon(() => problem);
    const at = ["--url", daemon.url, "--api-key", "k"];
    expect((await run([...at, "--domain", "example.com"])).code).toBe(77);
    expect((await run(at)).asked?.domain).toBe("postrider.test");
  });
});
