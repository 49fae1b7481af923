import { describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeDaemon, createBox, fakeDaemon } from "./setup.ts";

const ID = "0199aa00-0000-7000-8000-000000000001";

function email(state: string): Readonly<Record<string, unknown>> {
  return {
    id: ID,
    from: "me@example.com",
    to: ["you@example.com"],
    subject: "Hello",
    created_at: "2026-01-01T00:00:00.000Z",
    last_event: state,
    priority: "p1",
    recipients: [
      { address: "you@example.com", state, attempts: 1, next_attempt_at: null, last: "250 ok" },
    ],
  };
}

/** Takes a message; its recipient is in each of `states` in turn, and stays in the last one. */
function mailDaemon(states: readonly string[]): FakeDaemon {
  let asked = 0;
  return fakeDaemon(({ method, path }) => {
    if (method === "POST") return { status: 202, body: { id: ID, status: "queued" } };
    if (/^\/emails(\?|$)/.test(path)) return { body: { data: [email("queued")] } };
    if (path.endsWith("/raw")) return { body: Uint8Array.of(0x48, 0xe9) };
    return { body: email(states[Math.min(asked++, states.length - 1)] ?? "queued") };
  });
}

const ARGS = ["--from", "me@example.com", "--to", "you@example.com", "--subject", "Hello"];

describe("send", () => {
  test("hands the fields over the local socket, where no key is needed", async () => {
    await using daemon = mailDaemon([]);
    const args = ["send", ...ARGS, "--text", "-", "--priority", "p0", "--data-dir", daemon.dataDir];
    const { code, out } = await createBox().run(args);
    expect([code, out]).toEqual([0, `${ID} queued\n`]);
    const [seen] = daemon.seen;
    expect(seen).toMatchObject({ method: "POST", path: "/send", authorization: null });
    expect(JSON.parse(seen?.body ?? "")).toEqual({
      from: "me@example.com",
      to: ["you@example.com"],
      subject: "Hello",
      text: "from stdin",
      priority: "p0",
    });
  });

  test("hands a whole message over as it is", async () => {
    await using daemon = mailDaemon([]);
    const args = ["send", "--file", "-", "--to", "a@example.com", "--to", "b@example.com"];
    await createBox().run([...args, "--data-dir", daemon.dataDir]);
    expect(daemon.seen[0]).toMatchObject({
      path: "/send?to=a%40example.com&to=b%40example.com",
      type: "message/rfc822",
      body: "from stdin",
    });
  });

  const ends: readonly (readonly [string, string, number])[] = [
    ["delivered", "5s", 0],
    ["bounced", "5s", 1],
    ["deferred", "1ms", 75],
  ];
  for (const [state, wait, code] of ends) {
    test(`--wait ends with ${code} when it is ${state}`, async () => {
      await using daemon = mailDaemon(["queued", state]);
      const dataDir = ["--data-dir", daemon.dataDir];
      const ran = await createBox().run([
        "send",
        ...ARGS,
        "--text",
        "x",
        "--wait",
        wait,
        ...dataDir,
      ]);
      expect(ran.code).toBe(code);
      expect(ran.out).toContain("you@example.com");
    });
  }

  test("tells every fault of a refused message and ends with 64", async () => {
    const errors = [{ pointer: "/to/0", detail: "is no address" }];
    await using daemon = fakeDaemon(() => ({ status: 422, body: { detail: "1 fault", errors } }));
    const args = ["send", ...ARGS, "--data-dir", daemon.dataDir];
    expect(await createBox().run(args)).toEqual({
      code: 64,
      out: "",
      err: "1 fault\n  /to/0 is no address\n",
    });
  });

  test("ends with 75 when the daemon takes no mail at the moment", async () => {
    await using daemon = fakeDaemon(() => ({ status: 503, body: { detail: "The disk is full." } }));
    const args = ["send", ...ARGS, "--data-dir", daemon.dataDir];
    expect((await createBox().run(args)).code).toBe(75);
  });
});

test("queue cancel and queue hold name those that they came too late for", async () => {
  const recipients = [
    { address: "a@example.com", status: "canceled" },
    { address: "b@example.com", status: "sending" },
    { address: "c@example.com\u001b", status: "delivered" },
  ];
  const body = { object: "email", canceled: 1, held: 1, unchanged: 2, recipients };
  await using daemon = fakeDaemon(() => ({ body }));
  const run = (verb: string) => createBox().run(["queue", verb, ID, "--data-dir", daemon.dataDir]);
  expect((await run("cancel")).out).toBe(
    "canceled 1, unchanged 2\n  b@example.com is sending, past its final dot\n  c@example.com? is delivered\n",
  );
  expect((await run("hold")).out).toContain("held 1, unchanged 2\n  a@example.com is canceled\n");
});

describe("the way to the daemon", () => {
  test("is missing with 69", async () => {
    const ran = await createBox().run(["queue", "stats", "--data-dir", "/nowhere"]);
    expect(ran.code).toBe(69);
    expect(ran.err).toContain("/nowhere/control.sock");
    const closed = ["--url", "http://127.0.0.1:1", "--api-key", "k"];
    const far = await createBox().run(["queue", "stats", ...closed]);
    expect(far).toMatchObject({ code: 69, out: "" });
    expect(far.err).toStartWith("http://127.0.0.1:1: no daemon answers\n");
  });

  test("ends with 69 when a daemon left its socket behind", async () => {
    await using daemon = mailDaemon([]);
    // A file that nobody listens at.
    const left = join(daemon.dataDir, "left");
    mkdirSync(left);
    writeFileSync(join(left, "control.sock"), "");
    const ran = await createBox().run(["queue", "stats", "--data-dir", left]);
    expect(ran.code).toBe(69);
    expect(ran.err).toStartWith(`${left}/control.sock: no daemon answers\n`);
  });

  test("to another host carries the key, from wherever it comes", async () => {
    await using daemon = mailDaemon([]);
    const to = ["message", "list", "--url", daemon.url];
    await createBox().run([...to, "--api-key", "one"]);
    await createBox({ POSTRIDER_API_KEY: "two" }).run(to);
    await createBox({}, { "/work/k": "three\n" }).run([...to, "--api-key-file", "/work/k"]);
    await createBox({ XDG_DATA_HOME: "/x" }, { "/x/postrider/api-key": "four\n" }).run(to);
    expect(daemon.seen.map((one) => one.authorization)).toEqual([
      "Bearer one",
      "Bearer two",
      "Bearer three",
      "Bearer four",
    ]);
  });

  test("ends with 77 when no key can be read and with 64 when the address is none", async () => {
    expect((await createBox().run(["queue", "stats", "--url", "http://127.0.0.1:1"])).code).toBe(
      77,
    );
    expect((await createBox().run(["queue", "stats", "--url", "here"])).code).toBe(64);
  });
});

describe("what is asked of the daemon", () => {
  test("is looked at before the daemon is asked", async () => {
    await using daemon = mailDaemon([]);
    const to = ["--data-dir", daemon.dataDir];
    for (const [args, err] of [
      [["queue", "stats", "--by", "day"], "--by: found day; allowed: site, domain\n"],
      [["queue", "stats", "--state", "dead"], "--state: found dead; allowed: scheduled, queued,"],
      [["message", "show", "--trace", "zz"], "--trace: found zz; allowed: 32 hex digits\n"],
    ] as const) {
      const ran = await createBox().run([...args, ...to]);
      expect(ran).toMatchObject({ code: 64, out: "" });
      expect(ran.err).toStartWith(err);
    }
    expect(daemon.seen).toEqual([]);
  });

  test("queue stats prints counts, ages and sites", async () => {
    const view = {
      counts: [{ state: "queued", priority: "p1", recipients: 5 }],
      oldest_age_seconds: { p0: null, p1: 12, p2: null },
      search_lag: 7,
      uplink: { state: "down", since: null, detail: "the uplink is down" },
      paused: [{ kind: "domain", name: "b.example", since: "2026-11-23T03:00:00.000Z" }],
    };
    const row = { name: "example.com\u001b[0m", recipients: 5, ages: [2, 0, 3] };
    const ages = {
      ...{ by: "site", bounds_minutes: [5, 10], total: { ...row, name: "" }, data: [row] },
      ...{ more: 2, sample: 40 },
    };
    await using daemon = fakeDaemon(({ path }) => ({
      body: path.startsWith("/queue/ages") ? ages : view,
    }));
    const args = ["queue", "stats", "--data-dir", daemon.dataDir];
    const { out } = await createBox().run(args);
    expect(out).toContain("queued  p1  5");
    expect(out).toContain("oldest p1: 12s");
    expect(out).toContain("lists lag by 7 events");
    expect(out).toContain("the uplink is down");
    expect(out).toContain("an operator paused domain b.example");
    expect(out).toContain(
      [
        "site             total  5  10  10+",
        "all                  5  2   .    3",
        "example.com?[0m      5  2   .    3",
        "and 2 more: --limit",
        "reckoned from 40 messages",
      ].join("\n"),
    );
    const json: unknown = JSON.parse((await createBox().run([...args, "--json"])).out);
    expect(json).toEqual({ ...view, ages });
  });

  test("queue list asks for every state that is not final and shows a message once", async () => {
    await using daemon = mailDaemon([]);
    const { out } = await createBox().run(["queue", "list", "--data-dir", daemon.dataDir]);
    expect(out.trim().split("\n")).toHaveLength(1);
    const states = daemon.seen.map(({ path }) =>
      new URLSearchParams(path.split("?")[1]).get("status"),
    );
    expect(states).toEqual(["scheduled", "queued", "held", "sending", "deferred"]);
    const wrong = await createBox().run(["queue", "list", "--state", "lost"]);
    expect(wrong.code).toBe(64);
  });

  test("message raw and queue show print what the daemon has", async () => {
    await using daemon = mailDaemon(["delivered"]);
    const dataDir = ["--data-dir", daemon.dataDir];
    // Not UTF-8, and no line more than there is.
    expect((await createBox().run(["message", "raw", ID, ...dataDir])).out).toBe("H\u00e9");
    expect((await createBox().run(["queue", "show", ID, ...dataDir])).out).toContain("250 ok");
  });
});
